//! Lines for machines, with the field names that a collector expects. Whatever the names, `trace_id` and `span_id` are always there
//! where they are known, so that one search finds a trace in all logs.

use super::{Log, Severity, Source};
use crate::record::{Outcome, Record};
use crate::value::json;
use serde_json::{Map, Value, json as object};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Whose field names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fields {
    /// Our own: those of [`Record`], frozen.
    #[default]
    Coracle,
    /// Elastic Common Schema 8.
    Ecs,
    /// Datadog's standard attributes.
    Datadog,
    /// pino, the logger of Node.
    Pino,
    /// OpenTelemetry's data model for logs, as its file exporters write it.
    OpenTelemetry,
}

/// What all names share of a line.
struct Parts<'a> {
    time: SystemTime,
    severity: Severity,
    message: String,
    /// The component, upstream or service.
    name: Option<&'a str>,
    source: &'static str,
}

/// A request's line, without a line feed.
#[must_use]
pub fn request(record: &Record, fields: Fields) -> String {
    if fields == Fields::Coracle {
        return own(record);
    }
    let severity = match (record.outcome, record.status) {
        (Outcome::Failed | Outcome::Truncated, _) | (_, 500..) => Severity::Error,
        _ => Severity::Info,
    };
    let ms = record.duration.as_secs_f64() * 1000.0;
    let parts = Parts {
        time: record.time,
        severity,
        message: format!("{} {} {} {ms:.1}ms", record.method, record.path, record.status),
        name: record.destination.as_deref(),
        source: "access",
    };
    let mut line = head(&parts, fields);
    let mut detail = Map::new();
    for (key, value) in request_fields(record, fields) {
        if !value.is_null() {
            detail.insert(key.to_owned(), value);
        }
    }
    attach(&mut line, detail, fields);
    trace(&mut line, Some(&record.trace_id), Some(&record.span_id), fields);
    line.insert("request_id".to_owned(), object!(record.id));
    Value::Object(line).to_string()
}

/// A line's line, without a line feed.
#[must_use]
pub fn line(log: &Log, fields: Fields) -> String {
    let parts = Parts {
        time: UNIX_EPOCH + Duration::from_nanos(log.time),
        severity: log.severity,
        message: log.body.to_string(),
        name: log.name.as_deref(),
        source: log.source.name(),
    };
    let mut line = head(&parts, fields);
    if let Value::Object(detail) = json(&log.attributes) {
        attach(&mut line, detail, fields);
    }
    trace(&mut line, log.trace.as_ref(), log.span.as_ref(), fields);
    if let Some(request) = log.request {
        line.insert("request_id".to_owned(), object!(request));
    }
    if let (Some(name), Source::Stdout | Source::Stderr | Source::Guest) = (&log.name, log.source) {
        line.entry("component").or_insert_with(|| object!(&**name));
    }
    Value::Object(line).to_string()
}

/// The line of a request as it has been since first light.
fn own(record: &Record) -> String {
    #[derive(serde::Serialize)]
    struct Line<'a> {
        kind: &'static str,
        #[serde(flatten)]
        record: &'a Record,
    }
    serde_json::to_string(&Line { kind: "request", record }).unwrap_or_default()
}

/// What every line begins with.
fn head(parts: &Parts<'_>, fields: Fields) -> Map<String, Value> {
    let time = humantime::format_rfc3339_micros(parts.time).to_string();
    let severity = parts.severity;
    let lower = severity.name().to_ascii_lowercase();
    let value = match fields {
        Fields::Coracle => object!({
            "timestamp": time, "level": severity.name(), "message": parts.message, "name": parts.name, "source": parts.source,
        }),
        Fields::Ecs => object!({
            "@timestamp": time, "log.level": lower, "message": parts.message, "ecs.version": "8.11.0",
            "service.name": parts.name, "event.dataset": format!("coracle.{}", parts.source),
        }),
        Fields::Datadog => object!({
            "timestamp": time, "status": lower, "message": parts.message, "service": parts.name, "source": "coracle",
            "logger.name": parts.source,
        }),
        Fields::Pino => object!({
            "level": pino(severity), "time": millis(parts.time), "msg": parts.message, "name": parts.name,
            "source": parts.source,
        }),
        Fields::OpenTelemetry => object!({
            "timestamp": time, "severity_text": severity.name(), "severity_number": severity.number(),
            "body": parts.message, "resource": { "service.name": parts.name },
            "instrumentation_scope": { "name": format!("coracle.{}", parts.source) },
        }),
    };
    let Value::Object(mut line) = value else { return Map::new() };
    line.retain(|_, value| !value.is_null());
    line
}

/// Further fields, where the names want them.
fn attach(line: &mut Map<String, Value>, detail: Map<String, Value>, fields: Fields) {
    if detail.is_empty() {
        return;
    }
    match fields {
        Fields::OpenTelemetry => drop(line.insert("attributes".to_owned(), Value::Object(detail))),
        Fields::Ecs | Fields::Datadog | Fields::Pino | Fields::Coracle => {
            for (key, value) in detail {
                line.entry(key).or_insert(value);
            }
        }
    }
}

fn trace(
    line: &mut Map<String, Value>,
    trace: Option<&crate::id::TraceId>,
    span: Option<&crate::id::SpanId>,
    fields: Fields,
) {
    let also = match fields {
        Fields::Ecs => Some(("trace.id", "span.id")),
        Fields::Datadog => Some(("dd.trace_id", "dd.span_id")),
        Fields::Coracle | Fields::Pino | Fields::OpenTelemetry => None,
    };
    if let Some(id) = trace {
        line.insert("trace_id".to_owned(), object!(id));
        if let Some((key, _)) = also {
            line.insert(key.to_owned(), object!(id));
        }
    }
    if let Some(id) = span {
        line.insert("span_id".to_owned(), object!(id));
        // Datadog knows spans by their number in decimal.
        let value = if fields == Fields::Datadog { object!(id.get().to_string()) } else { object!(id) };
        if let Some((_, key)) = also {
            line.insert(key.to_owned(), value);
        }
    }
}

/// What a request says of itself, by each convention's names.
fn request_fields(record: &Record, fields: Fields) -> Vec<(&'static str, Value)> {
    let nanos = u64::try_from(record.duration.as_nanos()).unwrap_or(u64::MAX);
    let ms = record.duration.as_secs_f64() * 1000.0;
    let method = record.method.as_str();
    let mut detail = match fields {
        Fields::Coracle => Vec::new(),
        Fields::Ecs => vec![
            ("http.request.method", object!(method)),
            ("http.response.status_code", object!(record.status)),
            ("http.request.body.bytes", object!(record.bytes_in)),
            ("http.response.body.bytes", object!(record.bytes_out)),
            ("url.path", object!(record.path)),
            ("url.domain", object!(record.host)),
            ("event.duration", object!(nanos)),
            ("event.outcome", object!(if record.outcome == Outcome::Complete { "success" } else { "failure" })),
            ("error.message", object!(record.error)),
            ("error.type", object!(record.error_type)),
        ],
        Fields::Datadog => vec![
            ("http.method", object!(method)),
            ("http.status_code", object!(record.status)),
            ("http.url_details.path", object!(record.path)),
            ("http.url_details.host", object!(record.host)),
            ("network.bytes_read", object!(record.bytes_in)),
            ("network.bytes_written", object!(record.bytes_out)),
            ("duration", object!(nanos)),
            ("error.message", object!(record.error)),
            ("error.kind", object!(record.error_type)),
        ],
        // As pino-http writes it.
        Fields::Pino => vec![
            (
                "req",
                object!({ "id": record.id, "method": method, "url": record.path, "headers": { "host": record.host } }),
            ),
            ("res", object!({ "statusCode": record.status })),
            ("responseTime", object!(ms)),
            (
                "err",
                record
                    .error
                    .as_ref()
                    .map_or(Value::Null, |text| object!({ "type": record.error_type, "message": text })),
            ),
        ],
        Fields::OpenTelemetry => vec![
            ("http.request.method", object!(method)),
            ("http.response.status_code", object!(record.status)),
            ("http.request.body.size", object!(record.bytes_in)),
            ("http.response.body.size", object!(record.bytes_out)),
            ("url.path", object!(record.path)),
            ("server.address", object!(record.host)),
            ("http.server.request.duration", object!(record.duration.as_secs_f64())),
            ("error.message", object!(record.error)),
            ("error.type", object!(record.error_type)),
        ],
    };
    detail.push(("http.route", object!(record.route)));
    detail.push(("coracle.outcome", object!(record.outcome)));
    detail.push(("coracle.fallback.from", object!(record.fallback_from)));
    detail.push(("coracle.cpu_us", object!(record.run.map(|run| run.cpu.as_micros()))));
    detail
}

/// pino's numbers.
fn pino(severity: Severity) -> u8 {
    match severity {
        Severity::Trace => 10,
        Severity::Debug => 20,
        Severity::Info => 30,
        Severity::Warn => 40,
        Severity::Error => 50,
        Severity::Fatal => 60,
    }
}

fn millis(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
