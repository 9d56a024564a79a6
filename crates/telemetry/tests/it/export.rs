//! What reaches a collector, and what becomes of it when the collector is away.

use crate::collector::Collector;
use crate::rig::{end, record, telemetry};
use coracle_telemetry::metrics::names::Name;
use coracle_telemetry::metrics::{Figure, Snapshot};
use coracle_telemetry::otlp::proto;
use coracle_telemetry::{Log, Severity, Source, Telemetry};
use http::{HeaderMap, StatusCode};
use prost::Message as _;
use std::io::Read as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ALWAYS: (&str, &str) = ("OTEL_TRACES_SAMPLER", "always_on");

fn started(variables: &[(&str, &str)]) -> Arc<Telemetry> {
    let (telemetry, settings) = telemetry(variables);
    let metrics = Arc::clone(&telemetry.metrics);
    telemetry.export(&settings, Arc::new(move || metrics.snapshot())).unwrap();
    telemetry
}

fn figure(snapshot: &Snapshot, name: Name, labels: &[&str]) -> f64 {
    let found = snapshot.of(name).find(|(of, _)| of.iter().map(AsRef::as_ref).eq(labels.iter().copied()));
    match found {
        Some((_, Figure::Number(n))) => *n,
        _ => 0.0,
    }
}

fn log(body: &str) -> Log {
    Log {
        time: 1,
        severity: Severity::Warn,
        source: Source::Stderr,
        body: body.into(),
        name: Some(Arc::from("orders")),
        request: None,
        trace: None,
        span: None,
        attributes: vec![],
    }
}

#[test]
fn every_signal_arrives_by_protobuf_and_gzip() {
    let collector = Collector::start(|_| StatusCode::OK);
    let endpoint = format!("http://{}", collector.addr);
    let telemetry = started(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret"),
        ALWAYS,
    ]);
    end(&telemetry, record(1), &HeaderMap::new(), 2);
    telemetry.log(log("hello"));
    telemetry.end(Duration::from_secs(20));
    let got = collector.wait(3);
    let body = |path: &str| {
        let got = got.iter().find(|got| got.path == path).unwrap_or_else(|| panic!("nothing came to {path}"));
        assert_eq!(got.headers["api-key"], "secret");
        let mut body = Vec::new();
        flate2::read::GzDecoder::new(&got.body[..]).read_to_end(&mut body).unwrap();
        body
    };
    let traces = proto::Traces::decode(&body("/v1/traces")[..]).unwrap();
    let spans = &traces.resource_spans[0].scope_spans[0].spans;
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    let calls = ["wasi:keyvalue get"; 2];
    assert_eq!(names, [&["GET /orders/{id}", "wasm.invoke orders", "wasm.instantiate orders"][..], &calls].concat());
    assert!(spans[2..].iter().all(|span| span.parent_span_id == spans[1].span_id));
    assert_eq!(spans[1].parent_span_id, spans[0].span_id);
    assert!(spans[0].parent_span_id.is_empty());
    let logs = proto::Logs::decode(&body("/v1/logs")[..]).unwrap();
    assert_eq!(logs.resource_logs[0].scope_logs[0].log_records[0].severity_number, 13);
    let metrics = proto::Metrics::decode(&body("/v1/metrics")[..]).unwrap();
    let metrics = &metrics.resource_metrics[0].scope_metrics[0].metrics;
    assert!(metrics.iter().any(|metric| metric.name == "http.server.request.duration"));
}

#[test]
fn grpc_is_spoken() {
    let collector = Collector::start(|_| StatusCode::OK);
    let endpoint = format!("http://{}", collector.addr);
    let telemetry =
        started(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &endpoint), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ALWAYS]);
    end(&telemetry, record(1), &HeaderMap::new(), 0);
    telemetry.end(Duration::from_secs(20));
    let got = &collector.wait(1)[0];
    assert_eq!(got.path, "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
    let length = u32::from_be_bytes(got.body[1..5].try_into().unwrap()) as usize;
    assert_eq!((got.body[0], length), (0, got.body.len() - 5));
    let traces = proto::Traces::decode(&got.body[5..]).unwrap();
    assert_eq!(traces.resource_spans[0].scope_spans[0].spans.len(), 3);
    assert_eq!(figure(&telemetry.metrics.snapshot(), Name::Exported, &["traces"]), 3.0);
}

#[test]
fn a_collector_that_is_busy_gets_it_again() {
    let collector = Collector::start(|n| if n == 0 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK });
    let endpoint = format!("http://{}/t", collector.addr);
    let telemetry = started(&[
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &endpoint),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_BSP_SCHEDULE_DELAY", "1"),
        ALWAYS,
    ]);
    end(&telemetry, record(1), &HeaderMap::new(), 0);
    let got = collector.wait(2);
    assert_eq!(got[0].body, got[1].body);
    let message: proto::Traces = serde_json::from_slice(&got[1].body).unwrap();
    assert_eq!(message.resource_spans[0].scope_spans[0].spans.len(), 3);
    let text: serde_json::Value = serde_json::from_slice(&got[1].body).unwrap();
    let span = &text["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    assert_eq!(span["traceId"].as_str().unwrap().len(), 32);
    assert!(span["startTimeUnixNano"].is_string());
}

#[test]
fn what_is_refused_for_good_is_not_sent_again() {
    let collector = Collector::start(|_| StatusCode::BAD_REQUEST);
    let endpoint = format!("http://{}/t", collector.addr);
    let telemetry =
        started(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &endpoint), ("OTEL_BSP_SCHEDULE_DELAY", "1"), ALWAYS]);
    end(&telemetry, record(1), &HeaderMap::new(), 0);
    collector.wait(1);
    telemetry.end(Duration::from_secs(20));
    assert_eq!(collector.wait(1).len(), 1);
    assert_eq!(figure(&telemetry.metrics.snapshot(), Name::ExportDropped, &["traces", "rejected"]), 3.0);
}

#[test]
fn a_dead_collector_costs_its_cap_and_no_time() {
    // A port that nobody listens on.
    let addr = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("http://{addr}");
    let telemetry = started(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint), ("OTEL_BSP_MAX_QUEUE_SIZE", "300"), ALWAYS]);
    let began = Instant::now();
    for n in 0..5000 {
        end(&telemetry, record(n), &HeaderMap::new(), 0);
    }
    assert!(began.elapsed() < Duration::from_secs(5), "requests waited for the collector");
    let dropped = figure(&telemetry.metrics.snapshot(), Name::ExportDropped, &["traces", "queue_full"]);
    // What waits: the queue, and one batch under way.
    assert!(dropped >= f64::from(5000 * 3 - 300 - 512 - 3), "{dropped} were dropped");
    let began = Instant::now();
    telemetry.end(Duration::from_secs(2));
    assert!(began.elapsed() < Duration::from_secs(4));
    assert_eq!(telemetry.store.requests.size().0, 5000, "they are here to be looked at all the same");
}
