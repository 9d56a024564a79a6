//! Broken and hostile input: there is always a result, with notes that say what is not in it.

use crate::support::{Project, unit};
use coracle_inventory::notes::NoteKind;
use coracle_inventory::{Inventory, facts::Facts, run, syntax};
use proptest::prelude::*;
use std::path::Path;

const APP: &str = "const express = require('express');\nconst broken = require('./broken');\nconst app = express();\napp.get('/', (q, s) => s.send(String(broken)));\n";

fn with(broken: &str) -> Inventory {
    let project = Project::new(&[("package.json", r#"{"main":"app.js"}"#), ("app.js", APP), ("broken.js", broken)]);
    project.package("express", "5.0.0");
    project.inventory()
}

fn noted(inventory: &Inventory, kind: NoteKind, file: &str) -> String {
    let found = inventory.notes.iter().find(|note| note.kind == kind && note.file.ends_with(file));
    found.unwrap_or_else(|| panic!("no {kind:?} of {file} in {:?}", inventory.notes)).text.clone()
}

/// On a thread with the stack that the parser is promised.
fn read(source: String) -> Facts {
    let read = move || syntax::read(Path::new("x.js"), &source);
    std::thread::Builder::new().stack_size(syntax::STACK).spawn(read).unwrap().join().unwrap()
}

#[test]
fn syntax_errors_leave_the_rest() {
    let inventory = with("function (\n");
    noted(&inventory, NoteKind::Syntax, "broken.js");
    let route = unit(&inventory, "GET /");
    assert!(route.reaches.iter().any(|reach| reach.api == "unparsed code"), "{:?}", route.reaches);
}

#[test]
fn circles_of_imports_end() {
    let inventory = with("exports.a = require('./app'); exports.b = require('./broken');");
    unit(&inventory, "GET /");
    let project = Project::new(&[
        ("package.json", r#"{"main":"a.js"}"#),
        ("a.js", "export * from './b.js';\nimport { missing } from './b.js';\nexport const f = () => missing();\n"),
        ("b.js", "export * from './a.js';\n"),
    ]);
    assert_eq!(project.inventory().scope.files, 2);
}

#[test]
fn bytes_that_are_no_text_are_read() {
    let project = Project::new(&[("package.json", "{}"), ("index.js", "")]);
    std::fs::write(project.root().join("index.js"), [0xff, 0xfe, 0, 1, b'(', 0x80]).unwrap();
    assert_eq!(project.inventory().scope.files, 1);
}

#[test]
fn package_json_of_every_kind() {
    for text in [
        "",
        "[]",
        "null",
        "{\"main\":5}",
        "{\"main\":\"../../../../etc/passwd\"}",
        "{\"workspaces\":[\"[\",\"**\"]}",
        "{\"exports\":{\"a\":{\"b\":{\"c\":null}}},\"bin\":{\"x\":3}}",
        "{\"name\":\"\u{0}\",\"scripts\":{\"start\":\"node \\\"\"}}",
    ] {
        let project = Project::new(&[
            ("package.json", text),
            ("index.js", "require('x/y');\n"),
            ("node_modules/x/package.json", text),
        ]);
        let inventory = project.inventory();
        assert!(inventory.scope.entries.iter().all(|entry| !entry.contains("passwd")), "{text}");
    }
    let deep = format!("{}{}", "{\"a\":".repeat(5000), "1");
    let project = Project::new(&[("package.json", &deep), ("index.js", "1")]);
    noted(&project.inventory(), NoteKind::Configuration, "package.json");
}

#[test]
fn a_project_that_is_not_there_gives_notes() {
    let options = coracle_inventory::Options { root: "/nowhere/at/all".into(), ..Default::default() };
    let inventory = run(&options, &|_| {});
    assert!(inventory.units.is_empty());
    noted(&inventory, NoteKind::Configuration, "package.json");
}

#[test]
fn broken_measurements_are_noted() {
    let project = Project::new(&[("package.json", "{}"), ("index.js", "1")]);
    let mut options = project.options();
    options.profiles = vec![
        project.write("cut.cpuprofile", r#"{"nodes":[{"id":1,"callFrame":{"functio"#),
        project.write("other.cpuprofile", "[]"),
    ];
    options.heaps = vec![project.write("x.heapprofile", "{\"head\":3}"), "/nowhere.heapprofile".into()];
    options.coverage = vec![project.root().join("none")];
    options.requests = vec![project.write("r.json", "{}")];
    let inventory = run(&options, &|_| {});
    assert!(noted(&inventory, NoteKind::Measurement, "cut.cpuprofile").contains("cut off"));
    for file in ["other.cpuprofile", "x.heapprofile", "nowhere.heapprofile", "none", "r.json"] {
        noted(&inventory, NoteKind::Measurement, file);
    }
    assert!(!inventory.profiled);
}

#[test]
fn deep_nesting_is_refused_or_survived() {
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("{", "}"),
        ("!", ""),
        ("a=>", "a"),
        ("a?b:", "c"),
        ("new ", "a"),
        ("f(", ")"),
        ("`${", "}`"),
        ("if(a)", ";"),
        ("-", "1"),
        ("{a:", "}"),
        ("a.b", ""),
        ("x=", "1"),
        ("async()=>await ", "1"),
        ("<a>", "</a>"),
        ("function f(){", "}"),
        ("class A extends ", "B{}"),
        ("1+", "1"),
        ("a=>{if(b){}else ", "}"),
        ("(a,", ")"),
    ] {
        for depth in [1_000, 100_000 / open.len()] {
            let source = format!(
                "{}{}",
                open.repeat(depth),
                close.repeat(if close.len() == 1 && close != "1" { depth } else { 1 })
            );
            read(source);
        }
        let bytes = 3 << 20;
        let facts = read(open.repeat(bytes / open.len()));
        assert!(!facts.errors.is_empty() || open == "a.b", "{open}");
    }
}

#[test]
fn a_bundle_of_fifty_megabytes_is_read_or_refused_with_a_note() {
    let line = "function a(b){var c=b.d(function(e){return e.f+1});if(c>2){for(var i=0;i<c;i++){b.g(c,i)}}return c}\n";
    let project = Project::new(&[("package.json", "{}"), ("index.js", "require('./bundle');\n")]);
    project.write("bundle.js", &line.repeat((50 << 20) / line.len()));
    let inventory = project.inventory();
    assert_eq!(inventory.scope.files, 2);
    let project = Project::new(&[("package.json", "{}"), ("index.js", "require('./bundle');\n")]);
    project.write("bundle.js", &line.repeat((65 << 20) / line.len()));
    assert!(noted(&project.inventory(), NoteKind::Unreadable, "bundle.js").contains("MiB"));
}

/// Pieces that make sources which nearly parse.
fn source() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "import x from 'y';",
        "export default ",
        "require(",
        "'a'",
        "`${",
        "}`",
        "(",
        ")",
        "{",
        "}",
        "[",
        "]",
        "=>",
        "async ",
        "await ",
        "function f",
        "class A ",
        "const {a, ...b} = ",
        "x.y",
        "#p",
        "?.",
        "=",
        ";",
        "\n",
        "eval(",
        "new ",
        "@D() ",
        "/x/g",
        "<a>",
        "</a>",
        "module.exports = ",
        "app.get('/', ",
        "enum E {",
        "type T = ",
        ": string",
        "\u{2028}",
        "é",
        "😀",
        "\0",
        "0x",
        "1n",
        "//",
        "/*",
        "*/",
        "export * from 'z';",
        "X.prototype.y = function () {}",
        "for (",
        "of ",
        "with (a) ",
        "typeof ",
        "label: ",
        "yield ",
        "\\u{",
        "import(",
    ]);
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_source_gives_facts(source in source(), extension in prop::sample::select(vec!["js", "ts", "tsx", "mjs", "cjs", ""])) {
        let facts = syntax::read(&Path::new("x").with_extension(extension), &source);
        for node in &facts.nodes {
            prop_assert!(node.start <= node.end && node.end as usize <= source.len());
        }
    }

    #[test]
    fn any_text_gives_facts(source in "\\PC{0,200}") {
        prop_assert!(syntax::read(Path::new("x.ts"), &source).lines >= 1);
    }
}
