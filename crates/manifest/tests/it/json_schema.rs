//! The JSON Schema agrees with `check`: it takes every good manifest and refuses typos.

use crate::support::{GRANTS, STORES, checked, examples, load, manifests};
use coracle_manifest::{MAX_BYTES, Source, codes};
use serde_json::{Value, json};

fn schema() -> Value {
    let grants: Vec<_> =
        GRANTS.iter().map(|name| (*name, json!({ "type": ["string", "array", "object", "boolean"] }))).collect();
    let store = json!({ "type": "object", "properties": { "backend": { "type": "string" }, "url": { "type": "string" }, "path": { "type": "string" } },
        "additionalProperties": false });
    let stores: Vec<_> = STORES.iter().map(|kind| (*kind, store.clone())).collect();
    coracle_manifest::schema(&grants, &stores)
}

fn instance(text: &str) -> Option<Value> {
    let table: toml::Table = text.parse().ok()?;
    serde_json::to_value(table).ok()
}

#[test]
fn it_is_a_schema_of_draft_7() {
    jsonschema::draft7::meta::validate(&schema()).unwrap();
}

#[test]
fn it_takes_every_good_manifest() {
    let validator = jsonschema::draft7::new(&schema()).unwrap();
    for (name, path) in manifests("good").into_iter().chain(examples()) {
        let instance = instance(&load(&path).0.text).unwrap();
        let errors: Vec<_> = validator.iter_errors(&instance).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new(), "{name}");
    }
}

/// Whatever is an unknown key or a wrong type for `check`, the schema refuses too.
#[test]
fn it_refuses_typos_and_wrong_types() {
    let validator = jsonschema::draft7::new(&schema()).unwrap();
    let mut refused = 0;
    for (name, path) in manifests("broken") {
        let (source, env) = load(&path);
        assert!(source.text.len() < MAX_BYTES);
        let Some(instance) = instance(&source.text) else { continue };
        let (_, diags, _) = checked(source, env.as_deref());
        let judged = [codes::UNKNOWN_KEY, codes::WRONG_TYPE, codes::MISSING_KEY];
        // A variant is a part of a manifest; the schema doesn't look into it.
        let mut plain = diags.iter().filter(|item| !item.label.contains("variant"));
        if plain.any(|item| judged.contains(&item.code)) && !name.starts_with("variant-") && !name.starts_with("config")
        {
            assert!(!validator.is_valid(&instance), "{name}.toml passes the schema");
            refused += 1;
        }
    }
    assert!(refused >= 15, "only {refused} were refused");
}

/// Every key of the schema is one that `check` knows.
#[test]
fn it_knows_no_key_that_check_does_not() {
    let schema = schema();
    let keys = |pointer: &str| -> Vec<String> {
        schema.pointer(pointer).unwrap().as_object().unwrap().keys().cloned().collect()
    };
    for (pointer, header) in [
        ("/properties", ""),
        ("/definitions/component/properties", "[component.x]"),
        ("/definitions/limits/properties", "[component.x.limits]"),
        ("/definitions/component/properties/reuse/properties", "[component.x.reuse]"),
        ("/definitions/component/properties/grants/properties", "[component.x.grants]"),
        ("/definitions/route/properties", "[[route]]"),
        ("/definitions/route/properties/rollout/properties", "[[route]]\nto = \"x\"\n[route.rollout]"),
        ("/definitions/upstream/properties", "[upstream.x]"),
    ] {
        let keys = keys(pointer);
        assert!(!keys.is_empty(), "{pointer}");
        for key in keys {
            let (_, diags, source) = checked(Source::new("coracle.toml", format!("{header}\n{key} = 1\n")), None);
            let unknown = diags.iter().find(|item| item.message.contains(&format!("no key `{key}`")));
            assert!(unknown.is_none(), "{header} {key}: {}", diags.render(&source, false));
        }
    }
}
