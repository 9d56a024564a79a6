//! What `coracle doctor` finds on this machine: one finding per tool, with the command that mends it.
//!
//! Looking changes nothing but a probe file in the cache directory. With `fix`, what can be installed without the system's
//! package manager is installed; compilers of the system (cargo, node, python3) stay the user's business.

use std::time::Duration;

use serde::Serialize;

use crate::cache::Cache;
use crate::error::Error;
use crate::jco::{self, Jco};
use crate::process::{query, run};
use crate::progress::Progress;
use crate::python::{self, ComponentizePy};
use crate::rust::RustWasm;
use crate::target::Target;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Ok,
    Missing,
    /// Something is there and doesn't work.
    Broken,
}

/// One line of the report; serialised as it is for `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// What was looked at, e.g. "rust for wasm32-wasip2".
    pub what: String,
    pub status: Status,
    /// Version and place, or what is wrong; may have several lines.
    pub detail: String,
    /// The command to run; empty when nothing is to be done.
    pub fix: String,
}

const FIX: &str = "coracle doctor --fix";

/// Looks at everything guests are built with; with `fix`, installs first what is missing.
pub fn doctor(cache: &Cache, fix: bool, progress: Progress) -> Vec<Finding> {
    vec![
        cache_directory(cache),
        host_tool("cargo", "install Rust from https://rustup.rs"),
        host_tool("rustc", "install Rust from https://rustup.rs"),
        rust(cache, fix, progress),
        checked("node and npm", jco::check_node, || {
            format!("node {}", query("node", &["--version"]).unwrap_or_default())
        }),
        jco(cache, fix, progress),
        checked("python3 with venv", python::check_python, || query("python3", &["--version"]).unwrap_or_default()),
        componentize_py(cache, fix, progress),
    ]
}

fn cache_directory(cache: &Cache) -> Finding {
    let what = "cache directory".to_owned();
    let root = cache.root().display();
    match cache.check_writable() {
        Ok(()) => Finding { what, status: Status::Ok, detail: root.to_string(), fix: String::new() },
        Err(error) => {
            let fix = format!("make {root} writable, or set CORACLE_CACHE to a directory that is");
            Finding { what, status: Status::Broken, detail: error.full(), fix }
        }
    }
}

fn host_tool(name: &str, fix: &str) -> Finding {
    let version = run(std::process::Command::new(name).arg("--version"), Duration::from_secs(30));
    checked(
        name,
        || match &version {
            Ok(_) => Ok(()),
            Err(Error::Start { .. }) => Err(Error::Missing { what: name.to_owned(), fix: fix.to_owned() }),
            Err(error) => Err(Error::Source { path: name.into(), problem: error.full() }),
        },
        || version.as_deref().unwrap_or_default().trim().to_owned(),
    )
}

/// A tool of the system: `check` tells whether it serves, `detail` what it is.
fn checked(what: &str, check: impl FnOnce() -> Result<(), Error>, detail: impl FnOnce() -> String) -> Finding {
    let what = what.to_owned();
    match check() {
        Ok(()) => Finding { what, status: Status::Ok, detail: detail(), fix: String::new() },
        Err(Error::Missing { what: lacking, fix }) => {
            Finding { what, status: Status::Missing, detail: format!("{lacking} is missing"), fix }
        }
        Err(error) => Finding { what, status: Status::Broken, detail: error.full(), fix: String::new() },
    }
}

fn rust(cache: &Cache, fix: bool, progress: Progress) -> Finding {
    let target = Target::Wasip2;
    let installed = || RustWasm::find(cache, target).map(|rust| rust.key().to_owned());
    let install = || RustWasm::ensure(cache, target, progress).map(drop);
    installable(&format!("rust for {}", target.triple()), fix, installed, install)
}

fn jco(cache: &Cache, fix: bool, progress: Progress) -> Finding {
    let installed = || Jco::find(cache).map(|_| Jco::key());
    installable("jco (JavaScript, TypeScript)", fix, installed, || Jco::ensure(cache, progress).map(drop))
}

fn componentize_py(cache: &Cache, fix: bool, progress: Progress) -> Finding {
    let installed = || ComponentizePy::find(cache).map(|_| ComponentizePy::key());
    let what = "componentize-py (Python)";
    let found = installable(what, fix, installed, || ComponentizePy::ensure(cache, progress).map(drop));
    match ComponentizePy::find(cache).map(|tool| tool.check()) {
        Some(Err(error)) => {
            let dir = cache.toolchains().join(ComponentizePy::key());
            // Its python3 was removed or replaced; a fresh environment is the remedy.
            let fix = format!("rm -rf {} && {FIX}", dir.display());
            Finding { status: Status::Broken, detail: error.full(), fix, ..found }
        }
        Some(Ok(())) | None => found,
    }
}

/// A toolchain of ours: `installed` names it, `install` makes it.
fn installable(
    what: &str,
    fix: bool,
    installed: impl Fn() -> Option<String>,
    install: impl FnOnce() -> Result<(), Error>,
) -> Finding {
    let what = what.to_owned();
    let failure = if fix && installed().is_none() { install().err() } else { None };
    match (installed(), failure) {
        (Some(detail), _) => Finding { what, status: Status::Ok, detail, fix: String::new() },
        (None, None) => {
            Finding { what, status: Status::Missing, detail: "not installed".to_owned(), fix: FIX.to_owned() }
        }
        (None, Some(error)) => Finding { what, status: Status::Missing, detail: error.full(), fix: FIX.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_empty_cache_is_writable_and_lacks_what_only_it_can_hold() {
        let dir = tempfile::tempdir().unwrap();
        let findings = doctor(&Cache::at(dir.path().join("new")), false, Progress::Quiet);
        let status = |what: &str| findings.iter().find(|finding| finding.what == what).unwrap().status;
        assert_eq!(status("cache directory"), Status::Ok);
        assert_eq!(status("cargo"), Status::Ok);
        assert_eq!(status("jco (JavaScript, TypeScript)"), Status::Missing);
        assert_eq!(status("componentize-py (Python)"), Status::Missing);
        let lacking = findings.iter().filter(|finding| finding.status != Status::Ok);
        assert!(lacking.clone().all(|finding| !finding.fix.is_empty()), "{findings:?}");
    }

    #[test]
    fn a_cache_that_cannot_be_made_is_broken_and_says_what_to_set() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let finding = cache_directory(&Cache::at(file.path().join("below-a-file")));
        assert_eq!(finding.status, Status::Broken);
        assert!(finding.fix.contains("CORACLE_CACHE"), "{finding:?}");
    }

    #[test]
    fn a_failed_installation_is_reported_with_its_reason() {
        let failing = || Err(Error::Missing { what: "node".to_owned(), fix: "install it".to_owned() });
        let finding = installable("jco", true, || None, failing);
        assert_eq!(finding.status, Status::Missing);
        assert!(finding.detail.contains("node is missing"), "{finding:?}");
    }

    #[test]
    fn a_tool_that_is_not_there_is_missing() {
        let finding = host_tool("coracle-no-such-tool", "install it");
        assert_eq!((finding.status, finding.fix.as_str()), (Status::Missing, "install it"));
    }
}
