//! What is printed, and in which colours: on a terminal only, and never against NO_COLOR, CLICOLOR or TERM=dumb.
//! Results go to standard output, everything else to standard error. A reader that has gone away is no error.

use crate::exit::{Exit, Failure, Text};
use anstream::{AutoStream, ColorChoice};
use clap::builder::styling::{AnsiColor, Style};
use std::io::{self, Write as _};
use std::panic::PanicHookInfo;

/// The colour of what is wrong.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// The colour of what may be wrong.
pub const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
/// The colour of what is well.
pub const GOOD: Style = AnsiColor::Green.on_default().bold();
/// For headings.
pub const STRONG: Style = Style::new().bold();

/// Whether standard output takes colours.
pub fn stdout_colour() -> bool {
    AutoStream::choice(&io::stdout()) != ColorChoice::Never
}

/// Whether standard error takes colours.
pub fn stderr_colour() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}

/// Writes a result to standard output; colours in it are removed where they aren't wanted.
///
/// # Errors
/// When it can't be written, as on a full disk; a closed pipe ends the output without an error.
pub fn result(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let context = "the output can't be written";
            Err(Failure { exit: Exit::Start, text: Text::Error(anyhow::Error::new(error).context(context)) })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes a value as JSON to standard output.
///
/// # Errors
/// As [`result`].
pub fn json(value: &serde_json::Value) -> Result<(), Failure> {
    result(&format!("{value:#}\n"))
}

/// Writes to standard error, which may be closed.
pub fn remark(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// Prints the one error of a command.
pub fn failure(failure: &Failure) {
    match &failure.text {
        Text::Report(report) => remark(report),
        Text::Error(error) => remark(&format!("{BAD}error:{BAD:#} {}\n", chain(error))),
    }
}

/// The same without colours, for a log.
pub fn plain(failure: &Failure) -> String {
    match &failure.text {
        Text::Report(report) => anstream::adapter::strip_str(report).to_string(),
        Text::Error(error) => chain(error),
    }
}

/// An error with its causes in one line; a cause that its error has already told is left out.
pub fn chain(error: &anyhow::Error) -> String {
    error.chain().skip(1).fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}

/// The panic hook: one line that says where, and what to do with it.
pub fn bug(panic: &PanicHookInfo<'_>) {
    // Some source text that a parser gave up on: the inventory notes it beside the file.
    if coracle_inventory::syntax::panic_is_survived() {
        return;
    }
    let place = panic.location().map_or("an unknown place".to_owned(), |at| format!("{}:{}", at.file(), at.line()));
    let said = panic.payload_as_str().unwrap_or("without words");
    remark(&bug_line(&place, std::thread::current().name().unwrap_or("unnamed"), said));
}

fn bug_line(place: &str, thread: &str, said: &str) -> String {
    let (version, issues) = (env!("CARGO_PKG_VERSION"), concat!(env!("CARGO_PKG_REPOSITORY"), "/issues"));
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    format!(
        "{BAD}bug:{BAD:#} Coracle {version} failed at {place} in thread {thread}: {said}; please report this line at {issues}\n"
    )
}

/// A number of bytes as people read it: "128 MiB", "1000 B".
pub fn bytes(bytes: u64) -> String {
    bytesize::ByteSize(bytes).display().iec().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_is_one_line_that_says_where_to_report_it() {
        let line = anstream::adapter::strip_str(&bug_line("a.rs:1", "main", "left\n  right")).to_string();
        let version = env!("CARGO_PKG_VERSION");
        let expected = format!(
            "bug: Coracle {version} failed at a.rs:1 in thread main: left right; please report this line at https://github.com/coracle-dev/coracle/issues\n"
        );
        assert_eq!(line, expected);
    }

    #[test]
    fn a_cause_that_was_told_is_not_told_again() {
        let error = anyhow::anyhow!("no such file").context("can't read a.toml: no such file").context("not started");
        assert_eq!(chain(&error), "not started: can't read a.toml: no such file");
    }
}
