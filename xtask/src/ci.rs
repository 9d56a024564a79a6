//! `cargo xtask ci`: everything a change must pass, the same on a laptop as in CI.
//!
//! Each step runs even when an earlier one failed, so that one run shows all there is to mend; only without its tools
//! nothing starts. A table of steps and times ends the output.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use coracle_toolchain::seconds;

use crate::bench::gate;
use crate::workspace::Workspace;
use crate::{accept, guests, tidy, tools};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Step {
    /// What the other steps need is there
    Tools,
    /// rustfmt, the guests' and examples' workspaces included
    Fmt,
    /// The invariants
    Tidy,
    /// clippy with warnings as errors
    Clippy,
    /// Build the test guests
    Guests,
    /// All tests, by nextest; then those in documentation
    Test,
    /// Documentation without warnings
    Doc,
    /// cargo-deny, where it is installed
    Deny,
    /// Instructions a request against the baseline, in a quick build
    Gate,
    /// coracle as its users meet it, with a tenth of the load, and as attackers do
    Accept,
}

const ALL: [Step; 10] = [
    Step::Tools,
    Step::Fmt,
    Step::Tidy,
    Step::Clippy,
    Step::Guests,
    Step::Test,
    Step::Doc,
    Step::Deny,
    Step::Gate,
    Step::Accept,
];

/// The parts of `accept` that judge by what happens. Reloads under load are judged by deadlines too, and want a machine of
/// their own: `cargo xtask accept reload`.
const PARTS: [accept::Part; 6] = [
    accept::Part::Storefront,
    accept::Part::Live,
    accept::Part::Fallback,
    accept::Part::ThirdParty,
    accept::Part::Load,
    accept::Part::Drain,
];

/// Runs the steps asked for, in their order; all of them when none is.
pub fn run(workspace: &Workspace, only: &[Step]) -> Result<()> {
    let begin = Instant::now();
    let mut report: Vec<(Step, Duration, bool)> = Vec::new();
    for step in ALL.into_iter().filter(|step| only.is_empty() || only.contains(step)) {
        println!("\n==== {}", name(step));
        let start = Instant::now();
        let result = perform(step, workspace);
        if let Err(error) = &result {
            println!("error: {error:#}");
        }
        let passed = result.is_ok();
        report.push((step, start.elapsed(), passed));
        if step == Step::Tools && !passed {
            break;
        }
    }
    println!("\n==== ci");
    for (step, time, passed) in &report {
        println!("{:8} {:>12}  {}", name(*step), seconds(*time), if *passed { "passed" } else { "FAILED" });
    }
    println!("{:8} {:>12}", "all", seconds(begin.elapsed()));
    let failed: Vec<String> = report.iter().filter(|(_, _, passed)| !passed).map(|(step, ..)| name(*step)).collect();
    ensure!(failed.is_empty(), "failed: {}; run one alone with `cargo xtask ci STEP`", failed.join(", "));
    Ok(())
}

fn name(step: Step) -> String {
    step.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn perform(step: Step, workspace: &Workspace) -> Result<()> {
    let root = &workspace.root;
    match step {
        Step::Tools => tools::ensure(),
        Step::Fmt => fmt(root),
        Step::Tidy => tidy::run(workspace),
        Step::Clippy => {
            cargo(root, &["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "-D", "warnings"])
        }
        Step::Guests => guests::run(workspace, &[]),
        Step::Test => {
            // nextest, which can't run them, has the last word with its summary.
            cargo(root, &["test", "--doc", "--workspace", "--locked", "--quiet"])?;
            cargo(root, &["nextest", "run", "--workspace", "--locked", "--cargo-quiet"])
        }
        Step::Doc => {
            let mut doc = Command::new("cargo");
            doc.args(["doc", "--workspace", "--no-deps", "--locked", "--quiet"]).env("RUSTDOCFLAGS", "-D warnings");
            finish(doc.current_dir(root))
        }
        Step::Gate => {
            gate::run(workspace, &gate::Options { bless: false, quick: true, if_comparable: true, keep: None })
        }
        Step::Accept => {
            let parts = accept::Options { special: None, parts: PARTS.to_vec(), quick: true, json: false };
            let parts = accept::run(workspace, &parts);
            // Judged by what happens alone; the neighbour's latency is for a machine of its own: `cargo xtask accept attacks`.
            accept::attacks::run(workspace, &accept::attacks::Options::quick()).and(parts)
        }
        Step::Deny if tools::has("cargo-deny") => {
            cargo(root, &["deny", "--locked", "check", "licenses", "bans", "sources"])
        }
        Step::Deny => {
            println!(
                "cargo-deny is not installed: bans were not checked. Licences and sources were, by tidy. \
                 `cargo install cargo-deny --locked` adds the rest."
            );
            Ok(())
        }
    }
}

/// Every cargo workspace of the checkout: ours, the guests', and those of examples.
fn fmt(root: &Path) -> Result<()> {
    let mut failed = Vec::new();
    for manifest in workspaces(root)? {
        let mut fmt = Command::new("cargo");
        fmt.args(["fmt", "--all", "--check", "--manifest-path"]).arg(&manifest).current_dir(root);
        if finish(&mut fmt).is_err() {
            failed.push(format!("cargo fmt --all --manifest-path {manifest}"));
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("not formatted; run `{}`", failed.join("` and `")) }
}

fn workspaces(root: &Path) -> Result<Vec<String>> {
    let files = Command::new("git")
        .args([
            "ls-files",
            "--",
            "Cargo.toml",
            "guests/Cargo.toml",
            "examples/*/Cargo.toml",
            "examples/*/**/Cargo.toml",
        ])
        .current_dir(root)
        .output()
        .context("cannot run git")?;
    let names = String::from_utf8_lossy(&files.stdout).into_owned();
    Ok(names.lines().map(str::to_owned).collect())
}

fn cargo(root: &Path, args: &[&str]) -> Result<()> {
    finish(Command::new("cargo").args(args).current_dir(root))
}

/// Runs a command with our output; its failure names it.
fn finish(command: &mut Command) -> Result<()> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let shown = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let status = command.status().with_context(|| format!("cannot start `{shown}`"))?;
    ensure!(status.success(), "`{shown}` failed ({status})");
    Ok(())
}
