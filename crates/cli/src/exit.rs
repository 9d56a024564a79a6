//! How a command ends: the exit codes that `coracle --help` documents, and the one error that is printed.
//! The codes are an interface: scripts rely on them.

use std::fmt;

/// The exit code of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Ok = 0,
    /// Something the user has to mend: the manifest, a component, this machine.
    Mend = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// The process can't start: an address is taken, a right is missing.
    Start = 3,
    /// A rollout that was waited for went back.
    RolledBack = 4,
    /// A rollout that was waited for was not promoted: not enough evidence in time, or a person must decide.
    Inconclusive = 5,
    /// A bug in Coracle.
    Bug = 70,
    /// Ended at once by SIGINT.
    Interrupted = 130,
    /// Ended at once by SIGTERM.
    Terminated = 143,
}

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    pub text: Text,
}

/// What is printed about a failure.
#[derive(Debug)]
pub enum Text {
    /// A sentence with its causes; printed behind `error:`.
    Error(anyhow::Error),
    /// A whole report, printed as it is.
    Report(String),
}

impl Failure {
    pub fn mend(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Mend, text: Text::Error(error.into()) }
    }

    pub fn usage(sentence: impl fmt::Display) -> Self {
        Self { exit: Exit::Usage, text: Text::Error(anyhow::anyhow!("{sentence}")) }
    }

    pub fn start(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Start, text: Text::Error(error.into()) }
    }

    /// Something in the app that `report` shows in full.
    pub fn report(report: String) -> Self {
        Self { exit: Exit::Mend, text: Text::Report(report) }
    }
}
