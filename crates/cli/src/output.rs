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

/// An error with its causes in one line; a cause that its error has already told is left out.
pub fn chain(error: &anyhow::Error) -> String {
    error.chain().skip(1).fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}

/// The panic hook: one line that says where, and what to do with it.
pub fn bug(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
    let said = panic.payload_as_str().unwrap_or("without words");
    let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
    let said = said.replace('\n', " ");
    let version = env!("CARGO_PKG_VERSION");
    remark(&format!(
        "{BAD}bug:{BAD:#} Coracle {version} has failed{place} (thread {thread}): {said}. Please report this line at {}/issues\n",
        env!("CARGO_PKG_REPOSITORY"),
    ));
}

/// A number of bytes as people read it: "128 MiB", "1000 B".
pub fn bytes(bytes: u64) -> String {
    bytesize::ByteSize(bytes).display().iec().to_string()
}
