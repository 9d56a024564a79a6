//! Requests that never were, for the tests.

use coracle_telemetry::export::settings::Settings;
use coracle_telemetry::{Options, Outcome, Record, RequestId, Run, Scope, SpanId, Telemetry, TraceId};
use http::HeaderMap;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Settings of these variables.
pub fn settings(variables: &[(&str, &str)]) -> (Settings, Vec<String>) {
    Settings::read(&|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
}

pub fn telemetry(variables: &[(&str, &str)]) -> (Arc<Telemetry>, Settings) {
    let (settings, complaints) = settings(variables);
    assert!(complaints.is_empty(), "{complaints:?}");
    let telemetry = Telemetry::new(&settings, Options::default());
    telemetry.name("shop");
    (Arc::new(telemetry), settings)
}

/// A good request of a component.
pub fn record(n: u128) -> Record {
    let id = RequestId(n | 1 << 100);
    Record {
        id,
        trace_id: TraceId::of(id),
        span_id: SpanId::nth(id, 0),
        time: SystemTime::now(),
        method: http::Method::GET,
        host: "shop.example".to_owned(),
        path: format!("/orders/{n}"),
        route: Some(Arc::from("/orders/{id}")),
        destination: Some(Arc::from("orders")),
        fallback_from: None,
        status: 200,
        outcome: Outcome::Complete,
        error: None,
        error_type: None,
        bytes_in: 0,
        bytes_out: 12,
        head: Duration::from_millis(3),
        duration: Duration::from_millis(4),
        run: Some(Run {
            instance: 7,
            reused: 0,
            cpu: Duration::from_micros(800),
            memory: 2 << 20,
            called: Duration::from_micros(50),
            wait: Duration::from_micros(10),
            start: Duration::from_micros(300),
            took: Duration::from_millis(3),
        }),
    }
}

/// Its scope, as it would have been.
pub fn scope(telemetry: &Telemetry, record: &Record, headers: &HeaderMap) -> Scope {
    telemetry.scope(record.id, headers, (Instant::now(), record.time))
}

/// Ends a request that made some calls.
pub fn end(telemetry: &Telemetry, mut record: Record, headers: &HeaderMap, calls: usize) {
    let scope = scope(telemetry, &record, headers);
    record.trace_id = scope.trace;
    for _ in 0..calls {
        let open = scope.open();
        scope.close(open, Cow::Borrowed("wasi:keyvalue get"), false, |mut span| {
            span.set("db.system.name", "sqlite");
            span
        });
    }
    telemetry.ended(record, &scope);
}
