//! The schema that editors use says yes and no to the same manifests as `check`.

use crate::support::{Folder, manifest};
use serde_json::{Value, json};

fn schema() -> Value {
    serde_json::from_str(&Folder::new().run(&["schema"]).ok()).unwrap()
}

fn app(grants: &Value) -> Value {
    json!({
        "name": "app",
        "component": { "app": { "source": "app.wasm", "grants": grants } },
        "route": [{ "path": "/*", "to": "app" }],
        "store": { "cache": { "type": "keyvalue", "backend": "memory" } },
    })
}

#[test]
fn it_is_a_valid_schema() {
    jsonschema::draft7::meta::validate(&schema()).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn it_knows_the_grants_and_stores_of_this_build() {
    let schema = jsonschema::validator_for(&schema()).unwrap();
    for grants in [
        json!({}),
        json!({ "http": ["GET https://api.example.com/**"] }),
        json!({ "keyvalue": [{ "store": "cache", "prefix": "a/", "write": true }] }),
        json!({ "files": [{ "from": "assets", "to": "/assets" }], "config": ["a.b"] }),
    ] {
        let errors: Vec<_> = schema.iter_errors(&app(&grants)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{grants}: {errors:?}");
    }
    for grants in
        [json!({ "htpp": ["*"] }), json!({ "http": 5 }), json!({ "files": [{ "form": "assets", "to": "/" }] })]
    {
        assert!(!schema.is_valid(&app(&grants)), "{grants} should not be valid");
    }
    let mut backend = app(&json!({}));
    backend["store"]["cache"]["backend"] = json!("sqlight");
    assert!(!schema.is_valid(&backend));
}

#[test]
fn check_agrees() {
    let folder = Folder::with(&(manifest("app.wasm") + "[component.app.grants]\nhttp = 5\n"));
    let report = folder.run(&["check"]);
    assert_eq!(report.code, 1, "{}", report.shown());
}
