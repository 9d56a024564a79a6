//! Messages of OTLP as our data: what the user's Node server and browser send. Malformed ids lose their span, never the message.

use super::proto::{self, Any, AnyValue, KeyValue};
use crate::id::{SpanId, TraceId};
use crate::log::{Log, Severity, Source};
use crate::span::{Event, Kind, Link, Span, Status};
use crate::value::{Attribute, Value, cut};
use std::borrow::Cow;
use std::sync::Arc;

/// Bytes of one text; the rest is cut off.
const TEXT: usize = 4096;
/// Attributes of one span or line; further ones are dropped and counted.
const ATTRIBUTES: usize = 64;
const EVENTS: usize = 64;
/// How deep lists and maps may be in one another.
const DEPTH: usize = 6;

/// Who sent something: its `service.name`, and what else its resource says.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    pub service: Arc<str>,
    pub attributes: Vec<Attribute>,
}

/// Spans of one sender.
pub type Sent = (Arc<Origin>, Vec<Span>);

/// The spans of a message, by sender, and how many could not be read.
#[must_use]
pub fn spans(message: proto::Traces) -> (Vec<Sent>, usize) {
    let mut unread = 0;
    let mut all = Vec::new();
    for group in message.resource_spans {
        let origin = origin(group.resource);
        let mut spans = Vec::new();
        for scoped in group.scope_spans {
            let scope = scoped.scope.map(|scope| Arc::from(scope.name));
            for message in scoped.spans {
                match span(message) {
                    Some(read) => spans.push(Span { scope: scope.clone(), ..read }),
                    None => unread += 1,
                }
            }
        }
        all.push((origin, spans));
    }
    (all, unread)
}

/// The lines of a message.
#[must_use]
pub fn logs(message: proto::Logs, now: u64) -> Vec<Log> {
    let mut logs = Vec::new();
    for group in message.resource_logs {
        let origin = origin(group.resource);
        let records = group.scope_logs.into_iter().flat_map(|scoped| scoped.log_records);
        logs.extend(records.map(|record| line(record, &origin, now)));
    }
    logs
}

fn origin(resource: Option<proto::Resource>) -> Arc<Origin> {
    let (attributes, _) = attributes(resource.unwrap_or_default().attributes);
    let name = attributes.iter().find(|attribute| attribute.key == "service.name");
    let service = name.and_then(|attribute| attribute.value.as_str()).unwrap_or("unknown_service");
    Arc::new(Origin { service: Arc::from(service), attributes })
}

fn line(record: proto::LogRecord, origin: &Origin, now: u64) -> Log {
    let (attributes, _) = attributes(record.attributes);
    let body = record.body.map_or(Value::Word(""), |body| value(body, 0));
    let body = body.as_str().map_or_else(|| body.json().to_string(), str::to_owned);
    let stamped = if record.time_unix_nano > 0 { record.time_unix_nano } else { record.observed_time_unix_nano };
    Log {
        time: if stamped > 0 { stamped } else { now },
        severity: Severity::of(record.severity_number),
        source: Source::Received,
        body: body.into_boxed_str(),
        name: Some(Arc::clone(&origin.service)),
        request: None,
        trace: trace_id(&record.trace_id),
        span: span_id(&record.span_id),
        attributes,
    }
}

fn span(span: proto::Span) -> Option<Span> {
    let (attributes, dropped) = attributes(span.attributes);
    let mut name = span.name;
    cut(&mut name, TEXT);
    Some(Span {
        trace: trace_id(&span.trace_id)?,
        id: span_id(&span.span_id)?,
        parent: span_id(&span.parent_span_id),
        name: Cow::Owned(name),
        kind: match span.kind {
            2 => Kind::Server,
            3 => Kind::Client,
            4 => Kind::Producer,
            5 => Kind::Consumer,
            _ => Kind::Internal,
        },
        start: span.start_time_unix_nano,
        end: span.end_time_unix_nano.max(span.start_time_unix_nano),
        status: match span.status {
            Some(proto::Status { code: 1, .. }) => Status::Ok,
            Some(proto::Status { code: 2, mut message }) => {
                cut(&mut message, TEXT);
                Status::Error(message)
            }
            _ => Status::Unset,
        },
        attributes,
        dropped: span.dropped_attributes_count.saturating_add(dropped),
        events: span.events.into_iter().take(EVENTS).map(event).collect(),
        links: span.links.into_iter().take(EVENTS).filter_map(link).collect(),
        scope: None,
        state: None,
    })
}

fn event(event: proto::Event) -> Event {
    let (attributes, _) = attributes(event.attributes);
    let mut name = event.name;
    cut(&mut name, TEXT);
    Event { time: event.time_unix_nano, name: Cow::Owned(name), attributes }
}

fn link(link: proto::Link) -> Option<Link> {
    let (attributes, _) = attributes(link.attributes);
    Some(Link { trace: trace_id(&link.trace_id)?, span: span_id(&link.span_id)?, attributes })
}

fn trace_id(bytes: &[u8]) -> Option<TraceId> {
    TraceId::new(u128::from_be_bytes(bytes.try_into().ok()?))
}

fn span_id(bytes: &[u8]) -> Option<SpanId> {
    SpanId::new(u64::from_be_bytes(bytes.try_into().ok()?))
}

/// With how many were dropped.
fn attributes(pairs: Vec<KeyValue>) -> (Vec<Attribute>, u32) {
    let dropped = u32::try_from(pairs.len().saturating_sub(ATTRIBUTES)).unwrap_or(u32::MAX);
    (pairs.into_iter().take(ATTRIBUTES).map(|pair| attribute(pair, 0)).collect(), dropped)
}

fn attribute(pair: KeyValue, depth: usize) -> Attribute {
    let mut key = pair.key;
    cut(&mut key, TEXT);
    Attribute { key: Cow::Owned(key), value: value(pair.value.unwrap_or_default(), depth) }
}

fn value(any: AnyValue, depth: usize) -> Value {
    match any.value {
        None => Value::Word(""),
        Some(Any::String(mut text)) => {
            cut(&mut text, TEXT);
            Value::Text(text)
        }
        Some(Any::Bool(yes)) => Value::Bool(yes),
        Some(Any::Int(n)) => Value::Int(n),
        Some(Any::Double(n)) => Value::Float(n),
        Some(Any::Bytes(mut bytes)) => {
            bytes.truncate(TEXT);
            Value::Bytes(bytes)
        }
        Some(Any::Array(_) | Any::List(_)) if depth >= DEPTH => Value::Word("…"),
        Some(Any::Array(array)) => {
            Value::List(array.values.into_iter().take(ATTRIBUTES).map(|any| value(any, depth + 1)).collect())
        }
        Some(Any::List(list)) => {
            Value::Map(list.values.into_iter().take(ATTRIBUTES).map(|pair| attribute(pair, depth + 1)).collect())
        }
    }
}
