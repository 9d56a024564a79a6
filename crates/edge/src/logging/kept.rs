//! Own events as lines of what telemetry keeps and sends, and as JSON with the field names of others.
//!
//! Lines of guests come here only to be written: the host has kept them already, with what it knows of them.

use super::Said;
use coracle_telemetry::log::format;
use coracle_telemetry::{Attribute, Fields, Log, Severity, Source, Telemetry, Value, span};
use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::SystemTime;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Who keeps lines: the edge that was started last.
static KEEPER: Mutex<Weak<Telemetry>> = Mutex::new(Weak::new());

/// Has lines kept from here on.
pub(crate) fn keep(telemetry: &Arc<Telemetry>) {
    *KEEPER.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(telemetry);
}

/// The layer that has them kept.
pub(super) struct Keep;

impl<S: Subscriber> Layer<S> for Keep {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "guest" {
            return;
        }
        let keeper = KEEPER.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        if let Some(telemetry) = keeper {
            telemetry.log(line(event));
        }
    }
}

/// The format of others' field names.
pub(super) struct Json(pub(super) Fields);

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        writeln!(writer, "{}", format::line(&line(event), self.0))
    }
}

/// An event as a line.
fn line(event: &Event<'_>) -> Log {
    let mut said = Said::default();
    event.record(&mut said);
    let stream = said.take(&["stream"]);
    let source = match (event.metadata().target(), stream.as_deref()) {
        ("guest", Some("stderr")) => Source::Stderr,
        ("guest", _) => Source::Stdout,
        ("upstream", _) => Source::Upstream,
        _ => Source::Host,
    };
    let name = said.take(&["component", "name"]).map(Arc::from);
    let request = said.take(&["request"]).and_then(|id| id.parse().ok());
    let trace = said.take(&["trace_id"]).and_then(|id| id.parse().ok());
    let span = said.take(&["span_id"]).and_then(|id| id.parse().ok());
    let attribute =
        |(key, value): (&'static str, String)| Attribute { key: Cow::Borrowed(key), value: Value::Text(value) };
    Log {
        time: span::nanos(SystemTime::now()),
        severity: match *event.metadata().level() {
            Level::ERROR => Severity::Error,
            Level::WARN => Severity::Warn,
            Level::INFO => Severity::Info,
            Level::DEBUG => Severity::Debug,
            Level::TRACE => Severity::Trace,
        },
        source,
        body: said.message.into_boxed_str(),
        name,
        request,
        trace,
        span,
        attributes: said.others.into_iter().map(attribute).collect(),
    }
}
