//! A comment for a pull request: the verdict, a table, and the evidence behind a fold.

use super::{gain, share};
use crate::unit::{Action, Inventory, Unit};
use std::fmt::Write as _;

/// More units than a comment should hold.
const MOST: usize = 20;

#[must_use]
pub fn markdown(inventory: &Inventory) -> String {
    let mut out = format!("## Worth moving\n\n{}\n", inventory.verdict);
    let worth = || inventory.units.iter().filter(|unit| unit.advice.action != Action::Leave && unit.stands_alone());
    if worth().next().is_some() {
        out.push_str("\n| | unit | advice | score | CPU % | gain % | confidence |\n|--:|---|---|--:|--:|--:|--:|\n");
        for (at, unit) in worth().take(MOST).enumerate() {
            let _ = writeln!(
                out,
                "| {} | {} {} ({}:{}) | {}, {} | {:.1} | {} | {} | {:.0} % |",
                at + 1,
                unit.kind.name(),
                escape(&unit.name),
                escape(&unit.file),
                unit.line,
                unit.advice.action.name(),
                unit.advice.verdict.name(),
                unit.score.value,
                share(unit),
                gain(unit),
                unit.score.confidence * 100.0
            );
        }
        out.push_str("\n<details><summary>Evidence</summary>\n\n");
        worth().take(MOST).for_each(|unit| evidence(&mut out, unit));
        out.push_str("</details>\n");
    }
    let left = inventory.units.iter().filter(|unit| unit.advice.action == Action::Leave).count();
    let _ = writeln!(
        out,
        "\n{} files read, {} units looked at and left, {} notes. Portability table {}, crate map {}, constants {}.",
        inventory.scope.files,
        left,
        inventory.notes.len(),
        inventory.rests_on.portability,
        inventory.rests_on.crates,
        inventory.rests_on.constants
    );
    out
}

fn evidence(out: &mut String, unit: &Unit) {
    let _ = writeln!(out, "**{}** – {}\n", escape(&unit.name), escape(&unit.advice.summary));
    for reason in &unit.advice.reasons {
        let _ = writeln!(out, "- {}", escape(reason));
    }
    for against in &unit.advice.against {
        let _ = writeln!(out, "- but: {}", escape(against));
    }
    for missing in &unit.score.missing {
        let _ = writeln!(out, "- missing: {}", escape(missing));
    }
    out.push('\n');
}

/// Text as text: nothing in a project's names becomes markup.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '@' | '!' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn names_are_text() {
        assert_eq!(escape("<img> | [x](y)\n"), "&lt;img&gt; \\| \\[x\\](y) ");
    }
}
