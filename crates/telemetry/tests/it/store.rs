//! Looking for requests, traces and lines in what is kept.

use crate::rig::{end, record, telemetry};
use coracle_telemetry::store::filter::{Logs, Requests};
use coracle_telemetry::store::view::Row;
use coracle_telemetry::{Log, Outcome, Severity, Source, Telemetry, Why};
use http::HeaderMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn found(telemetry: &Telemetry, query: &str) -> Vec<u128> {
    let filter = Requests::parse(query).unwrap();
    telemetry.store.find(&filter).into_iter().map(|(_, kept)| kept.record.id.0 & 0xffff).collect()
}

#[test]
fn filters() {
    let (telemetry, _) = telemetry(&[("OTEL_TRACES_SAMPLER", "always_off")]);
    let none = HeaderMap::new();
    end(&telemetry, record(1), &none, 0);
    let mut slow = record(2);
    slow.duration = Duration::from_secs(2);
    // Requests stand in the order of their ends.
    slow.time -= slow.duration - record(2).duration;
    end(&telemetry, slow, &none, 5);
    let mut failed = record(3);
    (failed.status, failed.outcome, failed.error) = (502, Outcome::Failed, Some("`orders` Trapped".to_owned()));
    end(&telemetry, failed, &none, 5);
    let mut fell_back = record(4);
    (fell_back.fallback_from, fell_back.destination) = (Some(Arc::from("orders")), Some(Arc::from("node")));
    end(&telemetry, fell_back, &none, 5);
    let check = |query: &str, expected: &[u128]| assert_eq!(found(&telemetry, query), expected, "{query}");
    check("", &[4, 3, 2, 1]);
    check("limit=2", &[4, 3]);
    check("problems=1", &[4, 3]);
    check("slower_ms=1000", &[2]);
    check("status=5xx", &[3]);
    check("text=TRAPPED", &[3]);
    check("text=orders/2", &[2]);
    check("destination=node", &[4]);
    check("destination=orders&method=get&route=/orders/{id}", &[4, 3, 2, 1]);
    check("outcome=failed", &[3]);
    check("cold=1&before=3", &[2, 1]);
    check("after=2", &[4, 3]);
    let whys: Vec<_> =
        telemetry.store.requests.after(0, 9).into_iter().map(|(_, kept)| (kept.why, kept.calls.len())).collect();
    let kept = |why| (Some(why), 5);
    assert_eq!(
        whys,
        [(None, 0), kept(Why::Slow), kept(Why::Error), kept(Why::FellBack)],
        "what is worth a look is kept"
    );
}

#[test]
fn a_trace_is_put_together() {
    let (telemetry, _) = telemetry(&[("OTEL_TRACES_SAMPLER", "always_on")]);
    end(&telemetry, record(1), &HeaderMap::new(), 2);
    let kept = telemetry.store.requests.get(1).unwrap();
    telemetry.log(Log {
        time: 9,
        severity: Severity::Info,
        source: Source::Stdout,
        body: "mine".into(),
        name: None,
        request: Some(kept.record.id),
        trace: Some(kept.record.trace_id),
        span: None,
        attributes: vec![],
    });
    let trace = telemetry.store.trace(kept.record.trace_id, telemetry.service()).unwrap();
    assert_eq!((trace.spans.len(), trace.requests.len(), trace.logs.len(), trace.partial), (5, 1, 1, false));
    let rows = telemetry.store.traces(10, telemetry.service());
    assert_eq!((rows.len(), rows[0].name.as_str(), rows[0].spans), (1, "GET /orders/{id}", 5));
    let lines = telemetry.store.find_logs(&Logs::parse(&format!("request={}", kept.record.id)).unwrap());
    assert_eq!(lines.len(), 1);
    assert!(telemetry.store.find_logs(&Logs::parse("severity=error").unwrap()).is_empty());
}

#[test]
fn a_hundred_thousand_are_searched_quickly() {
    let (telemetry, _) = telemetry(&[("OTEL_TRACES_SAMPLER", "always_off")]);
    let none = HeaderMap::new();
    for n in 0..100_000 {
        end(&telemetry, record(n), &none, 0);
    }
    let (count, bytes) = telemetry.store.requests.size();
    assert_eq!(count, 100_000);
    assert!(bytes < 48 << 20, "{bytes} bytes");
    let began = Instant::now();
    let filter = Requests::parse("text=/orders/77").unwrap();
    let found = telemetry.store.find(&filter);
    assert_eq!(found.len(), 100);
    assert!(found.iter().map(|(n, kept)| Row::of(*n, kept)).all(|row| row.path.contains("/orders/77")));
    assert!(telemetry.store.find(&Requests::parse("text=nowhere").unwrap()).is_empty());
    // Unoptimised and beside other tests; a release build takes a few milliseconds.
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}
