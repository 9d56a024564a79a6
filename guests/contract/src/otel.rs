//! The `otel` case: spans and lines by wasi:otel@0.2.0-rc.2 and wasi:logging@0.1.0-draft, the same imports beside WASI 0.2 and 0.3.
//!
//! `GET /?name=N&key=K` begins the span `work N` in the host's, asks wasi:config for K inside it, says a line by each interface, and ends
//! it. With `outer` the host's span is asked for by the older name of the function.

use crate::{Reply, Target, config};

wit_bindgen::generate!({ path: "../wit", world: "otel", generate_all });

use wasi::clocks::wall_clock::Datetime;
use wasi::logging::logging::{Level, log};
use wasi::otel::types::{InstrumentationScope, KeyValue, Resource};
use wasi::otel::{logs, metrics, tracing};

pub fn reply(target: &Target) -> Reply {
    let name = target.get("name").unwrap_or("none");
    let host = match target.get("outer") {
        Some(_) => tracing::outer_span_context(),
        None => tracing::current_span_context(),
    };
    let id = span_id(name);
    tracing::on_start(&tracing::SpanContext { span_id: id.clone(), is_remote: false, ..host.clone() });
    if let Some(key) = target.get("key") {
        config::ask(key);
    }
    logs::on_emit(&line(name));
    log(Level::Warn, "contract", &format!("logging {name}"));
    let exported = metrics::export(&metrics::ResourceMetrics { resource: resource(), scope_metrics: Vec::new() });
    tracing::on_end(&span(name, id, &host));
    let refused = exported.err().map(|error| format!(" metrics: {error}")).unwrap_or_default();
    Reply::text(200, format!("{} {}{refused}", host.trace_id, host.span_id))
}

/// 16 hex digits that differ by name.
fn span_id(name: &str) -> String {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    format!("{:016x}", hash | 1)
}

fn scope() -> InstrumentationScope {
    InstrumentationScope { name: "guest".to_owned(), version: None, schema_url: None, attributes: Vec::new() }
}

fn resource() -> Resource {
    Resource { attributes: Vec::new(), schema_url: None }
}

fn pair(key: &str, json: String) -> KeyValue {
    KeyValue { key: key.to_owned(), value: json }
}

fn span(name: &str, id: String, host: &tracing::SpanContext) -> tracing::SpanData {
    let time = Datetime { seconds: 1_700_000_000, nanoseconds: 0 };
    tracing::SpanData {
        span_context: tracing::SpanContext { span_id: id, is_remote: false, ..host.clone() },
        parent_span_id: host.span_id.clone(),
        span_kind: tracing::SpanKind::Internal,
        name: format!("work {name}"),
        start_time: time,
        end_time: Datetime { nanoseconds: 5_000_000, ..time },
        attributes: vec![pair("item", format!("\"{name}\"")), pair("count", "7".to_owned())],
        events: Vec::new(),
        links: Vec::new(),
        status: tracing::Status::Ok,
        instrumentation_scope: scope(),
        dropped_attributes: 0,
        dropped_events: 0,
        dropped_links: 0,
    }
}

fn line(name: &str) -> logs::LogRecord {
    logs::LogRecord {
        timestamp: None,
        observed_timestamp: None,
        severity_text: None,
        severity_number: Some(17),
        body: Some(format!("\"otel {name}\"")),
        attributes: Some(vec![pair("item", format!("\"{name}\""))]),
        event_name: None,
        resource: None,
        instrumentation_scope: Some(scope()),
        trace_id: None,
        span_id: None,
        trace_flags: None,
    }
}
