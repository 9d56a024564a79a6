//! The page about the simulations, its lines, and which bars were missed.

use std::fmt::Write as _;

use super::cases::{Bar, Case, Wrong};
use super::run::Row;

/// One situation on a line of a terminal.
pub fn line(case: &Case, row: &Row) -> String {
    let Case { title, wrong, errors, .. } = case;
    format!(
        "{title} | {} % | {wrong} | rolled back {} | {} | proven {} | {}",
        errors * 100.0,
        share(row.regressed, row.runs),
        minutes(&row.caught_after),
        share(row.proven, row.runs),
        minutes(&row.proven_after)
    )
}

/// The bars that a situation missed. With few runs one run is more than a bar allows: then none may.
pub fn missed(case: &Case, row: &Row, runs: usize) -> Vec<String> {
    let rate = |count: usize| count as f64 / runs as f64;
    let passed = match case.bar {
        Bar::None => true,
        Bar::FalseAlarms(most) => rate(row.regressed) <= most,
        Bar::Caught(within) => {
            rate(row.regressed) >= 0.99 && quantile(&row.caught_after, 0.5).is_some_and(|half| half <= within)
        }
        Bar::NotEnough(least) => row.regressed == 0 && rate(row.proven) <= 1.0 - least && rate(row.estimated) >= least,
    };
    if passed { Vec::new() } else { vec![line(case, row)] }
}

pub fn page(rows: &[(Case, Row)], runs: usize) -> String {
    let mut page = format!(
        "# Verdicts, simulated\n\n\
         Made by `cargo xtask simulate rollout`: {runs} rollouts of each kind through the code that judges real ones\n\
         (`crates/rollout/src/verdict/`), with its defaults, one look every five seconds. Dice are seeded, so that the same code gives the same page.\n\
         What it rests on stands in [design 011](design/011-rollouts.md).\n\n\
         Latencies: logarithmic normal around 20 ms, 1.5 % of them six times as long. \"Rolled back\" of a version with nothing wrong is a false alarm;\n\
         the bar is 0.2 %. Times are minutes from the moment it went wrong: half of the runs, and nine of ten. \"Proven\" means that \"not worse\" was\n\
         proven within the time; what is neither says \"not enough evidence\", with an estimate of what is missing.\n"
    );
    let mut group = "";
    for (case, row) in rows {
        if case.group != group {
            group = case.group;
            let _ = write!(
                page,
                "\n## {group}\n\n| traffic | old version fails | wrong with the new one | watched | rolled back | after | proven | after |\n|---|---|---|---|---|---|---|---|\n"
            );
        }
        let fails = format!("{} %", case.errors * 100.0);
        let _ = writeln!(
            page,
            "| {} | {fails} | {} | {} min | {}{} | {} | {} | {} |",
            case.title,
            case.wrong,
            case.minutes,
            share(row.regressed, row.runs),
            if case.wrong == Wrong::Nothing { "" } else { " caught" },
            minutes(&row.caught_after),
            share(row.proven, row.runs),
            minutes(&row.proven_after)
        );
    }
    page
}

fn share(count: usize, of: usize) -> String {
    let percent = count as f64 / of.max(1) as f64 * 100.0;
    if percent == 0.0 || percent >= 10.0 { format!("{percent:.0} %") } else { format!("{percent:.2} %") }
}

fn minutes(sorted: &[f64]) -> String {
    match (quantile(sorted, 0.5), quantile(sorted, 0.9)) {
        (Some(half), Some(most)) => format!("{half:.1} / {most:.1} min"),
        _ => "–".to_owned(),
    }
}

fn quantile(sorted: &[f64], at: f64) -> Option<f64> {
    sorted.get(((sorted.len() as f64 - 1.0) * at).round().max(0.0) as usize).copied()
}
