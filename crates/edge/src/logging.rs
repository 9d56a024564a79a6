//! Own events on standard error, as text for people or JSON for machines. Called once, by the command line.
//!
//! Lines of guests (target `guest`) and of supervised processes (target `upstream`) keep their text and carry in brackets whose
//! they are; the access log goes to standard output and is not made here.

use coracle_telemetry::Format;
use std::fmt::{self, Write as _};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Sets up the log of the process. `level` is a filter as in `RUST_LOG` ("info", "coracle_edge=debug"); one that can't be
/// read counts as "info". A second call changes nothing.
pub fn init(format: Format, level: &str, colour: bool) {
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour);
    let set = match format {
        Format::Text => builder.event_format(Text { colour }).try_init(),
        Format::Json => builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
    };
    // A test or an embedding program may have a log of its own.
    drop(set);
}

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
        let mut fields = Fields::default();
        event.record(&mut fields);
        let target = event.metadata().target();
        if matches!(target, "guest" | "upstream") {
            let name = fields.take(&["component", "name"]).unwrap_or_else(|| target.to_owned());
            let request =
                fields.take(&["request"]).map(|id| format!(" {}", id.get(..8).unwrap_or(&id))).unwrap_or_default();
            let (before, after) = if self.colour { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
            return writeln!(writer, "{before}[{name}{request}]{after} {}", fields.message);
        }
        let level = *event.metadata().level();
        let (before, after) = match (self.colour, level) {
            (false, _) => ("", ""),
            (true, Level::ERROR) => ("\x1b[31m", "\x1b[0m"),
            (true, Level::WARN) => ("\x1b[33m", "\x1b[0m"),
            (true, _) => ("\x1b[2m", "\x1b[0m"),
        };
        write!(writer, "{before}{level:>5}{after} {}", fields.message)?;
        for (key, value) in &fields.others {
            write!(writer, " {key}={value}")?;
        }
        writeln!(writer)
    }
}

/// The fields of one event as text.
#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, String)>,
}

impl Fields {
    /// Removes and returns the first of these that is there.
    fn take(&mut self, names: &[&str]) -> Option<String> {
        let position = self.others.iter().position(|(key, _)| names.contains(key))?;
        Some(self.others.swap_remove(position).1)
    }
}

impl Visit for Fields {
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
