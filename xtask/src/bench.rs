//! `cargo xtask bench`: Coracle beside its peers, and the gate on instructions a request.
//!
//! ```text
//! peers:  build, install ─▶ rounds of (start, check, load, read /proc, end) ─▶ bench/results/peers.json, a table
//! report: bench/results/peers.json ─▶ docs/performance.md
//! gate:   callgrind, a release build ─▶ compared with bench/instructions.json
//! ```
//! Numbers come out as they were measured, losses as well; nothing here passes or fails by a threshold but the gate.

mod cases;
mod contender;
mod density;
pub mod gate;
mod install;
mod load;
mod node;
mod origin;
mod peers;
mod proc;
mod quiet;
mod report;
mod results;
mod server;
mod start;
mod syscalls;
mod tables;
mod work;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::workspace::Workspace;

#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure Coracle, wasmtime serve, Node and bare hyper by turns with the same requests
    Peers(peers::Options),
    /// Count instructions a request and hold them against bench/instructions.json
    Gate(gate::Options),
    /// Write docs/performance.md from bench/results/peers.json
    Report,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    match &options.command {
        Command::Peers(options) => peers::run(workspace, options),
        Command::Gate(options) => gate::run(workspace, options),
        Command::Report => report::run(workspace),
    }
}
