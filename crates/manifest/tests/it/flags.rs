//! Apps from a command line.

use crate::support::options;
use coracle_manifest::value::{Node, Table, Value};
use coracle_manifest::{App, Destination, Flags};
use std::path::PathBuf;
use std::time::Duration;

fn texts(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

fn full() -> Flags {
    Flags {
        component: PathBuf::from("target/My App.wasm"),
        env: texts(&["LOG=info", "EMPTY=", "LOG=debug", "URL=a=b"]),
        config: texts(&["quality=80"]),
        grants: texts(&[
            "http=GET https://api.example.com/**",
            "http=*",
            "keyvalue={ store = \"cache\", write = true }",
            "keyvalue=[{ store = \"b\" }, { store = \"c\" }]",
        ]),
        dirs: texts(&["./data::/data:ro", "assets", "a::b/../c"]),
        stores: texts(&["cache=keyvalue", "b={ type = \"keyvalue\", backend = \"sqlite\" }"]),
        reuse: Some("requests=128,concurrency=16,idle=5s".to_owned()),
        limits: texts(&["memory=64MiB,concurrency=8", "deadline=2s"]),
        strict: true,
    }
}

fn item(table: &Node, key: &str) -> Value {
    match &table.value {
        Value::Table(table) => table.get(key).map(|node| node.value.clone()).unwrap_or(Value::Table(Table::default())),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_flag_means_what_its_key_means() {
    let (app, diags, source) = App::single(&full(), &options(None));
    let app = app.unwrap_or_else(|| panic!("{}", diags.render(&source, false)));
    assert!(diags.is_empty(), "{}", diags.render(&source, false));
    assert_eq!(app.name, "my-app");
    let component = &app.components["my-app"];
    assert_eq!(component.env["LOG"], "debug");
    assert_eq!(component.env["EMPTY"], "");
    assert_eq!(component.env["URL"], "a=b");
    assert_eq!((component.reuse.requests, component.reuse.concurrency), (128, 16));
    assert_eq!(component.reuse.idle, Duration::from_secs(5));
    assert_eq!((component.limits.memory, component.limits.concurrency), (64 << 20, 8));
    assert_eq!(component.limits.deadline, Duration::from_secs(2));
    assert!(component.strict);
    assert_eq!(app.routes[0].title(), "/*");
    assert_eq!(app.routes[0].to, Destination::Component("my-app".into()));
    assert_eq!(app.config["quality"], "80");
    let grant = |name: &str| component.grants.iter().find(|grant| grant.name == name).unwrap().value.list();
    let http: Vec<_> = grant("http").iter().map(|node| node.value.clone()).collect();
    assert_eq!(http, [Value::String("GET https://api.example.com/**".into()), Value::String("*".into())]);
    assert_eq!(grant("keyvalue").len(), 3);
    assert_eq!(item(&grant("keyvalue")[0], "write"), Value::Boolean(true));
    let dirs: Vec<_> =
        grant("files").iter().map(|dir| (item(dir, "from"), item(dir, "to"), item(dir, "write"))).collect();
    let dir = |from: &str, to: &str, write| {
        (Value::String(from.to_owned()), Value::String(to.to_owned()), Value::Boolean(write))
    };
    assert_eq!(dirs, [dir("./data", "/data", false), dir("assets", "/assets", true), dir("a", "/b/c", true)]);
    assert_eq!(app.stores.keys().collect::<Vec<_>>(), ["b", "cache"]);
}

#[test]
fn spans_point_at_what_was_typed() {
    let (app, _, source) = App::single(&full(), &options(None));
    let app = app.unwrap();
    let at = |span: coracle_manifest::Span| source.text[span.start..span.end].to_owned();
    let component = &app.components["my-app"];
    let grant = |name: &str| component.grants.iter().find(|grant| grant.name == name).unwrap();
    assert_eq!(at(grant("http").value.list()[0].span), "GET https://api.example.com/**");
    assert_eq!(at(grant("http").name_span), "http");
    assert_eq!(at(grant("files").value.list()[0].span), "./data::/data:ro");
    let Value::Table(first) = &grant("keyvalue").value.list()[0].value else { panic!("no table") };
    assert_eq!(at(first.entry("write").unwrap().key_span), "write");
    assert_eq!(at(first.get("store").unwrap().span), "\"cache\"");
}

#[test]
fn mistakes_point_at_the_flag() {
    let flags = Flags {
        component: PathBuf::from("app.wasm"),
        env: texts(&["LOG"]),
        grants: texts(&["htpp=*", "http", "keyvalue={ store = "]),
        dirs: texts(&["::/data"]),
        stores: texts(&["cache=keyvalu"]),
        reuse: Some("requests=2,concurrency=16,idle".to_owned()),
        limits: texts(&["memory=lots,cpu=1s"]),
        ..Flags::default()
    };
    let (app, diags, source) = App::single(&flags, &options(None));
    assert!(app.is_none());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../broken");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!("command-line", diags.render(&source, false)));
}

#[test]
fn any_file_gives_a_good_name() {
    for (file, name) in [("x/Über.Shop-1.wasm", "ber-shop-1"), ("-_.wasm", "app"), ("", "app"), ("a b", "a-b")] {
        let flags = Flags { component: PathBuf::from(file), ..Flags::default() };
        let (app, diags, source) = App::single(&flags, &options(None));
        match app {
            Some(app) => assert_eq!(app.name, name),
            None => assert!(file.is_empty(), "{}", diags.render(&source, false)),
        }
    }
}
