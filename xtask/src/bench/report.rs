//! `cargo xtask bench report`: docs/performance.md from bench/results/peers.json. The words about method stand here; every
//! number comes from the file, and so does the list of what Coracle loses.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum as _;

use super::cases::Case;
use super::results::{Range, Results, Row, Section};
use super::tables;
use crate::workspace::Workspace;

const INTRODUCTION: &str = "\
# Performance

Coracle beside bare hyper, Node, `wasmtime serve` and `wash dev`, each with the same guests and the same requests. This page is written by
`cargo xtask bench report` from `bench/results/peers.json`, which `cargo xtask bench peers` measures; nothing here is typed by hand. What is
lost stands in the tables like what is won, and once more in a list of its own.

## How it is measured

- Load and servers share one machine and its loopback, so a rate says how much a core does for both together. **CPU µs a request** is the
  server's own user and system time with that of its children, from /proc; it is the figure to compare. PSS is read at the end of the load.
- Rounds are interleaved: in each round every contender is started anew, asked once by curl whether status and body are right, warmed up
  for a second, measured, and ended. Tables show the median of the rounds and, in brackets, the least and the most. Ratios (÷) are taken
  within each round, then their median; numbers of different sections are not comparable.
- Noise: a measurement begins when the machine has been idle for 200 ms, or after a limit of patience. While it runs, the time that neither
  server nor load took is added up (`others %` in the JSON, steal included); above 5 % the measurement is repeated, at most twice, and the
  least disturbed one counts, whatever its result. Under each table stands how disturbed the counted ones were: servers with threads that
  wait for each other get *better* CPU figures when others take their cores away.
- *fresh* is a new instance for each request. *reused* is 128 requests an instance, of which 16 at once with WASI 0.3: what `wasmtime
  serve` does by default, and Coracle when asked to. `wash dev` runs as it comes, a new instance for each request. Coracle runs with
  its limits as they are by default, without its access log, which no peer writes. The environment is empty but for PATH and HOME:
  RUST_BACKTRACE alone makes some peers thirty times slower. Node is one process, as `node server.js` starts it.
";

pub fn run(workspace: &Workspace) -> Result<()> {
    let results = Results::read(&workspace.root.join("bench/results/peers.json"))?;
    ensure!(!results.sections.is_empty(), "bench/results/peers.json has no results: run `cargo xtask bench peers`");
    let file = workspace.root.join("docs/performance.md");
    fs::write(&file, page(&results)).with_context(|| format!("cannot write {}", file.display()))?;
    println!("written: docs/performance.md");
    Ok(())
}

fn page(results: &Results) -> String {
    let mut page = INTRODUCTION.to_owned();
    let sections = || {
        let known = Case::value_variants().iter();
        known.filter_map(|case| Some((*case, results.sections.get(&case.name())?)))
    };
    let losses: Vec<String> = sections().flat_map(|(case, section)| losses(case, section)).collect();
    page += "\n## What Coracle loses\n\nEach median below a peer's under the same load, by more than 3 %.\n\n";
    page += &if losses.is_empty() { "Nothing.\n".to_owned() } else { losses.concat() };
    for (case, section) in sections() {
        let about = case.to_possible_value().and_then(|value| value.get_help().map(ToString::to_string));
        let _ = write!(page, "\n## {}\n\n{}.\n\n", case.name(), about.unwrap_or_default());
        page += &tables::of(section);
        page += &origin(section);
    }
    page
}

/// A line for each row of Coracle that is behind `wasmtime serve` or Node.
fn losses(case: Case, section: &Section) -> Vec<String> {
    const BEHIND: f64 = 0.03;
    let mut lines = Vec::new();
    for row in section.rows.iter().filter(|row| row.peer == "Coracle") {
        let mut behind = Vec::new();
        for peer in ["wasmtime serve", "Node"] {
            let ratio = |figure| tables::ratio(section, row, peer, figure);
            if let Some(rate) = ratio("requests/s").filter(|rate| *rate < 1.0 - BEHIND) {
                behind.push(format!("{rate:.2} of the rate of {peer}"));
            }
            for (figure, what) in [("CPU µs", "CPU"), ("p99 ms", "p99"), ("process ms", "time to start")] {
                if let Some(more) = ratio(figure).filter(|more| *more > 1.0 + BEHIND) {
                    behind.push(format!("{more:.2} × the {what} of {peer}"));
                }
            }
        }
        let failed = row.range("failed").map_or(0.0, |range| range.most);
        if failed > 0.0 {
            behind.push(format!("up to {failed:.0} failed requests in a round"));
        }
        if !behind.is_empty() {
            let load = if row.load.is_empty() { String::new() } else { format!(", {}", row.load) };
            lines.push(format!("- {}: {}{load}: {}\n", case.name(), row.variant, behind.join(", ")));
        }
    }
    lines
}

fn origin(section: &Section) -> String {
    let origin = &section.origin;
    let rounds = section.rows.iter().flat_map(|row| row.figures.values()).map(Vec::len).max().unwrap_or_default();
    let others: Vec<f64> = section.rows.iter().flat_map(|row: &Row| row.values("others %").to_vec()).collect();
    let disturbed = Range::of(&others).map_or(String::new(), |range| {
        format!(
            " Others took {:.1} % of the machine in the median measurement, {:.0} % in the worst.",
            range.median, range.most
        )
    });
    let versions: Vec<String> = origin.versions.iter().map(|(name, version)| format!("{name}: {version}")).collect();
    format!(
        "\n`{}` on {}, sources at {}; up to {rounds} values a figure.{disturbed} {}. {}.\n",
        origin.command,
        origin.date,
        origin.revision,
        origin.machine,
        versions.join("; ")
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::bench::results::Origin;
    use std::collections::BTreeMap;

    fn row(peer: &str, rate: f64, cpu: f64) -> Row {
        let figures = BTreeMap::from([("requests/s".to_owned(), vec![rate]), ("CPU µs".to_owned(), vec![cpu])]);
        Row { peer: peer.to_owned(), variant: "p3, fresh".to_owned(), load: "32 connections".to_owned(), figures }
    }

    #[test]
    fn losses_are_named_as_they_are() {
        let (command, date, revision, machine) =
            ("cargo xtask bench peers".to_owned(), "today".to_owned(), "abc".to_owned(), "2 cores".to_owned());
        let origin = Origin { command, date, revision, machine, versions: BTreeMap::new() };
        let rows = vec![row("wasmtime serve", 100.0, 10.0), row("Coracle", 80.0, 9.0)];
        let results = Results { sections: BTreeMap::from([("hello".to_owned(), Section { origin, rows })]) };
        let page = page(&results);
        assert!(page.contains("- hello: p3, fresh, 32 connections: 0.80 of the rate of wasmtime serve\n"), "{page}");
        assert!(page.contains("| Coracle, p3, fresh "), "{page}");
        assert!(page.contains("`cargo xtask bench peers` on today, sources at abc"), "{page}");
    }
}
