//! Compiles in a process of its own (`compiler.rs`), which may take only so much memory and CPU time: 50 KB of nested loops keep
//! the compiler busy for minutes, and a few MB can take gigabytes, none of which a thread could be stopped at.
//!
//! ```text
//!   component ─ stdin ─▶ child, at lower priority ─ stdout ─▶ code        its memory is looked at until it ends
//! ```
//! What the child says is believed as much as what this process would compile itself: it is the same program.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// The first argument of a child.
pub(crate) const VERB: &str = "compile-child";
/// How a child ends that has no engine like ours.
pub(crate) const OTHER_ENGINE: u8 = 3;

/// How often a child's memory is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// The program that compiles.
pub(crate) struct Apart {
    program: PathBuf,
    /// One compiles at a time: each uses all cores.
    turn: Mutex<()>,
}

/// What one compilation may take. A JavaScript engine of 14 MB takes 400 MiB and 13 s on two cores.
struct Limits {
    mebibytes: u64,
    cpu_seconds: u64,
}

impl Limits {
    fn of(size: usize) -> Self {
        let size = size as u64 >> 20;
        Self { mebibytes: 512 + 48 * size, cpu_seconds: 30 + 10 * size }
    }
}

impl Apart {
    pub(crate) fn new(program: PathBuf) -> Self {
        Self { program, turn: Mutex::new(()) }
    }

    /// The code for an engine of this hash; `None` when the child has no such engine. Blocks.
    ///
    /// # Errors
    /// When the component does not compile, or not within its limits; when the child does not start.
    pub(crate) fn compile(&self, engine: u64, component: &[u8]) -> wasmtime::Result<Option<Vec<u8>>> {
        let limits = Limits::of(component.len());
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut command = Command::new(&self.program);
        command.args([VERB, &engine.to_string(), &limits.cpu_seconds.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (said, over) = converse(&mut child, component, &limits);
        let status = child.wait()?;
        let said = said?;
        match status.code() {
            Some(0) => Ok(Some(said.code)),
            Some(code) if code == i32::from(OTHER_ENGINE) => Ok(None),
            _ => Err(wasmtime::Error::msg(why(status, over, &limits, &said.error))),
        }
    }
}

struct Said {
    code: Vec<u8>,
    error: String,
}

/// Sends the component and reads the answer; whether the child took too much memory, and was ended.
fn converse(child: &mut Child, component: &[u8], limits: &Limits) -> (io::Result<Said>, bool) {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        scope.spawn(move || {
            // A child that ends early takes no more; how it ended says why.
            stdin.map(|mut stdin| stdin.write_all(component))
        });
        let error = scope.spawn(move || {
            let mut error = String::new();
            let _ = stderr.map(|stderr| stderr.take(ERROR_BYTES).read_to_string(&mut error));
            error
        });
        let (done, is_done) = channel();
        scope.spawn(move || {
            let mut code = Vec::new();
            let read = stdout.map_or(Ok(0), |mut stdout| stdout.read_to_end(&mut code));
            // Who waits for it is below.
            let _ = done.send(read.map(|_| code));
        });
        let mut over = false;
        let code = loop {
            match is_done.recv_timeout(LOOK) {
                Ok(code) => break code,
                Err(RecvTimeoutError::Disconnected) => break Err(io::Error::other("the compiler's answer was lost")),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if !over && resident(child.id()).is_some_and(|mebibytes| mebibytes > limits.mebibytes) {
                over = true;
                let _ = child.kill();
            }
        };
        let said = code.map(|code| Said { code, error: error.join().unwrap_or_default() });
        (said, over)
    })
}

/// Of an error's text; names in it are the component's choice.
const ERROR_BYTES: u64 = 16 << 10;

/// Resident memory of a process in MiB, where the system tells.
fn resident(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? >> 10)
}

fn why(status: ExitStatus, over: bool, limits: &Limits, error: &str) -> String {
    let Limits { mebibytes, cpu_seconds } = limits;
    if over {
        return format!("compiling it takes more than {mebibytes} MiB of memory; no toolchain makes such a component");
    }
    if status.signal() == Some(libc::SIGXCPU) || status.signal() == Some(libc::SIGKILL) {
        return format!(
            "compiling it takes more than {cpu_seconds} s of CPU time, or more memory than this machine has; no toolchain makes such a component"
        );
    }
    let mut text = error.trim_end().to_owned();
    if text.is_empty() {
        // Writing to a String can't fail.
        let _ = write!(text, "the compiler ended with {status}");
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A child that does what this shell script says.
    fn child(script: &str) -> wasmtime::Result<Option<Vec<u8>>> {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("compiler");
        let busy = dir.path().join("written");
        fs::write(&busy, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&busy, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        // Renamed, for a file that was open for writing when another thread forked can't be run.
        fs::rename(&busy, &program).unwrap();
        Apart::new(program).compile(7, b"component")
    }

    #[test]
    fn what_a_child_says_is_taken_as_it_is_meant() {
        assert_eq!(child("test $1 = compile-child && test $2 = 7 && cat").unwrap().unwrap(), b"component");
        assert_eq!(child("exit 3").unwrap(), None);
        let failed = |script| child(script).unwrap_err().to_string();
        assert_eq!(failed("echo it is wrong >&2; exit 1"), "it is wrong");
        assert_eq!(failed("exit 9"), "the compiler ended with exit status: 9");
        assert!(failed("kill -XCPU $$").starts_with("compiling it takes more than 30 s of CPU time"));
    }
}
