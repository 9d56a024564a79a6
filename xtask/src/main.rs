//! `cargo xtask`: the repository's own commands, one file each.
//!
//! Here the command line is parsed, the command run, its error printed once. Nothing of the product is in this package.

mod accept;
mod bench;
mod ci;
mod fuzz;
mod guests;
mod place;
mod simulate;
mod storefront;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Commands for working on Coracle")]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Try coracle as its users do: the shop, load, reloads, signals
    Accept(accept::Options),
    /// Measure Coracle beside its peers, and count instructions a request
    Bench(bench::Options),
    /// Look for inputs that break something (fuzz/), by coverage
    Fuzz(fuzz::Options),
    /// Build the test guests (sets p3, p2, named, js, py; all by default) into guests/SET/ of the target directory
    Guests { sets: Vec<guests::Set> },
    /// Run thousands of rollouts through the verdicts, and write what came out into docs/
    Simulate(simulate::Options),
    /// Build examples/storefront and serve it; what follows `--` goes to `coracle up`
    Storefront {
        /// Build only
        #[arg(long)]
        build: bool,
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Check the invariants of ARCHITECTURE.md that a program can check
    Tidy,
    /// Run all checks, or those named
    Ci { steps: Vec<ci::Step> },
}

fn main() -> ExitCode {
    if let Some(code) = fuzz::wrap() {
        return code;
    }
    let options = Options::parse();
    let result = Workspace::find().and_then(|workspace| match options.command {
        Command::Accept(options) => accept::run(&workspace, &options),
        Command::Bench(options) => bench::run(&workspace, &options),
        Command::Fuzz(options) => fuzz::run(&workspace, &options),
        Command::Guests { sets } => guests::run(&workspace, &sets),
        Command::Simulate(options) => simulate::run(&workspace, &options),
        Command::Ci { steps } => ci::run(&workspace, &steps),
        Command::Storefront { build, arguments } => storefront::run(&workspace, build, &arguments),
        Command::Tidy => tidy::run(&workspace),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
