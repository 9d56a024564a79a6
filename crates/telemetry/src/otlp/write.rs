//! Our data as messages of OTLP.

use super::proto::{self, Any, AnyValue, Data, KeyValue};
use super::{Resource, SCOPE};
use crate::log::Log;
use crate::metrics::names::{Kind as MetricKind, Name};
use crate::metrics::{Exemplar, Figure, Labels, Snapshot};
use crate::span::{Kind, Span, Status, nanos};
use crate::value::{Attribute, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// `SpanFlags`: it is known whether the parent is of another process, and it is.
const PARENT_KNOWN: u32 = 0x100;
const PARENT_REMOTE: u32 = 0x200;
const SAMPLED: u32 = 1;

/// Spans as one message.
#[must_use]
pub fn traces(resource: &Resource, spans: &[Span]) -> proto::Traces {
    let mut scopes: BTreeMap<Option<Arc<str>>, Vec<proto::Span>> = BTreeMap::new();
    for span in spans {
        scopes.entry(span.scope.clone()).or_default().push(one(span));
    }
    let scope_spans = scopes.into_iter().map(|(scope, spans)| proto::ScopeSpans { scope: Some(named(scope)), spans });
    let resource_spans =
        proto::ResourceSpans { resource: Some(resource_of(resource)), scope_spans: scope_spans.collect() };
    proto::Traces { resource_spans: vec![resource_spans] }
}

fn named(scope: Option<Arc<str>>) -> proto::Instrumentation {
    match scope {
        None => proto::Instrumentation { name: SCOPE.to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        Some(scope) => proto::Instrumentation { name: scope.to_string(), version: String::new() },
    }
}

fn one(span: &Span) -> proto::Span {
    let remote = if span.kind == Kind::Server && span.parent.is_some() { PARENT_REMOTE } else { 0 };
    proto::Span {
        trace_id: span.trace.get().to_be_bytes().to_vec(),
        span_id: span.id.get().to_be_bytes().to_vec(),
        trace_state: span.state.as_deref().unwrap_or_default().to_owned(),
        parent_span_id: span.parent.map(|parent| parent.get().to_be_bytes().to_vec()).unwrap_or_default(),
        flags: SAMPLED | PARENT_KNOWN | remote,
        name: span.name.to_string(),
        kind: match span.kind {
            Kind::Internal => 1,
            Kind::Server => 2,
            Kind::Client => 3,
            Kind::Producer => 4,
            Kind::Consumer => 5,
        },
        start_time_unix_nano: span.start,
        end_time_unix_nano: span.end,
        attributes: attributes(&span.attributes),
        dropped_attributes_count: span.dropped,
        events: span.events.iter().map(event).collect(),
        dropped_events_count: 0,
        links: span.links.iter().map(link).collect(),
        dropped_links_count: 0,
        status: match &span.status {
            Status::Unset => None,
            Status::Ok => Some(proto::Status { message: String::new(), code: 1 }),
            Status::Error(message) => Some(proto::Status { message: message.clone(), code: 2 }),
        },
    }
}

fn event(event: &crate::span::Event) -> proto::Event {
    proto::Event { time_unix_nano: event.time, name: event.name.to_string(), attributes: attributes(&event.attributes) }
}

fn link(link: &crate::span::Link) -> proto::Link {
    proto::Link {
        trace_id: link.trace.get().to_be_bytes().to_vec(),
        span_id: link.span.get().to_be_bytes().to_vec(),
        attributes: attributes(&link.attributes),
    }
}

/// All series as one message. `delta`: counters and histograms say what was added since `snapshot.began`.
#[must_use]
pub fn metrics(resource: &Resource, snapshot: &Snapshot, delta: bool) -> proto::Metrics {
    let mut families: BTreeMap<Name, Vec<(&Labels, &Figure)>> = BTreeMap::new();
    for ((name, labels), figure) in &snapshot.series {
        families.entry(*name).or_default().push((labels, figure));
    }
    let times = (nanos(snapshot.began), nanos(snapshot.time));
    let metrics = families.into_iter().map(|(name, series)| family(name, &series, times, delta)).collect();
    let scope_metrics = vec![proto::ScopeMetrics { scope: Some(named(None)), metrics }];
    proto::Metrics {
        resource_metrics: vec![proto::ResourceMetrics { resource: Some(resource_of(resource)), scope_metrics }],
    }
}

fn family(name: Name, series: &[(&Labels, &Figure)], (begin, now): (u64, u64), delta: bool) -> proto::Metric {
    let metric = name.metric();
    let aggregation_temporality = if delta { proto::DELTA } else { proto::CUMULATIVE };
    let numbers = || {
        let point = |(labels, figure): &(&Labels, &Figure)| match figure {
            Figure::Number(n) => Some(proto::NumberPoint {
                attributes: labelled(metric.labels, labels),
                start_time_unix_nano: begin,
                time_unix_nano: now,
                as_double: Some(*n),
            }),
            Figure::Histogram(_) => None,
        };
        series.iter().filter_map(point).collect()
    };
    let data = match metric.kind {
        MetricKind::Counter => {
            Data::Sum(proto::Sum { data_points: numbers(), aggregation_temporality, is_monotonic: true })
        }
        MetricKind::Gauge => Data::Gauge(proto::Gauge { data_points: numbers() }),
        MetricKind::Histogram(bounds) => {
            let point = |(labels, figure): &(&Labels, &Figure)| match figure {
                Figure::Histogram(histogram) => Some(proto::HistogramPoint {
                    attributes: labelled(metric.labels, labels),
                    start_time_unix_nano: begin,
                    time_unix_nano: now,
                    count: histogram.count(),
                    sum: Some(histogram.sum),
                    bucket_counts: histogram.buckets.to_vec(),
                    explicit_bounds: bounds.to_vec(),
                    exemplars: histogram.exemplars.iter().flatten().map(exemplar).collect(),
                }),
                Figure::Number(_) => None,
            };
            let data_points = series.iter().filter_map(point).collect();
            Data::Histogram(proto::Histogram { data_points, aggregation_temporality })
        }
    };
    proto::Metric {
        name: metric.name.to_owned(),
        description: metric.help.to_owned(),
        unit: metric.unit.to_owned(),
        data: Some(data),
    }
}

fn exemplar(exemplar: &Exemplar) -> proto::Exemplar {
    proto::Exemplar {
        time_unix_nano: exemplar.time,
        as_double: Some(exemplar.value),
        span_id: exemplar.span.get().to_be_bytes().to_vec(),
        trace_id: exemplar.trace.get().to_be_bytes().to_vec(),
    }
}

fn labelled(names: &[&str], labels: &Labels) -> Vec<KeyValue> {
    let given = names.iter().zip(labels).filter(|(_, value)| !value.is_empty());
    given.map(|(name, value)| pair(name, label(name, value))).collect()
}

/// Status codes are numbers in OpenTelemetry.
fn label(name: &str, value: &str) -> Any {
    match value.parse() {
        Ok(n) if name == "http.response.status_code" => Any::Int(n),
        _ => Any::String(value.to_owned()),
    }
}

/// Log lines as one message.
#[must_use]
pub fn logs(resource: &Resource, logs: &[Arc<Log>]) -> proto::Logs {
    let log_records = logs.iter().map(|log| line(log)).collect();
    let scope_logs = vec![proto::ScopeLogs { scope: Some(named(None)), log_records }];
    proto::Logs { resource_logs: vec![proto::ResourceLogs { resource: Some(resource_of(resource)), scope_logs }] }
}

fn line(log: &Log) -> proto::LogRecord {
    proto::LogRecord {
        time_unix_nano: log.time,
        observed_time_unix_nano: log.time,
        severity_number: i32::from(log.severity.number()),
        severity_text: log.severity.name().to_owned(),
        body: Some(AnyValue { value: Some(Any::String(log.body.to_string())) }),
        attributes: attributes(&log.all_attributes()),
        flags: u32::from(log.trace.is_some()),
        trace_id: log.trace.map(|trace| trace.get().to_be_bytes().to_vec()).unwrap_or_default(),
        span_id: log.span.map(|span| span.get().to_be_bytes().to_vec()).unwrap_or_default(),
    }
}

fn resource_of(resource: &Resource) -> proto::Resource {
    let attributes = resource.iter().map(|(key, value)| pair(key, Any::String(value.clone()))).collect();
    proto::Resource { attributes }
}

fn pair(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) }
}

fn attributes(attributes: &[Attribute]) -> Vec<KeyValue> {
    attributes.iter().map(|attribute| pair(&attribute.key, any(&attribute.value))).collect()
}

fn any(value: &Value) -> Any {
    match value {
        Value::Int(n) => Any::Int(*n),
        Value::Float(n) => Any::Double(*n),
        Value::Bool(yes) => Any::Bool(*yes),
        Value::List(values) => {
            let values = values.iter().map(|value| AnyValue { value: Some(any(value)) }).collect();
            Any::Array(proto::ArrayValue { values })
        }
        Value::Map(map) => Any::List(proto::KeyValueList { values: attributes(map) }),
        Value::Bytes(bytes) => Any::Bytes(bytes.clone()),
        Value::Word(_) | Value::Name(_) | Value::Text(_) => Any::String(value.as_str().unwrap_or_default().to_owned()),
    }
}
