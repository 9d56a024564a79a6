//! `coracle completions`: a completion script, written by clap from the same definitions that it parses with.

use crate::args::{Completions, Options};
use crate::exit::{Exit, Failure};
use crate::output;
use clap::CommandFactory as _;

pub fn run(options: &Completions) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Options::command(), "coracle", &mut script);
    output::result(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}
