//! Keeps what has changed since a revision: reads git's difference, which the caller asked git for.

use crate::unit::{Inventory, Unit};
use std::collections::BTreeMap;

/// Changed lines by file, first and last, both from 1 and included.
pub type Changed = BTreeMap<String, Vec<(u32, u32)>>;

/// The changed lines of a difference with no lines of context (`git diff --unified=0`).
#[must_use]
pub fn changed(difference: &str) -> Changed {
    let mut changed = Changed::new();
    let mut file: Option<String> = None;
    for line in difference.lines() {
        if let Some(name) = line.strip_prefix("+++ ") {
            let name = name.trim_end_matches('\t').trim_matches('"');
            file = name.strip_prefix("b/").map(str::to_owned);
        } else if let (Some(file), Some(hunk)) = (&file, line.strip_prefix("@@ ")) {
            changed.entry(file.clone()).or_default().extend(span(hunk));
        }
    }
    changed
}

/// The new lines of `-12,3 +14,2 @@ …`; lines that were only taken away count as the line before them.
fn span(hunk: &str) -> Option<(u32, u32)> {
    let new = hunk.split_whitespace().find_map(|part| part.strip_prefix('+'))?;
    let (start, count) = new.split_once(',').unwrap_or((new, "1"));
    let (start, count): (u32, u32) = (start.parse().ok()?, count.parse().ok()?);
    Some((start, start.saturating_add(count.saturating_sub(1))))
}

/// Leaves only the units whose own lines, or those of a chain of theirs, have changed.
pub fn keep(inventory: &mut Inventory, changed: &Changed) {
    inventory.units.retain(|unit| touched(unit, changed));
    inventory.verdict = match inventory.units.len() {
        0 => "No unit has changed.".to_owned(),
        count => format!("{count} units have changed."),
    };
}

fn touched(unit: &Unit, changed: &Changed) -> bool {
    let hit = |file: &str, first: u32, last: u32| {
        changed.get(file).into_iter().flatten().any(|(from, to)| *from <= last && first <= *to)
    };
    let by_chain = unit.reaches.iter().flat_map(|reach| &reach.chain).any(|spot| hit(&spot.file, spot.line, spot.line));
    hit(&unit.file, unit.line, unit.end_line) || by_chain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hunks_become_spans_of_new_lines() {
        let text = "--- a/x.js\n+++ b/x.js\n@@ -1,2 +3,4 @@ f\n+a\n@@ -9 +12 @@\n@@ -20,3 +22,0 @@\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n";
        let changed = changed(text);
        assert_eq!(changed.get("x.js"), Some(&vec![(3, 6), (12, 12), (22, 22)]));
        assert_eq!(changed.len(), 1);
    }
}
