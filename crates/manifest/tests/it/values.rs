//! The readers that plugins parse their grants and stores with.

use crate::support::app_of;
use coracle_manifest::value::Node;
use coracle_manifest::{Diagnostic, Diagnostics, codes};
use std::time::Duration;

/// A grant as a plugin would read it.
#[derive(Debug, PartialEq)]
struct Grant {
    store: String,
    write: bool,
    depth: i64,
    quota: u64,
    keep: Duration,
    only: Vec<String>,
}

fn grant(node: &Node, diags: &mut Diagnostics) -> Option<Grant> {
    let mut reader = node.reader(diags, "a keyvalue grant")?;
    let store = reader.required_string("store", diags, "store = \"cache\"").map(str::to_owned);
    let write = reader.boolean("write", diags).unwrap_or(false);
    let depth = reader.integer("depth", 1..=9, diags).unwrap_or(1);
    let quota = reader.bytes("quota", diags).unwrap_or(0);
    let keep = reader.duration("keep", diags).unwrap_or(Duration::ZERO);
    let only = reader.strings("only", diags).unwrap_or_default();
    reader.finish(diags);
    let grant = Grant { store: store?, write, depth, quota, keep, only };
    if grant.store != "cache" {
        diags.unknown_name(node.span, "store", &grant.store, &["cache"]);
        return None;
    }
    Some(grant)
}

/// Reads `{ … }` as a grant; gives it with the messages and helps, in order.
fn read(table: &str) -> (Option<Grant>, Vec<String>) {
    let text = format!(
        "name = \"a\"\n[component.c]\nsource = \"c.wasm\"\ngrants.keyvalue = {table}\n[[route]]\npath = \"/*\"\nto = \"c\"\n"
    );
    let app = app_of(&text, None);
    let mut diags = Diagnostics::new();
    let grant = grant(&app.components["c"].grants[0].value, &mut diags);
    let line = |item: &Diagnostic| format!("{}; {}", item.message, item.help.as_deref().unwrap_or_default());
    (grant, diags.sorted().into_iter().map(line).collect())
}

#[test]
fn a_good_table_is_read_whole() {
    let (grant, messages) =
        read("{ store = \"cache\", write = true, depth = 2, quota = \"1 KiB\", keep = \"1h\", only = \"a\" }");
    let expected = Grant {
        store: "cache".into(),
        write: true,
        depth: 2,
        quota: 1024,
        keep: Duration::from_secs(3600),
        only: vec!["a".into()],
    };
    assert_eq!((grant, messages), (Some(expected), vec![]));
}

#[test]
fn each_mistake_is_noted_once() {
    let check = |table: &str, expected: &[&str]| {
        let (_, messages) = read(table);
        assert_eq!(messages, expected, "{table}");
    };
    check("{}", &["a keyvalue grant lacks `store`; add: store = \"cache\""]);
    check("{ stroe = \"cache\" }", &["a keyvalue grant has no key `stroe`; did you mean `store`?"]);
    check("{ store = \"cahce\" }", &["there is no store named `cahce`; did you mean `cache`?"]);
    check(
        "{ store = \"cache\", depth = 10 }",
        &["`depth` of a keyvalue grant can't be 10; write a number from 1 to 9"],
    );
    check(
        "{ store = \"cache\", other = 1 }",
        &["a keyvalue grant has no key `other`; it may have `depth`, `keep`, `only`, `quota`, `store`, `write`"],
    );
    check(
        "{ store = \"cache\", only = [\"a\", 1] }",
        &["each item of `only` of a keyvalue grant must be a string, not an integer; write it in quotes: \"1\""],
    );
    check(
        "\"cache\"",
        &[
            "a keyvalue grant must be a table, not a string; write { key = value }, or a [header] with lines of `key = value`",
        ],
    );
}

#[test]
fn thousands_of_problems_stay_an_error() {
    let mut diags = Diagnostics::new();
    for number in 0..5000 {
        diags.push(Diagnostic::warning(codes::UNUSED, format!("warning {number}")));
    }
    assert!(!diags.has_errors() && diags.len() == 1000);
    diags.push(Diagnostic::error(codes::SYNTAX, "an error"));
    assert!(diags.has_errors(), "an error that isn't kept still counts");
}
