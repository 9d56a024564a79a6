//! What telemetry costs a request, apart from all else: `cargo run --release -p coracle-telemetry --example cost`.
//!
//! A request here is its scope, its calls and its end, as the edge and the host ask for them; the record itself is made in any case.

use coracle_telemetry::export::settings::Settings;
use coracle_telemetry::{Options, Outcome, Record, RequestId, Run, SpanId, Telemetry, TraceId};
use http::HeaderMap;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

const REQUESTS: u32 = 300_000;

fn main() {
    for (name, sampler, calls) in [
        ("default sampling, no calls", None, 0),
        ("default sampling, 3 calls", None, 3),
        ("all traces kept, no calls", Some("always_on"), 0),
        ("all traces kept, 3 calls", Some("always_on"), 3),
    ] {
        let get = |variable: &str| sampler.filter(|_| variable == "OTEL_TRACES_SAMPLER").map(str::to_owned);
        let telemetry = Telemetry::new(&Settings::read(&get).0, Options::default());
        let route: Arc<str> = Arc::from("/orders/:id");
        let destination: Arc<str> = Arc::from("orders");
        // Once to fill what is kept, once to measure.
        let mut best = Duration::MAX;
        for _ in 0..3 {
            let mut spent = Duration::ZERO;
            for n in 0..REQUESTS {
                let record = record(n, &route, &destination);
                let began = Instant::now();
                request(&telemetry, record, calls);
                spent += began.elapsed();
            }
            best = best.min(spent);
        }
        println!("{name:32} {:>6.0} ns a request", best.as_secs_f64() * 1e9 / f64::from(REQUESTS));
    }
    let clock = Instant::now();
    for _ in 0..REQUESTS {
        std::hint::black_box(Instant::now().elapsed());
    }
    println!(
        "{:32} {:>6.0} ns (is in each of the above)",
        "the measurement itself",
        clock.elapsed().as_secs_f64() * 1e9 / f64::from(REQUESTS)
    );
}

fn request(telemetry: &Telemetry, record: Record, calls: usize) {
    let scope = telemetry.scope(record.id, &HeaderMap::new(), (Instant::now(), record.time));
    for _ in 0..calls {
        let open = scope.open();
        scope.close(open, Cow::Borrowed("kv get"), false, |mut span| {
            span.set("db.system.name", "coracle.keyvalue");
            span.set("db.operation.name", "get");
            span
        });
    }
    telemetry.ended(record, &scope);
}

fn record(n: u32, route: &Arc<str>, destination: &Arc<str>) -> Record {
    let id = RequestId(u128::from(n).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835) | 1);
    Record {
        id,
        trace_id: TraceId::of(id),
        span_id: SpanId::nth(id, 0),
        time: SystemTime::now(),
        method: http::Method::GET,
        host: "shop.example".to_owned(),
        path: format!("/orders/{n}"),
        route: Some(Arc::clone(route)),
        destination: Some(Arc::clone(destination)),
        fallback_from: None,
        status: 200,
        outcome: Outcome::Complete,
        error: None,
        error_type: None,
        bytes_in: 0,
        bytes_out: 12,
        head: Duration::from_micros(90),
        duration: Duration::from_micros(100),
        run: Some(Run { reused: 3, cpu: Duration::from_micros(60), memory: 2 << 20, ..Run::default() }),
    }
}
