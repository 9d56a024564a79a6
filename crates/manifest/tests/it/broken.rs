//! Broken manifests and the reports about them. After a change: `INSTA_UPDATE=always cargo nextest run -p coracle-manifest`,
//! then read each changed message aloud.

use crate::support::{checked, load, manifests};
use coracle_manifest::{MAX_BYTES, Severity, Source};

#[test]
fn each_is_reported_with_place_and_fix() {
    let manifests = manifests("broken");
    assert!(manifests.len() >= 30, "only {} broken manifests found", manifests.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../broken");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _bound = settings.bind_to_scope();
    for (name, path) in manifests {
        let (source, env) = load(&path);
        let (_, diags, source) = checked(source, env.as_deref());
        assert!(!diags.is_empty(), "{name}.toml is broken, but nothing was reported");
        for item in diags.iter().filter(|item| item.severity == Severity::Error) {
            assert!(!item.message.ends_with('.'), "{name}: {}", item.message);
        }
        insta::assert_snapshot!(name, diags.render(&source, false));
    }
}

#[test]
fn colour_only_adds_escape_sequences() {
    let text = "name = \"Shop\"\nverison = 1\n";
    let (_, diags, source) = checked(Source::new("coracle.toml", text), None);
    let plain = diags.render(&source, false);
    assert!(!plain.contains('\u{1b}'), "{plain}");
    let mut stripped = String::new();
    let coloured = diags.render(&source, true);
    assert!(coloured.contains('\u{1b}'));
    for (at, part) in coloured.split('\u{1b}').enumerate() {
        stripped.push_str(if at == 0 { part } else { part.split_once('m').unwrap().1 });
    }
    assert_eq!(stripped, plain);
}

#[test]
fn json_has_line_and_column() {
    let text = "name = \"shop\"\nverison = 1\n";
    let (_, diags, source) = checked(Source::new("coracle.toml", text), None);
    let json = diags.to_json(&source);
    assert_eq!(json[0]["code"], "unknown-key");
    assert_eq!(json[0]["severity"], "error");
    assert_eq!(json[0]["file"], "coracle.toml");
    assert_eq!(json[0]["span"], serde_json::json!({ "start": 14, "end": 21, "line": 2, "column": 1 }));
}

#[test]
fn a_file_above_one_mebibyte_is_refused() {
    let (_, diags, source) = checked(Source::new("coracle.toml", "#".repeat(MAX_BYTES + 1)), None);
    assert!(diags.render(&source, false).contains("larger than 1 MiB"));
    let (_, diags, _) =
        checked(Source::new("coracle.toml", format!("name = \"a\"\n{}", "#".repeat(MAX_BYTES - 11))), None);
    assert!(diags.is_empty(), "a file of exactly 1 MiB is read");
}

#[test]
fn a_value_from_a_variable_is_not_repeated_for_urls() {
    let text = "name = \"a\"\n[upstream.node]\nurl = \"x{{ REDIS_URL }}\"\n[[route]]\npath = \"/*\"\nto = \"node\"\n";
    let (_, diags, source) = checked(Source::new("coracle.toml", text), None);
    let report = diags.render(&source, false);
    assert!(diags.has_errors() && !report.contains("6379"), "{report}");
}
