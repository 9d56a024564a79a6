//! Components nobody here wrote: what each is, what it needs beyond WASI, and whether it can be served.

use coracle_artifact::Interface;

use crate::fixtures::{admitted, committed, of_crate};

/// What is expected of one component.
struct Case {
    world: &'static str,
    digest: &'static str,
    /// Imports outside the released WASI packages.
    needs: &'static [&'static str],
    /// How the refusal to serve it begins; `None` when it can be served.
    refused: Option<&'static str>,
}

fn check(bytes: Vec<u8>, case: &Case) {
    let admitted = admitted(bytes).unwrap();
    assert_eq!(admitted.world.to_string(), case.world);
    assert_eq!(admitted.digest.to_string(), case.digest);
    let released = ["cli", "clocks", "filesystem", "http", "io", "random"];
    let of_wasi = |i: &&Interface| !(i.namespace == "wasi" && released.contains(&i.package.as_str()));
    let needs: Vec<String> = admitted.imports.iter().filter(of_wasi).map(ToString::to_string).collect();
    assert_eq!(needs, case.needs);
    assert_eq!(admitted.core_instances, 4);
    assert_eq!(admitted.warnings, []);
    let refused = admitted.serve().map_err(|refusal| refusal.to_string()).err();
    match (refused, case.refused) {
        (None, None) => {}
        (Some(text), Some(start)) if text.starts_with(start) => {}
        (found, expected) => panic!("expected {expected:?}, found {found:?}"),
    }
}

#[test]
fn oci_wasm_component_is_served() {
    let case = Case {
        world: "an HTTP service (wasi:http/incoming-handler@0.2.0)",
        digest: "sha256:226211a24f47b0a8011007bf237acf34f0878f8d13ec2e91327b721c6b2b1600",
        needs: &[],
        refused: None,
    };
    check(committed("oci-wasm-component.wasm"), &case);
}

#[test]
fn oci_wasm_wit_package_is_refused() {
    let refusal = admitted(committed("oci-wasm-binary-wit.wasm")).unwrap_err().to_string();
    assert!(refusal.starts_with("this is a WIT package: it describes interfaces and has no code to run"), "{refusal}");
}

#[test]
fn wash_cron_component_is_no_http() {
    let case = Case {
        world: "a component without an HTTP or command entry",
        digest: "sha256:9a80d34c0cf8e16a4d03cc3cea0ba09f8e04dcb43f5f6d051fad135b9d1ee902",
        needs: &[],
        refused: Some("it answers no HTTP: it exports `wasmcloud:example/cron@0.0.1`, and to be served"),
    };
    check(committed("wash-runtime-cron-component.wasm"), &case);
}

#[test]
fn wash_cron_service_is_a_command() {
    let case = Case {
        world: "a command (wasi:cli/run@0.2)",
        digest: "sha256:d5dd61288461e0a0930f623a2312325d20d2c0f446c3b2db02b05177a8f130e8",
        needs: &["wasmcloud:example/cron@0.0.1"],
        refused: Some(
            "this is a command (it exports `wasi:cli/run@0.2.3`) and answers no HTTP; run it with `coracle run`",
        ),
    };
    check(committed("wash-runtime-cron-service.wasm"), &case);
}

#[test]
fn wash_http_blobstore_is_http() {
    let case = Case {
        world: "an HTTP service (wasi:http/incoming-handler@0.2.2)",
        digest: "sha256:76230b8f7e5b68d4a425b4fffbf10851fb2a7485e6d5dfb96bb7dc07e55a661a",
        needs: &[
            "wasi:blobstore/types@0.2.0-draft",
            "wasi:blobstore/container@0.2.0-draft",
            "wasi:blobstore/blobstore@0.2.0-draft",
        ],
        refused: None,
    };
    check(committed("wash-runtime-http-blobstore.wasm"), &case);
}

#[test]
fn wash_http_counter_is_http() {
    let case = Case {
        world: "an HTTP service (wasi:http/incoming-handler@0.2.2)",
        digest: "sha256:588a6c78f14b2775b0e233afd94f1448a4f9ca4e80f3ea7ad105f9fc85b40599",
        needs: &[
            "wasi:blobstore/types@0.2.0-draft",
            "wasi:blobstore/container@0.2.0-draft",
            "wasi:blobstore/blobstore@0.2.0-draft",
            "wasi:keyvalue/store@0.2.0-draft",
            "wasi:keyvalue/atomics@0.2.0-draft",
            "wasi:logging/logging@0.1.0-draft",
            "wasi:config/runtime@0.2.0-draft",
        ],
        refused: None,
    };
    check(committed("wash-runtime-http-counter.wasm"), &case);
    // The crate has the same bytes under a second name.
    check(of_crate("wash-runtime", "0.1.0", "tests/fixtures/http_keyvalue_counter.wasm"), &case);
}

#[test]
fn wash_blobby_is_http() {
    let case = Case {
        world: "an HTTP service (wasi:http/incoming-handler@0.2.2)",
        digest: "sha256:b49e66614a4a335332966d26d1f636471db3fd586471df096ee65aa6131c86ba",
        needs: &[
            "wasi:blobstore/types@0.2.0-draft",
            "wasi:blobstore/container@0.2.0-draft",
            "wasi:blobstore/blobstore@0.2.0-draft",
            "wasi:logging/logging@0.1.0-draft",
        ],
        refused: None,
    };
    check(of_crate("wash-runtime", "0.1.0", "tests/fixtures/blobby.wasm"), &case);
}

#[test]
fn wash_javascript_component_is_served() {
    let bytes = of_crate("wash-runtime", "0.1.0", "tests/fixtures/component.wasm");
    let producers = admitted(bytes.clone()).unwrap().producers;
    let made_by = |field: &str, name: &str| producers.iter().any(|p| p.field == field && p.name == name);
    assert!(made_by("language", "JavaScript") && made_by("processed-by", "ComponentizeJS"), "{producers:?}");
    let case = Case {
        world: "an HTTP service (wasi:http/incoming-handler@0.2.3)",
        digest: "sha256:8b27c0d3d061cd1d9800edb1c0d178f7b3bd94ae653b98c40527a7913b7e4918",
        needs: &[],
        refused: None,
    };
    check(bytes, &case);
}

/// Committed files and the notice that names their origin stay together.
#[test]
fn each_committed_file_is_in_the_notice() {
    let notice = String::from_utf8(committed("README.md")).unwrap();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/third-party");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let wasm: Vec<String> = names.filter(|name| name.ends_with(".wasm")).collect();
    assert_eq!(wasm.len(), 6);
    for name in wasm {
        let digest = coracle_artifact::Digest::of(&committed(&name)).hex();
        assert!(
            notice.contains(&format!("`{name}`")) && notice.contains(&digest),
            "{name} with {digest} is not in README.md"
        );
    }
}
