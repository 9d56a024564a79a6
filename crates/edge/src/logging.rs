//! Own events on standard error, as text for people or JSON for machines. Called once, by the command line.
//!
//! Lines of guests (target `guest`) and of supervised processes (target `upstream`) keep their text and carry in brackets whose
//! they are; the access log goes to standard output and is not made here. No text from outside can begin a line of its own or
//! steer a terminal: control characters are spelled out, and lines of our own that go on are marked. A log that can't be written
//! is lost, and never ends the process.

mod kept;

pub(crate) use kept::keep;

use coracle_telemetry::{AccessLog, Fields, Format, Lines};
use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Sets up the log of the process. `level` is a filter as in `RUST_LOG` ("info", "coracle_edge=debug"); one that can't be
/// read counts as "info". A second call changes nothing. Lines leave by a thread of their own: what is returned can wait for
/// the last of them.
///
/// # Errors
/// When that thread can't be started.
pub fn init(format: Format, level: &str, colour: bool) -> io::Result<Lines> {
    let lines = Lines::to(io::stderr(), AccessLog::notice(format))?;
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let layer = tracing_subscriber::fmt::layer()
        .with_writer({
            let lines = lines.clone();
            move || lines.clone()
        })
        .with_ansi(colour)
        // It reports a failed write with `eprintln!`, which panics when standard error is what failed.
        .log_internal_errors(false);
    let registry = tracing_subscriber::registry().with(filter).with(kept::Keep);
    let set = match format {
        Format::Text => registry.with(layer.event_format(Text { colour })).try_init(),
        Format::Json(Fields::Coracle) => {
            let json = layer.json().flatten_event(true).with_current_span(false).with_span_list(false);
            registry.with(json).try_init()
        }
        Format::Json(fields) => registry.with(layer.event_format(kept::Json(fields))).try_init(),
    };
    // A test or an embedding program may have a log of its own.
    drop(set);
    Ok(lines)
}

/// Bytes of one event's text; the rest is cut off.
const MAX_TEXT: usize = 8 * 1024;
/// Before each further line of a message of our own, such as a report of what is wrong with a manifest.
const GOES_ON: &str = "\n      | ";

/// One line an event: `WARN message key=value`, or `[name] text` for those we speak for.
struct Text {
    colour: bool,
}

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Said::default();
        event.record(&mut fields);
        let target = event.metadata().target();
        if matches!(target, "guest" | "upstream") {
            let name = fields.take(&["component", "name"]).unwrap_or_else(|| target.to_owned());
            let request =
                fields.take(&["request"]).map(|id| format!(" {}", id.get(..8).unwrap_or(&id))).unwrap_or_default();
            let (before, after) = if self.colour { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
            let (whose, text) = (format!("{name}{request}"), plain(&fields.message));
            return writeln!(writer, "{before}[{}]{after} {}", cut(&plain(&whose)), cut(&text));
        }
        let level = *event.metadata().level();
        let (before, after) = match (self.colour, level) {
            (false, _) => ("", ""),
            (true, Level::ERROR) => ("\x1b[31m", "\x1b[0m"),
            (true, Level::WARN) => ("\x1b[33m", "\x1b[0m"),
            (true, _) => ("\x1b[2m", "\x1b[0m"),
        };
        let lines: Vec<_> = fields.message.trim_end_matches('\n').split('\n').map(plain).collect();
        let mut text = lines.join(GOES_ON);
        for (key, value) in &fields.others {
            write!(text, " {key}={}", plain(value))?;
        }
        writeln!(writer, "{before}{level:>5}{after} {}", cut(&text))
    }
}

/// Text on one line, with control characters spelled out.
fn plain(text: &str) -> Cow<'_, str> {
    let steers = |character: char| character.is_control() && character != '\t';
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut spelled = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if steers(character) { spelled.extend(character.escape_default()) } else { spelled.push(character) }
    }
    Cow::Owned(spelled)
}

/// At most `MAX_TEXT` bytes of it.
fn cut(text: &str) -> &str {
    let end = text.floor_char_boundary(MAX_TEXT);
    text.get(..end).unwrap_or(text)
}

/// The fields of one event as text.
#[derive(Default)]
struct Said {
    message: String,
    others: Vec<(&'static str, String)>,
}

impl Said {
    /// Removes and returns the first of these that is there.
    fn take(&mut self, names: &[&str]) -> Option<String> {
        let position = self.others.iter().position(|(key, _)| names.contains(key))?;
        Some(self.others.swap_remove(position).1)
    }
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.others.push((field.name(), value.to_owned()));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // Writing to a String can't fail.
            let _ = write!(self.message, "{value:?}");
        } else {
            self.others.push((field.name(), format!("{value:?}")));
        }
    }
}
