//! What is found in single sources: imports through variables, hazards, exports, state.
//! Called by nobody; whole projects are in tests/it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::facts::{Imported, NodeKind, Target, Used};

fn facts(source: &str) -> Facts {
    read(Path::new("x.tsx"), source)
}

fn used(source: &str, node: &str) -> Vec<String> {
    let facts = facts(source);
    let node = facts.nodes.iter().find(|found| found.name == node).unwrap_or_else(|| panic!("no {node}: {facts:#?}"));
    let shown = |what: &Used| match what {
        Used::Import(Imported { import, name, member, called }) => {
            format!("{} {name}|{member}{}", facts.imports[*import as usize].specifier, if *called { "()" } else { "" })
        }
        Used::Node(node) => format!("→ {}", facts.nodes[*node as usize].name),
        Used::Global(name) => name.clone(),
        Used::Hazard(hazard) => format!("{hazard:?}"),
    };
    node.uses.iter().map(|used| shown(&used.what)).collect()
}

#[test]
fn imports_are_followed_through_variables() {
    assert_eq!(
        used("import { Marked } from 'm'; const m = new Marked(); export const f = (x) => m.parse(x);", "f"),
        ["→ m", "m Marked|#parse()",]
    );
    assert_eq!(used("const { a: { b } } = require('x'); const f = () => b();", "f"), ["x a|()"]);
    assert_eq!(used("const f = () => require('fs').promises.readFile('x');", "f"), ["fs *|promises.readFile()"]);
    assert_eq!(
        used("const x = require('x'); const v = x.compile(1).validate; const f = (d) => v(d);", "f"),
        ["→ v", "x *|compile#()"]
    );
}

#[test]
fn globals_hazards_and_guards() {
    assert_eq!(used("const f = (x) => { typeof window; process.env.A; eval(x); };", "f"), ["process.env", "Eval"]);
    assert_eq!(used("function f(require) { require('not-node'); }", "f"), Vec::<String>::new());
}

#[test]
fn types_are_not_uses() {
    assert_eq!(
        facts("import { T } from 'only'; import type { U } from 'types'; export const f = (x: T): U => x as U;")
            .imports,
        []
    );
}

#[test]
fn exports_lead_to_nodes() {
    let facts = facts(
        "const r = make(); export { r as router }; export default function () {} export * from './x'; export const a = 1;",
    );
    let names: Vec<_> = facts.exports.iter().map(|export| export.name.as_str()).collect();
    assert_eq!(names, ["router", "default", "*", "a"]);
    let Target::Node(node) = facts.exports[0].target else { panic!("{:?}", facts.exports) };
    assert_eq!((facts.nodes[node as usize].name.as_str(), facts.nodes[node as usize].kind), ("r", NodeKind::Value));
}

#[test]
fn state_of_the_surroundings_is_told_from_locals() {
    let facts =
        facts("const seen = new Map(); function f(x) { let t = 0; [1].forEach((y) => { t += y; }); seen.set(x, t); }");
    let f = facts.nodes.iter().find(|node| node.name == "f").unwrap();
    let outer: Vec<_> = f.outer.iter().map(|outer| (outer.name.as_str(), outer.written)).collect();
    assert_eq!(outer, [("seen", true)]);
}

#[test]
fn lines_count_from_one() {
    let lines = Lines::of("a\nb\n");
    assert_eq!((lines.line(0), lines.line(2), lines.line(99)), (1, 2, 3));
    assert_eq!((lines.start(1), lines.start(2), lines.start(0), lines.start(9)), (Some(0), Some(2), None, None));
}

#[test]
fn a_panic_of_the_parser_is_one_files_failure_and_known_as_such_to_a_hook() {
    static SURVIVED: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if super::panic_is_survived() {
            SURVIVED.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        } else {
            before(panic);
        }
    }));
    let outcome: Option<u32> = super::survived(|| panic!("as a parser might"));
    assert_eq!((outcome, super::panic_is_survived()), (None, false));
    assert_eq!(SURVIVED.load(std::sync::atomic::Ordering::SeqCst), 1);
    assert_eq!(super::survived(|| 7), Some(7));
}
