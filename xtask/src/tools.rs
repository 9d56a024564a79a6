//! What `cargo xtask ci` runs with: checked first, installed where that needs no question, else named with the command.
//!
//! Debian packages are installed only as root (a container, a CI machine); a person is told the command instead. Compilers for
//! guests are coracle-toolchain's matter.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// A program of the system.
struct Tool {
    /// A command that succeeds when the tool is there.
    check: &'static [&'static str],
    /// Debian's packages that bring it.
    packages: &'static [&'static str],
}

/// What tests and guests need beside Rust. A test that wants another program adds a line.
const TOOLS: [Tool; 6] = [
    Tool { check: &["curl", "--version"], packages: &["curl"] },
    Tool { check: &["node", "--version"], packages: &["nodejs"] },
    Tool { check: &["npm", "--version"], packages: &["npm"] },
    Tool { check: &["python3", "-c", "import venv, ensurepip"], packages: &["python3", "python3-venv"] },
    Tool { check: &["valgrind", "--version"], packages: &["valgrind"] },
    // It knows no command that succeeds by itself.
    Tool { check: &["sh", "-c", "command -v wrk"], packages: &["wrk"] },
];

pub fn ensure() -> Result<()> {
    system()?;
    for (component, program) in [("rustfmt", "cargo-fmt"), ("clippy", "cargo-clippy")] {
        if !succeeds(&[program, "--version"]) {
            install(&["rustup", "component", "add", component])?;
        }
    }
    if !has("cargo-nextest") {
        install(&["cargo", "install", "cargo-nextest", "--locked"])?;
    }
    Ok(())
}

/// Whether a program of this name is on PATH.
pub fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// Debian's packages only: what is tried and tested with, without what Rust is checked with.
pub fn system() -> Result<()> {
    let missing: Vec<&str> =
        TOOLS.iter().filter(|tool| !succeeds(tool.check)).flat_map(|tool| tool.packages).copied().collect();
    if missing.is_empty() {
        return Ok(());
    }
    let command = ["apt-get", "install", "--yes", "--no-install-recommends"].iter().chain(&missing).copied();
    let command: Vec<&str> = command.collect();
    let may_install = has("apt-get") && is_root();
    ensure!(may_install, "{} missing. On Debian: `sudo {}`", missing.join(", "), command.join(" "));
    // The lists may be empty in a fresh container.
    install(&["apt-get", "update", "--quiet"])?;
    install(&command)
}

/// /proc/self belongs to whom the process runs as.
fn is_root() -> bool {
    Path::new("/proc/self").metadata().is_ok_and(|meta| {
        use std::os::unix::fs::MetadataExt;
        meta.uid() == 0
    })
}

fn succeeds(command: &[&str]) -> bool {
    let Some((program, args)) = command.split_first() else { return false };
    let quiet =
        Command::new(program).args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet.is_ok_and(|status| status.success())
}

fn install(command: &[&str]) -> Result<()> {
    let shown = command.join(" ");
    println!("{shown}");
    let (program, args) = command.split_first().context("an installation has a program")?;
    let status = Command::new(program).args(args).stdin(Stdio::null()).status();
    let status = status.with_context(|| format!("cannot start `{shown}`"))?;
    ensure!(status.success(), "`{shown}` failed ({status}); run it by hand to see why");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_there_does_not_succeed() {
        assert!(succeeds(&["true"]));
        assert!(!succeeds(&["false"]));
        assert!(!succeeds(&["coracle-no-such-program"]));
        assert!(has("sh") && !has("coracle-no-such-program"));
    }
}
