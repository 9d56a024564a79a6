//! `coracle`: parse the command line, run one command, print its error once, exit with the documented code.
//!
//! Nothing of the product is in this package: a command turns options into one call of a library and its outcome into an
//! exit code.

mod args;
mod commands;
mod exit;
mod heap;
mod imports;
mod known;
mod output;
mod process;
mod subject;
mod succession;
mod values;

use crate::args::{Command, Options};
use crate::exit::{Exit, Failure};
use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = coracle_host::compile_child() {
        return code;
    }
    std::panic::set_hook(Box::new(output::bug));
    let options = Options::parse();
    // The hook has said what there is to say.
    let outcome = std::panic::catch_unwind(|| run(&options)).unwrap_or(Ok(Exit::Bug));
    let exit = outcome.unwrap_or_else(|failure| {
        output::failure(&failure);
        failure.exit
    });
    ExitCode::from(exit.code())
}

fn run(options: &Options) -> Result<Exit, Failure> {
    match &options.command {
        Command::Inventory(inventory) => commands::inventory::run(inventory),
        Command::Up(up) => commands::up::run(up),
        Command::Run(job) => commands::run::run(job),
        Command::Package(package) => commands::package::run(package),
        Command::Check(check) => commands::check::run(check),
        Command::Inspect(inspect) => commands::inspect::run(inspect),
        Command::Observe(observe) => commands::observe::run(observe),
        Command::Rollout(rollout) => commands::rollout::run(rollout),
        Command::Schema => commands::schema::run(),
        Command::Doctor(doctor) => commands::doctor::run(doctor),
        Command::Completions(completions) => commands::completions::run(completions),
    }
}
