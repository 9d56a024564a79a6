//! Running other programs: output captured, a time limit, and errors that show the command and what it printed.
//!
//! Standard error of a program follows its standard output in the report, not interleaved as on a terminal: what matters
//! of a compiler is on standard error anyway. Input is closed, so that nothing waits for an answer nobody gives.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use wait_timeout::ChildExt;

use crate::error::Error;

/// Longer than any single compiler run here; it exists so that a hung download ends.
pub(crate) const LONG: Duration = Duration::from_secs(30 * 60);

/// Runs `command` to its end and returns its standard output; any other end than success is an error.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<String, Error> {
    let shown = show(command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|source| Error::Start { command: shown.clone(), source })?;
    let out = drain(child.stdout.take());
    let err = drain(child.stderr.take());
    let ended = child.wait_timeout(limit).map_err(|source| Error::Start { command: shown.clone(), source })?;
    let Some(status) = ended else {
        // The readers are not joined: a grandchild that lives on may keep the pipes open.
        let _ = child.kill();
        let _ = child.wait();
        return Err(Error::TimedOut { command: shown, seconds: limit.as_secs(), output: String::new() });
    };
    let (out, err) = (collect(out), collect(err));
    if status.success() {
        return Ok(out);
    }
    // Cargo's messages to programs are of no use to people.
    let out: Vec<&str> = out.lines().filter(|line| !line.starts_with("{\"")).collect();
    let (out, err) = (out.join("\n"), err.trim());
    let output = [out.trim(), err].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n");
    Err(Error::Failed { command: shown, status: status.to_string(), output })
}

/// Runs `program args…`, an ordinary short query; `None` when it is absent or fails.
pub(crate) fn query(program: &str, args: &[&str]) -> Option<String> {
    run(Command::new(program).args(args), Duration::from_secs(30)).ok().map(|text| text.trim().to_owned())
}

/// Whether `program` is on PATH.
pub(crate) fn on_path(program: &str) -> bool {
    which(program).is_some()
}

/// The first executable file of this name on PATH.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| is_executable(file))
}

#[cfg(unix)]
fn is_executable(file: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &std::path::Path) -> bool {
    file.is_file() || file.with_extension("exe").is_file()
}

/// The command as one would type it, with the directory it runs in; variables are left out, they are many and long.
pub(crate) fn show(command: &Command) -> String {
    let word = |text: &std::ffi::OsStr| {
        let text = text.to_string_lossy();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:+@,%~".contains(c);
        if !text.is_empty() && text.chars().all(plain) {
            text.into_owned()
        } else {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
    };
    let words: Vec<String> = std::iter::once(command.get_program()).chain(command.get_args()).map(word).collect();
    match command.get_current_dir() {
        Some(dir) => format!("cd {} && {}", word(dir.as_os_str()), words.join(" ")),
        None => words.join(" "),
    }
}

type Reader = std::thread::JoinHandle<String>;

/// Reads a pipe to its end beside us, so that a talkative program never blocks on a full one.
fn drain(pipe: Option<impl Read + Send + 'static>) -> Option<Reader> {
    let mut pipe = pipe?;
    Some(std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }))
}

fn collect(reader: Option<Reader>) -> String {
    reader.and_then(|thread| thread.join().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn output_of_a_failure_is_shown_with_the_command() {
        let error = run(&mut sh("echo out; echo err >&2; exit 3"), LONG).unwrap_err().to_string();
        assert!(error.contains("sh -c 'echo out; echo err >&2; exit 3'"), "{error}");
        assert!(error.contains("out\nerr"), "{error}");
        assert!(error.contains("exit status: 3"), "{error}");
    }

    #[test]
    fn a_hung_program_is_stopped() {
        let begin = std::time::Instant::now();
        let error = run(&mut sh("exec sleep 600"), Duration::from_millis(100)).unwrap_err();
        assert!(matches!(error, Error::TimedOut { .. }), "{error}");
        assert!(begin.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn a_megabyte_on_both_pipes_does_not_block() {
        let text = run(&mut sh("head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2"), LONG).unwrap();
        assert_eq!(text.len(), 1_000_000);
    }

    #[test]
    fn an_absent_program_is_an_error_that_names_it() {
        let error = run(&mut Command::new("coracle-no-such-program"), LONG).unwrap_err();
        assert!(error.to_string().contains("coracle-no-such-program"), "{error}");
        assert!(!on_path("coracle-no-such-program"));
    }
}
