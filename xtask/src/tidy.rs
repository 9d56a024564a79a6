//! `cargo xtask tidy`: the invariants of ARCHITECTURE.md that a program can check, one file a rule.
//!
//! ```text
//! git ls-files, cargo metadata -> Tree, Graph -> rules (pure functions) -> complaints, all at once
//! ```
//!
//! Each complaint says where, what is wrong and what to do. Rules see plain data, so that each is shown to fail by a test
//! with a tree of a few lines. Nothing here changes a file.

mod cycles;
mod edges;
mod error_responses;
mod graph;
mod guests;
mod licenses;
mod lists;
mod paths;
mod presence;
mod runtime;
mod sizes;
mod tokens;
mod tree;

use anyhow::{Result, bail};

use crate::workspace::Workspace;
use graph::Graph;
use tree::Tree;

/// Something to mend.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Complaint {
    /// A path, with `:line` where there is one.
    place: String,
    /// A sentence or two: what is wrong and what to do.
    text: String,
}

impl Complaint {
    fn new(place: impl Into<String>, text: impl Into<String>) -> Self {
        Self { place: place.into(), text: text.into() }
    }
}

pub fn run(workspace: &Workspace) -> Result<()> {
    let tree = Tree::of_checkout(&workspace.root)?;
    let graph = Graph::read(&workspace.root)?;
    let mut complaints = check(&tree, &graph);
    complaints.extend(guests::check(&tree, &guests::names(&workspace.root)?));
    complaints.sort();
    complaints.dedup();
    if complaints.is_empty() {
        println!("tidy: {} files and {} packages are as they should be", tree.files.len(), graph.members.len());
        return Ok(());
    }
    for complaint in &complaints {
        println!("{}\n    {}", complaint.place, complaint.text);
    }
    bail!("tidy has {} complaints", complaints.len())
}

/// Every rule that needs nothing but the sources and the dependency graph.
fn check(tree: &Tree, graph: &Graph) -> Vec<Complaint> {
    [
        edges::check(tree, graph),
        runtime::check(tree, graph),
        error_responses::check(tree),
        lists::check(tree),
        cycles::check(tree),
        sizes::check(tree),
        presence::check(tree),
        paths::check(tree),
        licenses::check(tree, graph),
    ]
    .concat()
}
