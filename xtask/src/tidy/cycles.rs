//! I7: no cycle of imports among the top modules of a crate.
//!
//! A top module is a file or folder directly in `src`. It imports another by `crate::other::…`, by `super::…` as far up, or by
//! a name that the crate's root re-exports from there. The root itself may know them all. Tests don't count.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::kosaraju_scc;
use petgraph::graphmap::DiGraphMap;
use proc_macro2::Delimiter;

use super::Complaint;
use super::tokens::{self, Kind, Token};
use super::tree::{File, Tree};

/// From, to -> where.
type Edges<'a> = BTreeMap<(&'a str, &'a str), String>;

pub fn check(tree: &Tree) -> Vec<Complaint> {
    let mut packages: BTreeMap<&str, Vec<(&File, &str)>> = BTreeMap::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with(".rs") && !file.is_test()) {
        if let Some((package, below)) = file.in_crate() {
            packages.entry(package).or_default().push((file, below));
        }
    }
    packages.into_iter().flat_map(|(package, files)| of_package(package, &files)).collect()
}

fn of_package(package: &str, files: &[(&File, &str)]) -> Vec<Complaint> {
    let modules: BTreeSet<&str> = files.iter().filter_map(|(_, below)| module(below)).collect();
    let exports: BTreeMap<String, &str> = files
        .iter()
        .filter(|(_, below)| module(below).is_none())
        .flat_map(|(file, _)| exports(file, &modules))
        .collect();
    let mut edges = Edges::new();
    for (file, below) in files {
        let Some(from) = module(below) else { continue };
        for (name, line) in references(&tokens::product(&file.text), depth(below)) {
            let to = modules.get(name.as_str()).copied().or_else(|| exports.get(&name).copied());
            if let Some(to) = to.filter(|to| *to != from) {
                edges.entry((from, to)).or_insert_with(|| format!("{}:{line}", file.path));
            }
        }
    }
    let graph: DiGraphMap<&str, ()> = edges.keys().copied().collect();
    kosaraju_scc(&graph)
        .into_iter()
        .filter(|cycle| cycle.len() > 1)
        .map(|cycle| complaint(package, cycle, &edges))
        .collect()
}

fn complaint(package: &str, mut cycle: Vec<&str>, edges: &Edges<'_>) -> Complaint {
    cycle.sort_unstable();
    let inside = edges.iter().filter(|((from, to), _)| cycle.contains(from) && cycle.contains(to));
    let imports: Vec<String> = inside.map(|((from, to), place)| format!("{from} -> {to} ({place})")).collect();
    let text = format!(
        "The modules {} import each other: {}. Move what they share into a module below them, or pass it as an argument (I7).",
        cycle.join(", "),
        imports.join(", ")
    );
    Complaint::new(format!("{package}/src"), text)
}

/// The top module of a path below `src`; none for the crate's root.
fn module(below: &str) -> Option<&str> {
    let first = below.split('/').next()?.trim_end_matches(".rs");
    (!["lib", "main", "bin"].contains(&first)).then_some(first)
}

/// How many modules deep the file's own module is: 1 for a top module.
fn depth(below: &str) -> usize {
    let path = below.trim_end_matches(".rs");
    path.trim_end_matches("/mod").split('/').count()
}

/// Names at the crate's root that this code refers to, with their lines.
fn references(tokens: &[Token], depth: usize) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut inline = Vec::new(); // whether each open brace is a module's
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        match &token.kind {
            Kind::Open(Delimiter::Brace) => inline.push(opens_module(tokens, index)),
            Kind::Close(Delimiter::Brace) => drop(inline.pop()),
            Kind::Ident(name) if name == "crate" => found.extend(heads(tokens, index + 1)),
            Kind::Ident(name) if name == "super" => {
                let ups = supers(tokens, index);
                let last = index + (ups - 1) * 3;
                if ups == depth + inline.iter().filter(|module| **module).count() {
                    found.extend(heads(tokens, last + 1));
                }
                index = last;
            }
            _ => {}
        }
        index += 1;
    }
    found
}

/// Whether the brace at `index` opens the body of an inline `mod name { … }`.
fn opens_module(tokens: &[Token], index: usize) -> bool {
    index.checked_sub(2).and_then(|before| tokens.get(before)).is_some_and(|token| token.ident() == Some("mod"))
}

/// How many `super` stand in the chain that starts at `index`.
fn supers(tokens: &[Token], index: usize) -> usize {
    let is_super = |at: usize| tokens.get(at).is_some_and(|token| token.ident() == Some("super"));
    (0..)
        .take_while(|step| {
            is_super(index + step * 3) && (*step == 0 || is_path_separator(tokens, index + step * 3 - 2))
        })
        .count()
}

fn is_path_separator(tokens: &[Token], index: usize) -> bool {
    [index, index + 1].iter().all(|at| tokens.get(*at).is_some_and(|token| token.is(':')))
}

/// The first names after the `::` at `index`: one, or those of a group. Nothing if no `::` is there.
pub fn heads(tokens: &[Token], index: usize) -> Vec<(String, usize)> {
    if !is_path_separator(tokens, index) {
        return Vec::new();
    }
    let name = |token: &Token| token.ident().map(|name| (name.to_owned(), token.line));
    let Some(next) = tokens.get(index + 2) else { return Vec::new() };
    if next.kind != Kind::Open(Delimiter::Brace) {
        return name(next).into_iter().collect();
    }
    let mut found = Vec::new();
    let mut level = 0_usize;
    let mut expected = true; // at the start of a group's entry
    for token in tokens.get(index + 3..).unwrap_or_default() {
        match token.kind {
            Kind::Close(_) if level == 0 => break,
            Kind::Open(_) => level += 1,
            Kind::Close(_) => level -= 1,
            Kind::Punct(',') if level == 0 => expected = true,
            _ if level == 0 && expected => {
                found.extend(name(token));
                expected = false;
            }
            _ => {}
        }
    }
    found
}

/// Names the crate's root takes from a top module by `use`, with that module.
fn exports<'a>(root: &File, modules: &BTreeSet<&'a str>) -> Vec<(String, &'a str)> {
    let Ok(syntax) = syn::parse_file(&root.text) else { return Vec::new() };
    let mut found = Vec::new();
    for item in &syntax.items {
        if let syn::Item::Use(item) = item {
            let mut leaves = Vec::new();
            flatten(&item.tree, &mut Vec::new(), &mut leaves);
            for (path, name) in leaves {
                let first = path.iter().find(|part| *part != "crate" && *part != "self");
                if let Some(module) = first.and_then(|part| modules.get(part.as_str())) {
                    found.push((name, *module));
                }
            }
        }
    }
    found
}

/// Each leaf of a use tree: its path and the name it has here.
fn flatten(tree: &syn::UseTree, path: &mut Vec<String>, out: &mut Vec<(Vec<String>, String)>) {
    match tree {
        syn::UseTree::Path(step) => {
            path.push(step.ident.to_string());
            flatten(&step.tree, path, out);
            path.pop();
        }
        syn::UseTree::Group(group) => group.items.iter().for_each(|item| flatten(item, path, out)),
        syn::UseTree::Name(name) => out.push((path.clone(), name.ident.to_string())),
        syn::UseTree::Rename(rename) => out.push((path.clone(), rename.rename.to_string())),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files)).into_iter().map(|complaint| complaint.text).collect()
    }

    #[test]
    fn a_cycle_is_shown_with_its_imports() {
        let cycle = found(&[
            ("crates/x/src/lib.rs", "mod a; mod b; mod c;"),
            ("crates/x/src/a.rs", "use crate::b::B;"),
            ("crates/x/src/b.rs", "use std::io;\nfn f() { crate::c::g() }"),
            ("crates/x/src/c.rs", "use crate::{d, a::{A, b}};"),
            ("crates/x/src/d.rs", ""),
        ]);
        assert!(
            matches!(cycle.as_slice(), [one] if one.contains("a, b, c") && one.contains("b -> c (crates/x/src/b.rs:2)")),
            "{cycle:?}"
        );
        assert!(!cycle.concat().contains(" d "));
    }

    #[test]
    fn arrows_one_way_pass() {
        let files =
            [("crates/x/src/a.rs", "use crate::b::B; pub(crate) struct A;"), ("crates/x/src/b.rs", "use other::a::A;")];
        assert!(found(&files).is_empty());
    }

    #[test]
    fn names_exported_by_the_root_lead_to_their_module() {
        let cycle = found(&[
            ("crates/x/src/lib.rs", "mod a; mod b; pub use a::{Thing as Other, More};"),
            ("crates/x/src/a.rs", "use crate::b::B;"),
            ("crates/x/src/b.rs", "use crate::Other;"),
        ]);
        assert_eq!(cycle.len(), 1);
    }

    #[test]
    fn super_reaches_the_root_when_it_is_long_enough() {
        let files = |text: &'static str| [("crates/x/src/a/deep.rs", text), ("crates/x/src/b.rs", "use super::a::A;")];
        assert_eq!(found(&files("use super::super::b::B;")).len(), 1);
        assert!(found(&files("use super::b::B;")).is_empty()); // a::b, not b
        assert_eq!(found(&files("mod inline { use super::super::super::b::B; }")).len(), 1);
        assert!(found(&files("#[cfg(test)] mod tests { use crate::b::B; }")).is_empty());
    }
}
