//! `cargo xtask simulate rollout`: thousands of rollouts through the product's own verdict code, and the table of what came
//! out in docs/rollout-simulation.md. Fails when a bar is missed. The dice are seeded: the same code gives the same table.

mod cases;
mod run;
mod table;

use anyhow::{Context as _, Result, ensure};

use crate::workspace::Workspace;

#[derive(clap::Args)]
pub struct Options {
    /// What to simulate
    subject: Subject,
    /// A tenth of the runs, and the table on standard output only
    #[arg(long)]
    quick: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Subject {
    /// Verdicts of rollouts
    Rollout,
}

const RUNS: usize = 2000;
const PAGE: &str = "docs/rollout-simulation.md";

pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let Subject::Rollout = options.subject;
    let runs = if options.quick { RUNS / 10 } else { RUNS };
    let mut rows = Vec::new();
    for case in cases::all() {
        let row = run::many(&case, runs)?;
        println!("{}", table::line(&case, &row));
        rows.push((case, row));
    }
    let missed: Vec<String> = rows.iter().flat_map(|(case, row)| table::missed(case, row, runs)).collect();
    if !options.quick {
        let page = workspace.root.join(PAGE);
        std::fs::write(&page, table::page(&rows, runs)).with_context(|| format!("cannot write {}", page.display()))?;
        println!("written: {PAGE}");
    }
    ensure!(missed.is_empty(), "bars missed:\n{}", missed.join("\n"));
    Ok(())
}
