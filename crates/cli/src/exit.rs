//! How a command ends: the exit codes that `coracle --help` documents, and the one error that is printed.
//! The codes are an interface: scripts rely on them.

use std::fmt;

/// The exit code of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Ok,
    /// Something the user has to mend: the manifest, a component, this machine.
    Mend,
    /// The command line makes no sense.
    Usage,
    /// The process can't start: an address is taken, a right is missing.
    Start,
    /// A rollout that was waited for went back.
    RolledBack,
    /// A rollout that was waited for was not promoted: not enough evidence in time, or a person must decide.
    Inconclusive,
    /// A bug in Coracle.
    Bug,
    /// Ended at once by SIGINT.
    Interrupted,
    /// Ended at once by SIGTERM.
    Terminated,
    /// A command was not done within a limit of time.
    TimedOut,
    /// A command trapped.
    Trapped,
    /// What a command asked for.
    Of(u8),
}

impl Exit {
    /// As the system gets it.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Mend => 1,
            Self::Usage => 2,
            Self::Start => 3,
            Self::RolledBack => 4,
            Self::Inconclusive => 5,
            Self::Bug => 70,
            // As `timeout` of coreutils ends.
            Self::TimedOut => 124,
            Self::Interrupted => 130,
            // As a process that has aborted.
            Self::Trapped => 134,
            Self::Terminated => 143,
            Self::Of(code) => code,
        }
    }
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
