//! Any text is an app, or it has errors that can be shown: never both, never neither.
#![no_main]

use coracle_manifest::{CheckOptions, Source, check};
use libfuzzer_sys::fuzz_target;
use std::path::Path;
use std::sync::Arc;

fuzz_target!(|bytes: &[u8]| {
    let source = Arc::new(Source::from_bytes("coracle.toml", bytes.to_vec()));
    for env in [None, Some("prod")] {
        let options = CheckOptions {
            env,
            variables: &|name| (name.len() % 2 == 0).then(|| "{{ X }}".to_owned()),
            known_grants: &["http", "keyvalue", "files", "config"],
            known_store_kinds: &["keyvalue"],
            base_dir: Path::new("/app"),
        };
        let (app, diagnostics) = check(Arc::clone(&source), &options);
        assert_eq!(app.is_some(), !diagnostics.has_errors());
        let report = diagnostics.render(&source, false);
        assert_eq!(report.is_empty(), diagnostics.is_empty());
        let _ = diagnostics.to_json(&source).to_string();
    }
});
