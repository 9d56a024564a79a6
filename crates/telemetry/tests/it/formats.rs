//! Lines for machines: each convention's names, and always `trace_id` and `span_id`.

use crate::rig::record;
use coracle_telemetry::log::format::{line, request};
use coracle_telemetry::{Fields, Log, Severity, Source};
use serde_json::Value;
use std::sync::Arc;

const ALL: [Fields; 5] = [Fields::Coracle, Fields::Ecs, Fields::Datadog, Fields::Pino, Fields::OpenTelemetry];

fn parse(text: &str) -> Value {
    assert!(!text.contains('\n'));
    serde_json::from_str(text).unwrap()
}

#[test]
fn every_format_names_trace_and_span() {
    let record = record(3);
    let log = Log {
        time: 1_700_000_000_000_000_000,
        severity: Severity::Warn,
        source: Source::Stdout,
        body: "a \"quoted\"\nline".into(),
        name: Some(Arc::from("orders")),
        request: Some(record.id),
        trace: Some(record.trace_id),
        span: Some(record.span_id),
        attributes: vec![],
    };
    for fields in ALL {
        for line in [parse(&request(&record, fields)), parse(&line(&log, fields))] {
            assert_eq!(line["trace_id"], record.trace_id.to_string(), "{fields:?} {line}");
            assert_eq!(line["span_id"], record.span_id.to_string(), "{fields:?} {line}");
        }
    }
}

#[test]
fn names_of_the_conventions() {
    let record = record(3);
    let of = |fields| parse(&request(&record, fields));
    let own = of(Fields::Coracle);
    assert_eq!((&own["kind"], &own["duration_us"], &own["cpu_us"]), (&"request".into(), &4000.into(), &800.into()));
    let ecs = of(Fields::Ecs);
    assert_eq!((&ecs["http.response.status_code"], &ecs["event.duration"]), (&200.into(), &4_000_000.into()));
    assert!(ecs["@timestamp"].is_string() && ecs["trace.id"] == ecs["trace_id"]);
    let datadog = of(Fields::Datadog);
    assert_eq!((&datadog["status"], &datadog["http.status_code"]), (&"info".into(), &200.into()));
    assert_eq!(datadog["dd.span_id"], record.span_id.get().to_string());
    let pino = of(Fields::Pino);
    assert_eq!((&pino["level"], &pino["res"]["statusCode"]), (&30.into(), &200.into()));
    let otel = of(Fields::OpenTelemetry);
    assert_eq!((&otel["severity_number"], &otel["attributes"]["http.route"]), (&9.into(), &"/orders/{id}".into()));
}
