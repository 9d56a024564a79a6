//! `cargo xtask accept`: tries the built `coracle` as its users do, with the example shop, the test guests and components
//! that nobody here wrote, under load, reloads and signals. Prints one line a check; fails when one fails.
//!
//! ```text
//!   prepare: coracle, guests, the shop ─▶ a copy of the shop ─▶ parts ─▶ checks ─▶ lines, or JSON
//! ```
//! It works in a copy below the target directory, on free ports, and ends whatever it has started, also on Ctrl-C. It looks at
//! the product from outside only: the command line, HTTP, signals, logs, /proc.

pub mod attacks;
mod drain;
mod fallback;
pub mod groups;
mod http;
mod live;
mod load;
mod reload;
mod report;
mod server;
mod shop;
mod storefront;
mod third_party;
mod wrk;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand, ValueEnum};

use self::report::Report;
use self::shop::Shop;
use crate::tools;
use crate::workspace::Workspace;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Options {
    #[command(subcommand)]
    pub special: Option<Special>,
    /// The parts to try; all by default
    pub parts: Vec<Part>,
    /// A tenth of the load and short reloads
    #[arg(long)]
    pub quick: bool,
    /// Print the checks as JSON on standard output, everything else on standard error
    #[arg(long)]
    pub json: bool,
}

/// What is tried apart from the parts, with options of its own.
#[derive(Subcommand)]
pub enum Special {
    /// Hostile guests and clients, and what a neighbour notices of them
    Attacks(attacks::Options),
    /// Load, reloads and attacks for a long time, and what they leave behind
    Soak(attacks::soak::Options),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Each route of the shop, and the components against Node
    Storefront,
    /// Event streams, socket.io also across a reload, Vite's hot reload
    Live,
    /// The shop without a grant that a component needs
    Fallback,
    /// Components nobody here wrote
    ThirdParty,
    /// 256 connections, and memory meanwhile
    Load,
    /// Reloads under load
    Reload,
    /// SIGTERM under load
    Drain,
}

/// What every part works with.
pub struct Stage {
    /// The program that is tried.
    coracle: PathBuf,
    /// The built test guests: `<set>/<name>.wasm`.
    guests: PathBuf,
    /// Components from elsewhere.
    third_party: PathBuf,
    /// Standard output and error of each server, by name.
    logs: PathBuf,
    shop: Shop,
    quick: bool,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    match &options.special {
        Some(Special::Attacks(options)) => return attacks::run(workspace, options),
        Some(Special::Soak(options)) => return attacks::soak::run(workspace, options),
        None => {}
    }
    groups::end_on_signal()?;
    let stage = prepare(workspace, options)?;
    let mut report = Report::new(options.json);
    let parts = Part::value_variants().iter().copied();
    for part in parts.filter(|part| options.parts.is_empty() || options.parts.contains(part)) {
        report.begin(name(part));
        stage.shop.reset()?;
        let outcome = match part {
            Part::Storefront => storefront::check(&stage, &mut report),
            Part::Live => live::check(&stage, &mut report),
            Part::Fallback => fallback::check(&stage, &mut report),
            Part::ThirdParty => third_party::check(&stage, &mut report),
            Part::Load => load::check(&stage, &mut report),
            Part::Reload => reload::check(&stage, &mut report),
            Part::Drain => drain::check(&stage, &mut report),
        };
        // What a part needs before its checks can begin, or after them.
        if let Err(error) = outcome {
            report.check("the part as a whole", || Err(error));
        }
    }
    report.finish(&stage.logs)
}

fn name(part: Part) -> String {
    part.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Builds what is tried and what it is tried with. In children of ours, whose output goes to standard error.
fn prepare(workspace: &Workspace, options: &Options) -> Result<Stage> {
    tools::system()?;
    let root = &workspace.root;
    let own = std::env::current_exe().context("this program can't be found")?;
    let steps: [(&Path, &[&str]); 3] = [
        (Path::new("cargo"), &["build", "--package", "coracle", "--locked"]),
        (&own, &["guests", "p3", "p2"]),
        (&own, &["storefront", "--build"]),
    ];
    for (program, arguments) in steps {
        let shown = format!("{} {}", program.display(), arguments.join(" "));
        let status = Command::new(program).args(arguments).current_dir(root).stdout(std::io::stderr()).status();
        let status = status.with_context(|| format!("cannot start `{shown}`"))?;
        ensure!(status.success(), "`{shown}` failed ({status})");
    }
    let place = workspace.target.join("accept");
    let logs = place.join("logs");
    fresh(&logs)?;
    Ok(Stage {
        coracle: workspace.target.join("debug/coracle"),
        guests: workspace.target.join("guests"),
        third_party: root.join("crates/artifact/tests/fixtures/third-party"),
        logs,
        shop: Shop::copy(&root.join("examples/storefront"), &place.join("storefront"))?,
        quick: options.quick,
    })
}

/// An empty folder, whatever was there.
fn fresh(folder: &Path) -> Result<()> {
    let made = match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => std::fs::create_dir_all(folder),
    };
    made.with_context(|| format!("cannot make {} anew", folder.display()))
}
