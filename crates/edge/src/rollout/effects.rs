//! May a component change something outside itself? Copies of requests go only to those that can't: nobody has asked for what
//! a copy would write. It is told from the grants; whatever isn't known to be harmless counts as not.

use coracle_manifest::Component;
use coracle_manifest::value::{Node, Value};

/// The first grant by which it could, in words.
pub fn of(component: &Component) -> Option<String> {
    if let Some(used) = component.uses.first() {
        return Some(format!(
            "`{}` calls `{}`, which may change something, so that no copies go to it",
            component.name, used.component
        ));
    }
    let grant = component.grants.iter().find(|grant| !is_harmless(&grant.name, &grant.value))?;
    Some(format!("`{}` may change something by its grant `{}`, so that no copies go to it", component.name, grant.name))
}

fn is_harmless(name: &str, value: &Node) -> bool {
    match name {
        "config" | "env" | "secrets" => true,
        "keyvalue" | "files" => value.list().iter().all(only_reads),
        "http" => value.list().iter().all(only_gets),
        _ => false,
    }
}

/// Stores and directories are read-only unless the grant says `write = true`.
fn only_reads(node: &Node) -> bool {
    match &node.value {
        Value::Table(table) => match table.get("write").map(|node| &node.value) {
            None => true,
            Some(Value::Boolean(write)) => !write,
            Some(_) => false,
        },
        // `files = "assets"`, `keyvalue = "cache"`.
        Value::String(_) => true,
        _ => false,
    }
}

/// "GET https://images.example.com/**"; a rule without a method allows them all. Another component may write whatever it is asked.
fn only_gets(node: &Node) -> bool {
    let Value::String(rule) = &node.value else { return false };
    if rule.contains(".internal") {
        return false;
    }
    let methods = rule.split_once(' ').map_or("", |(methods, _)| methods);
    !methods.is_empty() && methods.split(',').all(|method| matches!(method, "GET" | "HEAD"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_manifest::{CheckOptions, Source, check};
    use std::path::Path;
    use std::sync::Arc;

    fn writes(grants: &str) -> bool {
        let text = format!(
            "name = \"a\"\n[component.c]\nsource = \"c.wasm\"\n[component.c.grants]\n{grants}\n[[route]]\npath = \"/*\"\nto = \"c\"\n"
        );
        let options = CheckOptions {
            env: None,
            variables: &|_| None,
            known_grants: &["config", "files", "http", "keyvalue", "sql"],
            known_store_kinds: &[],
            base_dir: Path::new("/"),
        };
        let (app, diagnostics) = check(Arc::new(Source::new("coracle.toml", text)), &options);
        let app = app.unwrap_or_else(|| panic!("{diagnostics:?}"));
        of(&app.components["c"]).is_some()
    }

    #[test]
    fn what_is_not_known_to_be_harmless_is_not() {
        for harmless in [
            "",
            "config = [\"a\"]",
            "keyvalue = { store = \"s\" }",
            "files = [{ from = \"a\", to = \"/a\" }]",
            "http = \"GET https://a/**\"",
        ] {
            assert!(!writes(harmless), "{harmless}");
        }
        for harmful in [
            "keyvalue = { store = \"s\", write = true }",
            "files = [{ from = \"a\", to = \"/a\" }, { from = \"b\", to = \"/b\", write = true }]",
            "http = \"*\"",
            "http = [\"GET https://a/**\", \"POST https://a/**\"]",
            "http = \"GET,POST https://a/**\"",
            "sql = \"orders\"",
        ] {
            assert!(writes(harmful), "{harmful}");
        }
    }
}
