//! Why a toolchain could not be had or a guest could not be built.
//!
//! Users read these as they are, so each says what was tried and which command helps. Raised everywhere in this crate,
//! printed by `xtask` and by `coracle doctor`.

use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no place for the cache: set CORACLE_CACHE to a directory, or HOME")]
    NoCache,

    #[error("{what} is missing: {fix}")]
    Missing { what: String, fix: String },

    #[error("`{command}` failed ({status})\n{output}")]
    Failed { command: String, status: String, output: String },

    #[error("`{command}` gave no result within {seconds} s and was stopped\n{output}")]
    TimedOut { command: String, seconds: u64, output: String },

    #[error("cannot start `{command}`")]
    Start { command: String, source: std::io::Error },

    #[error("cannot {doing} {path}", path = path.display())]
    Io { doing: &'static str, path: PathBuf, source: std::io::Error },

    #[error("{path}: {problem}", path = path.display())]
    Source { path: PathBuf, problem: String },

    #[error("no way to compile for {target} was found:\n{attempts}")]
    NoRust { target: &'static str, attempts: String },
}

impl Error {
    /// The error and its causes, one a line: what a log or a finding shows.
    pub fn full(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        text
    }
}

/// Turns an I/O error into ours: `fs::read(p).map_err(io("read", p))`.
pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_path_buf();
    move |source| Error::Io { doing, path, source }
}
