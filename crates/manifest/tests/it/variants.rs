//! Variants, variables, and what is said about them.

use crate::support::{app_of, messages};
use coracle_manifest::value::{Table, Value};

const BASE: &str = r#"
name = "shop"
[component.thumbs]
source = "thumbs.wasm"
env = { LOG = "info", MODE = "dev" }
[component.thumbs.grants]
http = ["GET https://a.example/**", "GET https://b.example/**"]
[[route]]
path = "/*"
to = "thumbs"
[store.cache]
type = "keyvalue"
backend = "sqlite"
[env.prod.component.thumbs]
env.MODE = "prod"
grants.http = ["GET https://c.example/**"]
[env.prod.store.cache]
backend = "redis"
url = "{{ REDIS_URL }}"
[[env.static.route]]
path = "/only"
static = "dist"
[[env.static.route]]
path = "/thumbs/*"
to = "thumbs"
"#;

fn store(app: &coracle_manifest::App) -> &Table {
    match &app.stores["cache"].value.value {
        Value::Table(table) => table,
        other => panic!("{other:?}"),
    }
}

#[test]
fn tables_merge_and_everything_else_is_replaced() {
    let base = app_of(BASE, None);
    assert_eq!(base.components["thumbs"].env["MODE"], "dev");
    assert_eq!(store(&base).get("url"), None);

    let prod = app_of(BASE, Some("prod"));
    let thumbs = &prod.components["thumbs"];
    assert_eq!((thumbs.env["LOG"].as_str(), thumbs.env["MODE"].as_str()), ("info", "prod"));
    assert_eq!(thumbs.grants[0].value.list().len(), 1, "a list is replaced, not joined");
    assert_eq!(store(&prod).get("url").unwrap().value, Value::String("redis://cache:6379".into()));
    assert_eq!(store(&prod).get("type").unwrap().value, Value::String("keyvalue".into()));

    let changed = app_of(BASE, Some("static"));
    let titles: Vec<_> = changed.routes.iter().map(|route| route.title()).collect();
    assert_eq!(titles, ["/only", "/thumbs/*"]);
}

#[test]
fn spans_survive_the_merge() {
    let prod = app_of(BASE, Some("prod"));
    let at = |span: coracle_manifest::Span| &BASE[span.start..span.end];
    let grant = &prod.components["thumbs"].grants[0];
    assert_eq!(at(grant.value.list()[0].span), "\"GET https://c.example/**\"");
    assert_eq!(at(grant.name_span), "http");
    assert_eq!(at(store(&prod).get("url").unwrap().span), "\"{{ REDIS_URL }}\"");
    assert_eq!(at(prod.stores["cache"].kind_span), "\"keyvalue\"");
}

#[test]
fn variables() {
    let value = |typed: &str| {
        let text = format!("name = \"a\"\n[config]\nx = {typed}\n");
        app_of(&text, None).config["x"].clone()
    };
    for (typed, meant) in [
        ("\"{{ REDIS_URL }}\"", "redis://cache:6379"),
        ("\"{{REDIS_URL}}\"", "redis://cache:6379"),
        ("\"<{{ REDIS_URL }}|{{ UNSET | none }}>\"", "<redis://cache:6379|none>"),
        ("\"{{ UNSET | }}\"", ""),
        ("\"{{ UNSET | http://a:1/?b|c }}\"", "http://a:1/?b|c"),
        ("\"{{ REDIS_URL | other }}\"", "redis://cache:6379"),
        ("\"{{ BRACES }}\"", "{{ REDIS_URL }}"),
        ("\"{{{{ REDIS_URL }}\"", "{{ REDIS_URL }}"),
        ("\"{{{{{{ REDIS_URL }}\"", "{{redis://cache:6379"),
        ("\"}} alone\"", "}} alone"),
        ("'''{{\nREDIS_URL\n}}'''", "redis://cache:6379"),
        ("\"\"", ""),
    ] {
        assert_eq!(value(typed), meant, "{typed}");
    }
}

#[test]
fn a_variable_is_only_needed_where_it_is_used() {
    let text = "name = \"a\"\n[env.prod.config]\nx = \"{{ UNSET }}\"\n";
    assert_eq!(messages(text), Vec::<String>::new());
    let text = "name = \"a\"\n[config]\nx = \"{{ UNSET }}\"\ny = \"{{ UNSET }}\"\n";
    assert_eq!(messages(text).len(), 2, "each place is shown");
}
