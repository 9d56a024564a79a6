//! The access log: one line a request on standard output, as text for people or JSON for machines.

use crate::lines::Lines;
use crate::log::format::{self, Fields};
use crate::record::{Outcome, Record};
use std::fmt::Write as _;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Text,
    /// One JSON object a line, with these field names.
    Json(Fields),
}

/// Writes records as lines.
#[derive(Clone, Debug)]
pub struct AccessLog {
    pub lines: Lines,
    pub format: Format,
    /// Colours by status class; for a terminal.
    pub colour: bool,
}

impl AccessLog {
    /// The line that tells how many lines were lost because nobody read them.
    #[must_use]
    pub fn notice(format: Format) -> fn(u64) -> String {
        match format {
            Format::Text => |dropped| format!("({dropped} lines were dropped: they came faster than they were read)"),
            Format::Json(_) => |dropped| serde_json::json!({ "kind": "dropped", "lines": dropped }).to_string(),
        }
    }

    /// Writes one line. An output that is closed or stands still loses the line, never the request.
    pub fn write(&self, record: &Record) {
        let mut line = match self.format {
            Format::Text => text(record, self.colour),
            Format::Json(fields) => format::request(record, fields),
        };
        line.push('\n');
        self.lines.push(line.as_bytes());
    }
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
