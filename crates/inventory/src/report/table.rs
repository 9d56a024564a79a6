//! The result as a table for a terminal. Plain text; the command adds colours to nothing in it.

use crate::portability::Status;
use crate::unit::{Action, Inventory, Unit};
use std::fmt::Write as _;

/// The verdict, the best units with their reasons, and what is missing. `most` units are shown.
#[must_use]
pub fn table(inventory: &Inventory, most: usize) -> String {
    let mut out = String::new();
    let scope = &inventory.scope;
    let _ = writeln!(
        out,
        "{} files, {} lines, of which {} files and {} lines are the project's own; {} packages; entry points: {}",
        scope.files,
        scope.lines,
        scope.own_files,
        scope.own_lines,
        scope.packages,
        if scope.entries.is_empty() { "none".to_owned() } else { scope.entries.join(", ") }
    );
    let _ = writeln!(out, "\n{}\n", inventory.verdict);
    let (worth, rest): (Vec<_>, Vec<_>) =
        inventory.units.iter().filter(|unit| unit.stands_alone()).partition(|unit| unit.advice.action != Action::Leave);
    if !worth.is_empty() {
        let _ = writeln!(
            out,
            "{:>3} {:>5} {:<8} {:<9} {:>6} {:>13}  UNIT",
            "#", "SCORE", "ADVICE", "VERDICT", "CPU %", "GAIN %"
        );
        for (at, unit) in worth.iter().take(most).enumerate() {
            row(&mut out, at + 1, unit);
        }
    }
    if !rest.is_empty() {
        let _ = writeln!(out, "\nLooked at and left ({}):", rest.len());
        for unit in rest.iter().take(most) {
            let _ = writeln!(out, "    {} ({}:{}): {}", unit.name, unit.file, unit.line, unit.advice.summary);
        }
    }
    if !inventory.notes.is_empty() {
        let _ = writeln!(out, "\nNot in this result ({} notes):", inventory.notes.len());
        for note in inventory.notes.iter().take(most) {
            let line = if note.line > 0 { format!(":{}", note.line) } else { String::new() };
            let _ = writeln!(out, "    {}{line}: {}", note.file, note.text);
        }
    }
    crate::report::plain(&out)
}

fn row(out: &mut String, at: usize, unit: &Unit) {
    let (share, gain) = (super::share(unit), super::gain(unit));
    let _ = writeln!(
        out,
        "{at:>3} {:>5.1} {:<8} {:<9} {share:>6} {gain:>13}  {} {} ({}:{})",
        unit.score.value,
        unit.advice.action.name(),
        unit.advice.verdict.name(),
        unit.kind.name(),
        unit.name,
        unit.file,
        unit.line
    );
    let _ = writeln!(out, "      {}", unit.advice.summary);
    for reason in unit.advice.reasons.iter().take(4) {
        let _ = writeln!(out, "      + {reason}");
    }
    for against in unit.advice.against.iter().take(3) {
        let _ = writeln!(out, "      − {against}");
    }
    for reach in unit.reaches.iter().filter(|reach| reach.status >= Status::Unknown).take(2) {
        let chain: Vec<_> = reach.chain.iter().map(|spot| format!("{}:{}", spot.file, spot.line)).collect();
        let _ = writeln!(out, "      · {} {}: {}", reach.status.name(), reach.api, shorten(&chain));
    }
}

/// A chain with its middle left out when it is long.
fn shorten(chain: &[String]) -> String {
    match chain {
        [first, second, .., last] if chain.len() > 4 => format!("{first} → {second} → … → {last}"),
        short => short.join(" → "),
    }
}
