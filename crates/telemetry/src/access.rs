//! The access log: one line a request on standard output, as text for people or JSON for machines.

use crate::{Outcome, Record};
use std::fmt::Write as _;
use std::io::Write as _;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Text,
    Json,
}

/// Writes records as lines. Copies share nothing but standard output.
#[derive(Clone, Copy, Debug)]
pub struct AccessLog {
    pub format: Format,
    /// Colours by status class; for a terminal.
    pub colour: bool,
}

impl AccessLog {
    /// Writes one line. A closed or full standard output loses the line, never the request.
    pub fn write(self, record: &Record) {
        let mut line = match self.format {
            Format::Text => text(record, self.colour),
            Format::Json => serde_json::to_string(&Line { kind: "request", record }).unwrap_or_default(),
        };
        line.push('\n');
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    }
}

#[derive(serde::Serialize)]
struct Line<'a> {
    kind: &'static str,
    #[serde(flatten)]
    record: &'a Record,
}

fn text(record: &Record, colour: bool) -> String {
    let mut line =
        format!("{} {} {}{} ", humantime::format_rfc3339_millis(record.time), record.method, record.host, record.path,);
    let (before, after) = match (colour, record.status / 100) {
        (false, _) => ("", ""),
        (true, 2 | 1) => ("\x1b[32m", "\x1b[0m"),
        (true, 3) => ("\x1b[36m", "\x1b[0m"),
        (true, 4) => ("\x1b[33m", "\x1b[0m"),
        (true, _) => ("\x1b[31m", "\x1b[0m"),
    };
    // Writing to a String can't fail.
    let _ = write!(line, "{before}{}{after} {}us {}B", record.status, record.duration.as_micros(), record.bytes_out);
    if let Some(destination) = &record.destination {
        let _ = write!(line, " {destination}");
    }
    if let Some(first) = &record.fallback_from {
        let _ = write!(line, " (fallback from {first})");
    }
    if let Some(run) = record.run {
        let _ = write!(line, " cpu={}us", run.cpu.as_micros());
    }
    match record.outcome {
        Outcome::Complete | Outcome::Failed => {}
        Outcome::Truncated => line.push_str(" truncated"),
        Outcome::ClientGone => line.push_str(" client-gone"),
    }
    if let Some(error) = &record.error {
        let _ = write!(line, " error={error:?}");
    }
    let _ = write!(line, " id={}", record.id);
    line
}
