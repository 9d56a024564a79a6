//! The schema that editors use: complete for the plugins of this build. That its shape is valid, and agrees with `check`, is
//! tested in `coracle-manifest`, with the validator that would change every dependency's features here.

use crate::support::{Folder, manifest};
use serde_json::Value;

fn schema() -> Value {
    serde_json::from_str(&Folder::new().run(&["schema"]).ok()).unwrap()
}

/// Calls `seen` with each object in a value.
fn objects(value: &Value, seen: &mut dyn FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            seen(object);
            object.values().for_each(|value| objects(value, seen));
        }
        Value::Array(items) => items.iter().for_each(|value| objects(value, seen)),
        _ => {}
    }
}

#[test]
fn each_reference_leads_somewhere_and_each_type_exists() {
    let schema = schema();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    let mut references = 0;
    objects(&schema, &mut |object| {
        if let Some(Value::String(reference)) = object.get("$ref") {
            references += 1;
            let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leaves the document"));
            assert!(schema.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
        if let Some(Value::String(kind)) = object.get("type") {
            let kinds = ["array", "boolean", "integer", "null", "number", "object", "string"];
            assert!(kinds.contains(&kind.as_str()), "there is no type {kind}");
        }
    });
    assert!(references > 10, "only {references} references");
}

#[test]
fn it_knows_the_grants_and_stores_that_check_knows() {
    let schema = schema();
    let grants = schema.pointer("/definitions/component/properties/grants").unwrap();
    assert_eq!(grants["additionalProperties"], false);
    let names: Vec<_> = grants["properties"].as_object().unwrap().keys().cloned().collect();
    for name in &names {
        assert!(grants["properties"][name]["description"].is_string(), "editors show no help for {name}");
    }
    let folder = Folder::with(&(manifest("app.wasm") + "[component.app.grants]\nzzzzzzzz = 1\n"));
    let report = folder.run(&["check"]).stdout;
    let known = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    assert!(report.contains(&format!("choose one of {known}")), "{report}");
    let kinds = schema.pointer("/definitions/store/properties/type/enum").unwrap();
    assert_eq!(kinds, &serde_json::json!(["keyvalue"]));
}
