//! Licences and sources of everything linked, against deny.toml: the part of cargo-deny that needs no network and no tool.

use std::collections::BTreeSet;

use super::Complaint;
use super::graph::Graph;
use super::tree::Tree;

const PAGE: &str = "deny.toml";
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub fn check(tree: &Tree, graph: &Graph) -> Vec<Complaint> {
    let Some(page) = tree.get(PAGE) else {
        return vec![Complaint::new(PAGE, "is missing. It lists the licences that may be linked.")];
    };
    let allowed = match allowed(&page.text) {
        Ok(allowed) => allowed,
        Err(problem) => return vec![Complaint::new(PAGE, problem)],
    };
    let mut complaints = Vec::new();
    for (name, package) in graph.packages.iter().filter(|(name, _)| !graph.members.contains(*name)) {
        if package.source.as_deref().is_some_and(|source| source != REGISTRY) {
            complaints.push(Complaint::new(
                "Cargo.lock",
                format!("{name} comes from another place than crates.io. Depend on a published version."),
            ));
        }
        let license = package.license.as_deref().unwrap_or("none");
        if !satisfied(license, &allowed) {
            let text = format!(
                "{name} is under `{license}`, which deny.toml doesn't allow. Drop it, or add the licence if it may be linked."
            );
            complaints.push(Complaint::new("Cargo.toml", text));
        }
    }
    complaints
}

fn allowed(page: &str) -> Result<BTreeSet<String>, String> {
    let table: toml::Table = toml::from_str(page).map_err(|error| format!("doesn't parse: {error}"))?;
    let list = table.get("licenses").and_then(|licenses| licenses.get("allow")).and_then(toml::Value::as_array);
    let list = list.ok_or("has no list `allow` under [licenses].")?;
    Ok(list.iter().filter_map(toml::Value::as_str).map(str::to_owned).collect())
}

fn satisfied(license: &str, allowed: &BTreeSet<String>) -> bool {
    // Old manifests write MIT/Apache-2.0.
    let expression = spdx::Expression::parse_mode(license, spdx::ParseMode::LAX);
    expression.is_ok_and(|expression| expression.evaluate(|requirement| allowed.contains(&requirement.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_needs_one_allowed_way() {
        let allowed: BTreeSet<String> = ["MIT", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
        for (license, fine) in [
            ("MIT", true),
            ("MIT/Apache-2.0", true),
            ("GPL-3.0-only OR MIT", true),
            ("MIT AND GPL-3.0-only", false),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("Apache-2.0", false),
            ("none", false),
        ] {
            assert_eq!(satisfied(license, &allowed), fine, "{license}");
        }
    }

    #[test]
    fn a_licence_that_is_not_allowed_and_a_strange_source_are_named() {
        let tree = Tree::of(&[("deny.toml", "[licenses]\nallow = [\"MIT\"]\n")]);
        let mut graph = Graph::of(&["coracle"], &[("coracle", &["a"]), ("a", &[])]);
        for package in graph.packages.values_mut() {
            package.license = Some("GPL-3.0-only".to_owned());
            package.source = Some("git+https://example.com/a".to_owned());
        }
        let found: String = check(&tree, &graph).into_iter().map(|complaint| complaint.text).collect();
        assert!(found.contains("a is under `GPL-3.0-only`") && found.contains("a comes from another place"), "{found}");
        assert!(!found.contains("coracle is under"), "{found}");
    }
}
