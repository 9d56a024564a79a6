//! I10: the crate table of ARCHITECTURE.md equals `cargo metadata`.
//!
//! The table is the one whose header begins with `crate` and `may depend on`. A crate stands there with or without the
//! `coracle-` of its package; a row of a crate that is still to come says "later".

use std::collections::{BTreeMap, BTreeSet};

use super::Complaint;
use super::graph::Graph;
use super::tree::Tree;

const PAGE: &str = "ARCHITECTURE.md";
/// Any crate's tests may use it.
const TESTKIT: &str = "testkit";

pub fn check(tree: &Tree, graph: &Graph) -> Vec<Complaint> {
    let Some(page) = tree.get(PAGE) else { return Vec::new() }; // presence.rs says so
    let Some(table) = table(&page.text) else {
        let text = "has no crate table. Add one whose header begins with `| crate | may depend on |`.";
        return vec![Complaint::new(PAGE, text)];
    };
    let mut complaints = Vec::new();
    let crates: BTreeSet<&str> = graph.members.iter().map(|name| short(name)).collect();
    for member in &graph.members {
        let name = short(member);
        let Some(row) = table.get(name) else {
            complaints.push(Complaint::new(
                PAGE,
                format!("The crate table has no row for `{name}`: add it, with what it may depend on."),
            ));
            continue;
        };
        let tested = graph.tests_need(member).map(short).filter(|need| *need != TESTKIT && *need != name);
        let used: BTreeSet<&str> =
            graph.needs(member).map(short).chain(tested).filter(|need| crates.contains(need)).collect();
        for edge in used.iter().filter(|need| !row.allowed.contains(**need)) {
            let text = format!(
                "`{name}` depends on `{edge}`, which the crate table doesn't allow. Remove the dependency, or add `{edge}` to the row of `{name}` \
                 and say why in the commit."
            );
            complaints.push(Complaint::new(PAGE, text));
        }
        for edge in row.allowed.iter().filter(|edge| crates.contains(edge.as_str()) && !used.contains(edge.as_str())) {
            let text = format!(
                "The crate table lets `{name}` depend on `{edge}`, but it doesn't. Remove `{edge}` from the row of `{name}`."
            );
            complaints.push(Complaint::new(PAGE, text));
        }
    }
    for (name, _) in table.iter().filter(|(name, row)| !crates.contains(name.as_str()) && !row.later) {
        let text = format!(
            "The crate table has a row for `{name}`, but there is no such crate. Remove the row, or say \"later\" in it."
        );
        complaints.push(Complaint::new(PAGE, text));
    }
    complaints
}

struct Row {
    allowed: BTreeSet<String>,
    later: bool,
}

/// `coracle-host` and `host` are the same crate; `coracle` is the cli.
fn short(name: &str) -> &str {
    if name == "coracle" { "cli" } else { name.strip_prefix("coracle-").unwrap_or(name) }
}

fn table(page: &str) -> Option<BTreeMap<String, Row>> {
    let mut lines = page.lines().map(cells).skip_while(|cells| !is_header(cells));
    lines.next()?;
    let rows = lines.skip(1).take_while(|cells| cells.len() >= 2);
    Some(
        rows.map(|cells| (cells.first().map(|name| short(name).to_owned()).unwrap_or_default(), row(&cells))).collect(),
    )
}

fn is_header(cells: &[String]) -> bool {
    matches!(cells, [first, second, ..] if first == "crate" && second == "may depend on")
}

fn row(cells: &[String]) -> Row {
    let allowed = cells.get(1).map(String::as_str).unwrap_or_default();
    let allowed =
        allowed.split([',', '·']).map(str::trim).filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()));
    // A note may follow the name: "telemetry (Record only)".
    let allowed = allowed.filter_map(|name| name.split_whitespace().next()).map(|name| short(name).to_owned());
    Row { allowed: allowed.collect(), later: cells.iter().any(|cell| cell.contains("later")) }
}

/// The cells of a table's line, without backticks; nothing for other lines.
fn cells(line: &str) -> Vec<String> {
    let Some(inside) = line.trim().strip_prefix('|') else { return Vec::new() };
    let inside = inside.strip_suffix('|').unwrap_or(inside);
    inside.split('|').map(|cell| cell.replace(['`', '*'], "").trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::graph::Package;

    const TABLE: &str = "# A\n\n| crate | may depend on | purpose |\n|---|---|---|\n| `manifest` | — | pure |\n\
                         | `host` | manifest, telemetry (Record only) | runs |\n| `telemetry` | - | |\n| xtask | | |\n| rollout | manifest | later |\n\nEnd.\n";

    fn complaints(host_needs: &[&str], members: &[&str]) -> Vec<String> {
        let tree = Tree::of(&[("ARCHITECTURE.md", TABLE)]);
        let graph = Graph::of(members, &[("coracle-host", host_needs)]);
        check(&tree, &graph).into_iter().map(|complaint| complaint.text).collect()
    }

    const ALL: [&str; 4] = ["coracle-manifest", "coracle-host", "coracle-telemetry", "xtask"];

    #[test]
    fn a_true_table_passes() {
        assert!(complaints(&["coracle-manifest", "coracle-telemetry", "tokio"], &ALL).is_empty());
    }

    #[test]
    fn an_edge_that_is_not_allowed_is_named() {
        let tree = Tree::of(&[("ARCHITECTURE.md", TABLE)]);
        let graph = Graph::of(
            &ALL,
            &[("coracle-host", &["coracle-manifest", "coracle-telemetry"]), ("coracle-manifest", &["coracle-host"])],
        );
        let found = check(&tree, &graph);
        assert!(matches!(found.as_slice(), [one] if one.text.contains("`manifest` depends on `host`")), "{found:?}");
    }

    #[test]
    fn an_edge_that_is_gone_is_named() {
        let found = complaints(&["coracle-manifest"], &ALL);
        assert!(
            matches!(found.as_slice(), [one] if one.contains("Remove `telemetry` from the row of `host`")),
            "{found:?}"
        );
    }

    #[test]
    fn crates_and_rows_must_match() {
        let found = complaints(&["coracle-manifest"], &["coracle-manifest", "coracle-host", "coracle-edge"]).join("\n");
        assert!(found.contains("no row for `edge`"), "{found}");
        assert!(found.contains("a row for `telemetry`, but there is no such crate"), "{found}");
        assert!(!found.contains("rollout"), "{found}");
    }

    #[test]
    fn tests_follow_the_arrows_and_may_use_the_testkit() {
        let mut graph = Graph::of(&ALL, &[("coracle-host", &["coracle-manifest", "coracle-telemetry"])]);
        let needs = ["coracle-testkit", "coracle-host"].map(str::to_owned).into();
        graph.packages.insert("coracle-telemetry".to_owned(), Package { tests_need: needs, ..Package::default() });
        let found = check(&Tree::of(&[("ARCHITECTURE.md", TABLE)]), &graph);
        assert!(matches!(found.as_slice(), [one] if one.text.contains("`telemetry` depends on `host`")), "{found:?}");
    }

    #[test]
    fn a_page_without_a_table_is_told_what_to_add() {
        let found = check(&Tree::of(&[("ARCHITECTURE.md", "# Nothing")]), &Graph::default());
        assert!(matches!(found.as_slice(), [one] if one.text.contains("| crate | may depend on |")));
    }
}
