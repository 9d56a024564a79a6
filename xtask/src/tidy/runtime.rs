//! I1 and I2: where the runtime may be known.
//!
//! I1 looks at the whole chain of dependencies: the pure crates must not get a runtime through a friend either. I2 looks at
//! the identifier `wasmtime` in code and manifests; comments and texts may speak of it.

use super::Complaint;
use super::graph::Graph;
use super::tokens;
use super::tree::Tree;

/// Crates and what they must never be built with.
const PURE: [(&str, &[&str]); 5] = [
    ("manifest", &["wasmtime", "hyper", "tokio"]),
    ("artifact", &["wasmtime", "hyper", "tokio"]),
    ("rollout", &["wasmtime", "hyper", "tokio"]),
    ("inventory", &["wasmtime", "hyper", "tokio"]),
    ("toolchain", &["wasmtime", "hyper", "tokio"]),
];

/// Where the runtime is named. The fuzzer of guests needs its coverage hooks.
const KNOWS: [&str; 3] = ["crates/host/", "crates/plugins/", "crates/devkit/src/fuzz"];

pub fn check(tree: &Tree, graph: &Graph) -> Vec<Complaint> {
    let mut complaints = pure(graph);
    complaints.extend(sources(tree));
    complaints.extend(manifests(tree));
    complaints
}

fn pure(graph: &Graph) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (name, forbidden) in PURE {
        let package = format!("coracle-{name}");
        for runtime in forbidden {
            let is_it = |found: &str| found == *runtime || found.starts_with(&format!("{runtime}-"));
            if let Some(chain) = graph.chain(&package, is_it) {
                let text = format!(
                    "`{name}` is built with {runtime}: {}. It must work without a runtime (I1): drop the dependency or the feature that brings it.",
                    chain.join(" -> ")
                );
                complaints.push(Complaint::new(format!("crates/{name}/Cargo.toml"), text));
            }
        }
    }
    complaints
}

fn sources(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for file in tree.rust("crates/").filter(|file| !KNOWS.iter().any(|place| file.path.starts_with(place))) {
        let named = |token: &&tokens::Token| token.ident().is_some_and(is_runtime);
        if let Some(token) = tokens::all(&file.text).iter().find(named) {
            let text = "names wasmtime, which only crates/host and crates/plugins do (I2). Use what coracle-host offers, or extend it.";
            complaints.push(Complaint::new(format!("{}:{}", file.path, token.line), text));
        }
    }
    complaints
}

fn is_runtime(ident: &str) -> bool {
    ident == "wasmtime" || ident.starts_with("wasmtime_")
}

fn manifests(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let ours = |path: &str| path.starts_with("crates/") && path.ends_with("/Cargo.toml");
    for file in
        tree.files.iter().filter(|file| ours(&file.path) && !KNOWS.iter().any(|place| file.path.starts_with(place)))
    {
        for (index, line) in file.text.lines().enumerate().filter(|(_, line)| line.starts_with("wasmtime")) {
            let text = format!(
                "`{line}`: only crates/host and crates/plugins depend on wasmtime (I2). Use what coracle-host offers, or extend it."
            );
            complaints.push(Complaint::new(format!("{}:{}", file.path, index + 1), text));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_that_comes_through_a_friend_is_shown_with_its_chain() {
        let graph = Graph::of(&["coracle-manifest"], &[("coracle-manifest", &["friend"]), ("friend", &["tokio"])]);
        let found = pure(&graph);
        assert!(
            matches!(found.as_slice(), [one] if one.text.contains("coracle-manifest -> friend -> tokio")),
            "{found:?}"
        );
        assert!(pure(&Graph::of(&[], &[("coracle-host", &["tokio"]), ("coracle-manifest", &["serde"])])).is_empty());
    }

    #[test]
    fn families_of_crates_count() {
        let graph = Graph::of(&[], &[("coracle-toolchain", &["hyper-util"])]);
        assert_eq!(pure(&graph).len(), 1);
    }

    #[test]
    fn the_identifier_counts_and_comments_do_not() {
        let tree = Tree::of(&[
            ("crates/edge/src/a.rs", "// wasmtime\nconst A: &str = \"wasmtime\";"),
            ("crates/edge/src/b.rs", "\nuse wasmtime::Store;"),
            ("crates/edge/tests/it/c.rs", "use wasmtime_wasi::p2;"),
            ("crates/host/src/d.rs", "use wasmtime::Store;"),
            ("crates/edge/Cargo.toml", "[dependencies]\nwasmtime.workspace = true\n"),
            ("crates/plugins/Cargo.toml", "[dependencies]\nwasmtime.workspace = true\n"),
        ]);
        let places: Vec<String> =
            check(&tree, &Graph::default()).into_iter().map(|complaint| complaint.place).collect();
        assert_eq!(places, ["crates/edge/src/b.rs:2", "crates/edge/tests/it/c.rs:1", "crates/edge/Cargo.toml:2"]);
    }
}
