//! `wasi:otel@0.2.0-rc.2`: spans and lines that a guest makes itself, stitched into the trace of the request that it serves.
//!
//! The trace is ours, whatever a guest says: its spans go into the trace of the request that makes the call, and where that isn't known
//! into one of the instance's. What a host call is made from is the guest's innermost open span of the same request. Needs no grant, as
//! lines do; spans count against the request's budget. Metrics of guests are refused with a text that says so.

use coracle_host::{
    Calls, Check, Checked, Grant, Guest, Interface, Mode, Plugin, PrepareError, Resources, Ungranted, Voice,
};
use coracle_manifest::value::{Node, Value as Typed};
use coracle_telemetry::span::{Event, Kind, Link, Span, Status};
use coracle_telemetry::{Attribute, Severity, SpanId, TraceId, Value};
use serde_json::json;
use std::borrow::Cow;
use std::sync::Arc;
use wasmtime::component::{HasData, Linker};

pub struct Otel;

/// Bytes of one text, attributes of one span, events and links of one span.
const TEXT: usize = 4096;
const ATTRIBUTES: usize = 64;
const PARTS: usize = 32;

mod bindings {
    wasmtime::component::bindgen!({ path: "wit/otel-0.2.0-rc.2", world: "imports", imports: { default: trappable } });
}

use bindings::wasi::clocks::wall_clock::Datetime;
use bindings::wasi::otel::types::{InstrumentationScope, KeyValue};
use bindings::wasi::otel::{logs, metrics, tracing, types};

const fn harmless(name: &'static str) -> Interface {
    Interface { name, ungranted: Ungranted::Harmless }
}

impl Plugin for Otel {
    fn name(&self) -> &'static str {
        "otel"
    }

    fn interfaces(&self) -> &'static [Interface] {
        const {
            &[
                harmless("wasi:otel/types@0.2.0-rc.2"),
                harmless("wasi:otel/tracing@0.2.0-rc.2"),
                harmless("wasi:otel/metrics@0.2.0-rc.2"),
                harmless("wasi:otel/logs@0.2.0-rc.2"),
            ]
        }
    }

    fn schema(&self) -> serde_json::Value {
        json!({ "const": true, "description": "Spans and lines by wasi:otel; every component may make them, with this or without" })
    }

    fn check(&self, value: &Node, check: &mut Check<'_>) -> Option<Checked> {
        match &value.value {
            Typed::Boolean(true) => Some(Arc::new(())),
            _ => value.wrong_type(check.diagnostics, "the grant `otel`", "true: there is nothing to choose"),
        }
    }

    fn prepare(&self, checked: &Checked, _: &Resources) -> Result<Grant, PrepareError> {
        Ok(Grant::Given(Arc::clone(checked)))
    }

    fn link(&self, linker: &mut Linker<Guest>, _: &Grant, _: Mode) -> wasmtime::Result<()> {
        types::add_to_linker::<_, Making>(linker, Making::of)?;
        tracing::add_to_linker::<_, Making>(linker, Making::of)?;
        metrics::add_to_linker::<_, Making>(linker, Making::of)?;
        logs::add_to_linker::<_, Making>(linker, Making::of)
    }
}

/// What the calling instance tells its spans and lines to.
struct Making {
    calls: Calls,
    voice: Option<Voice>,
}

impl HasData for Making {
    type Data<'a> = Self;
}

impl Making {
    fn of(guest: &mut Guest) -> Self {
        Self { calls: guest.calls().clone(), voice: guest.voice().cloned() }
    }

    /// Where the calling request stands in its trace; a context without ids when nobody traces, or nobody knows who is calling.
    fn context(&self) -> tracing::SpanContext {
        let here = self.calls.with_scope(|scope| tracing::SpanContext {
            trace_id: scope.trace.to_string(),
            span_id: scope.current().to_string(),
            trace_flags: if scope.sampled { tracing::TraceFlags::SAMPLED } else { tracing::TraceFlags::empty() },
            is_remote: true,
            trace_state: state(scope.state.as_deref().unwrap_or_default()),
        });
        here.unwrap_or_else(|| tracing::SpanContext {
            trace_id: "0".repeat(32),
            span_id: "0".repeat(16),
            trace_flags: tracing::TraceFlags::empty(),
            is_remote: true,
            trace_state: Vec::new(),
        })
    }
}

impl types::Host for Making {}

impl tracing::Host for Making {
    fn on_start(&mut self, context: tracing::SpanContext) -> wasmtime::Result<()> {
        if let Ok(id) = context.span_id.parse::<SpanId>() {
            self.calls.with_scope(|scope| scope.guest_began(id));
        }
        Ok(())
    }

    fn on_end(&mut self, span: tracing::SpanData) -> wasmtime::Result<()> {
        let Some(span) = read(span) else { return Ok(()) };
        let mut left = Some(span);
        self.calls.with_scope(|scope| left.take().map(|span| scope.guest_ended(span)));
        if let Some(span) = left {
            self.calls.orphan(span);
        }
        Ok(())
    }

    fn outer_span_context(&mut self) -> wasmtime::Result<tracing::SpanContext> {
        Ok(self.context())
    }

    fn current_span_context(&mut self) -> wasmtime::Result<tracing::SpanContext> {
        Ok(self.context())
    }
}

impl metrics::Host for Making {
    fn export(&mut self, _: metrics::ResourceMetrics) -> wasmtime::Result<Result<(), String>> {
        Ok(Err("Coracle measures components itself and keeps no metrics of theirs".to_owned()))
    }
}

impl logs::Host for Making {
    fn on_emit(&mut self, data: logs::LogRecord) -> wasmtime::Result<()> {
        let Some(voice) = &self.voice else { return Ok(()) };
        let body = data.body.map(|body| value(&body)).unwrap_or(Value::Word(""));
        let body = body.as_str().map_or_else(|| body.json().to_string(), str::to_owned);
        let mut attributes = attributes(data.attributes.unwrap_or_default());
        if let Some(name) = data.event_name {
            attributes.push(Attribute::new("event.name", cut(name)));
        }
        let severity = Severity::of(data.severity_number.unwrap_or(0).into());
        voice.say(severity, &body, attributes);
        Ok(())
    }
}

/// A guest's span. Its trace is filled in by whoever takes it.
fn read(span: tracing::SpanData) -> Option<Span> {
    let id = span.span_context.span_id.parse().ok()?;
    let trace = span.span_context.trace_id.parse().unwrap_or(TraceId::new(1)?);
    let kind = match span.span_kind {
        tracing::SpanKind::Client => Kind::Client,
        tracing::SpanKind::Server => Kind::Server,
        tracing::SpanKind::Producer => Kind::Producer,
        tracing::SpanKind::Consumer => Kind::Consumer,
        tracing::SpanKind::Internal => Kind::Internal,
    };
    let dropped = span.attributes.len().saturating_sub(ATTRIBUTES);
    let mut read =
        Span::new(trace, id, Cow::Owned(cut(span.name)), kind, (nanos(span.start_time), nanos(span.end_time)));
    read.parent = span.parent_span_id.parse().ok();
    read.status = match span.status {
        tracing::Status::Unset => Status::Unset,
        tracing::Status::Ok => Status::Ok,
        tracing::Status::Error(text) => Status::Error(cut(text)),
    };
    read.attributes = attributes(span.attributes);
    read.scope = Some(scope(span.instrumentation_scope));
    read.dropped = span.dropped_attributes.saturating_add(u32::try_from(dropped).unwrap_or(u32::MAX));
    read.events = span.events.into_iter().take(PARTS).map(event).collect();
    read.links = span.links.into_iter().take(PARTS).filter_map(link).collect();
    Some(read)
}

fn event(event: tracing::Event) -> Event {
    Event { time: nanos(event.time), name: Cow::Owned(cut(event.name)), attributes: attributes(event.attributes) }
}

fn link(link: tracing::Link) -> Option<Link> {
    let (trace, span) = (link.span_context.trace_id.parse().ok()?, link.span_context.span_id.parse().ok()?);
    Some(Link { trace, span, attributes: attributes(link.attributes) })
}

fn scope(scope: InstrumentationScope) -> Arc<str> {
    Arc::from(cut(scope.name))
}

fn attributes(pairs: Vec<KeyValue>) -> Vec<Attribute> {
    let attribute = |pair: KeyValue| Attribute { key: Cow::Owned(cut(pair.key)), value: value(&pair.value) };
    pairs.into_iter().take(ATTRIBUTES).map(attribute).collect()
}

/// A value, which is JSON in a text; what is no JSON is taken as the text that it is.
fn value(text: &str) -> Value {
    let mut value = serde_json::from_str(text).map_or_else(|_| Value::Text(text.to_owned()), |json| of_json(&json));
    value.cut(TEXT);
    value
}

fn of_json(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Word(""),
        serde_json::Value::Bool(yes) => Value::Bool(*yes),
        serde_json::Value::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(n), _) => Value::Int(n),
            (None, n) => Value::Float(n.unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::Text(text.clone()),
        serde_json::Value::Array(values) => Value::List(values.iter().take(ATTRIBUTES).map(of_json).collect()),
        serde_json::Value::Object(entries) => {
            let attribute = |(key, value): (&String, &serde_json::Value)| Attribute {
                key: Cow::Owned(key.clone()),
                value: of_json(value),
            };
            Value::Map(entries.iter().take(ATTRIBUTES).map(attribute).collect())
        }
    }
}

/// The members of a `tracestate`.
fn state(text: &str) -> Vec<(String, String)> {
    let member = |member: &str| member.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    text.split(',').filter_map(member).collect()
}

fn nanos(time: Datetime) -> u64 {
    time.seconds.saturating_mul(1_000_000_000).saturating_add(time.nanoseconds.into())
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(TEXT));
    text
}

#[cfg(test)]
mod tests {
    use super::{state, value};
    use coracle_telemetry::Value;

    #[test]
    fn values_are_json_in_a_text() {
        assert_eq!(value("7"), Value::Int(7));
        assert_eq!(value("\"seven\""), Value::Text("seven".to_owned()));
        assert_eq!(value("[true]"), Value::List(vec![Value::Bool(true)]));
        assert_eq!(value("no json"), Value::Text("no json".to_owned()));
        assert_eq!(value(&format!("\"{}\"", "x".repeat(9000))).as_str().map(str::len), Some(4096));
        assert_eq!(state("a=1,b=2"), [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())]);
    }
}
