//! `GET /api/…`: what is kept, as JSON for the dashboard, the command line and scripts. Needs the token: it shows paths and lines of
//! everybody's requests. Fields may be added; none changes its meaning.

use super::cards;
use super::query::{Bad, Query};
use crate::figures;
use crate::live::Live;
use coracle_telemetry::Telemetry;
use coracle_telemetry::store::filter::{Logs, Requests};
use coracle_telemetry::store::history::{History, Point, Red};
use coracle_telemetry::store::view::{Line, Row, TraceView};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Traces of a list, unless asked otherwise.
const TRACES: usize = 100;

#[derive(Serialize)]
struct Overview {
    app: String,
    version: &'static str,
    service: Arc<str>,
    generation: u64,
    uptime_seconds: u64,
    ready: bool,
    reasons: Vec<String>,
    running: u64,
    total: u64,
    failed: u64,
    /// Since the start, by route.
    routes: BTreeMap<Box<str>, Red>,
    points: Vec<Point>,
    slots: (u32, u32),
    memory: u64,
    kept: Size,
    logs: Size,
    received: Size,
    upstreams: Vec<Upstream>,
}

#[derive(Serialize)]
struct Upstream {
    name: String,
    health: &'static str,
    reason: Option<String>,
}

/// How much is kept of something.
#[derive(Serialize)]
struct Size {
    count: usize,
    bytes: usize,
    lost: u64,
}

/// What a path asks for; `None` when there is no such path, `Value::Null` when the thing isn't there.
///
/// # Errors
/// When the query can't be understood.
pub fn answer(live: &Live, telemetry: &Telemetry, path: &str, query: Query<'_>) -> Result<Option<Value>, Bad> {
    let service = telemetry.service();
    let store = &telemetry.store;
    let value = match path.strip_prefix("/api/").unwrap_or_default() {
        "overview" => json!(overview(live, telemetry)),
        "requests" => {
            let found = store.find(&Requests::parse(query.0)?);
            json!(found.iter().map(|(n, kept)| Row::of(*n, kept)).collect::<Vec<_>>())
        }
        "logs" => {
            let found = store.find_logs(&Logs::parse(query.0)?);
            json!(found.iter().map(|(n, log)| Line::of(*n, log)).collect::<Vec<_>>())
        }
        "traces" => json!(store.traces(query.number("limit", TRACES)?.clamp(1, 1000), service)),
        "components" => json!(cards::all(live, telemetry)),
        path => match path.split_once('/') {
            Some(("traces", id)) => json!(id.parse().ok().and_then(|trace| store.trace(trace, service))),
            Some(("requests", id)) => json!(request(telemetry, id)),
            _ => return Ok(None),
        },
    };
    Ok(Some(value))
}

/// A request with its whole trace.
fn request(telemetry: &Telemetry, id: &str) -> Option<(Row, TraceView)> {
    let kept = telemetry.store.request(id.parse().ok()?)?;
    let trace = telemetry.store.trace(kept.record.trace_id, telemetry.service())?;
    Some((Row::of(0, &kept), trace))
}

fn overview(live: &Live, telemetry: &Telemetry) -> Overview {
    let state = live.state.load_full();
    let reasons = live.not_ready();
    let store = &telemetry.store;
    let size = |(count, bytes), lost| Size { count, bytes, lost };
    let upstreams = state.all_upstreams().take(200).map(|(name, loaded)| {
        let (health, reason) = match loaded.upstream.health() {
            crate::health::Health::Starting => ("starting", None),
            crate::health::Health::Ready => ("ready", None),
            crate::health::Health::Down(reason) => ("down", Some(reason)),
        };
        Upstream { name, health, reason }
    });
    Overview {
        app: state.app.name.clone(),
        version: env!("CARGO_PKG_VERSION"),
        service: Arc::clone(telemetry.service()),
        generation: state.generation,
        uptime_seconds: live.started.elapsed().as_secs(),
        ready: reasons.is_empty(),
        reasons,
        running: live.counts.running.load(Relaxed),
        total: live.counts.requests.load(Relaxed),
        failed: live.counts.failed.load(Relaxed),
        routes: History::totals(&figures::now(live, telemetry)),
        points: store.history.points(),
        slots: live.engine.slots(),
        memory: live.engine.memory_used(),
        kept: size(store.requests.size(), store.requests.lost()),
        logs: size(store.logs.size(), store.logs.lost()),
        received: size(store.received.size(), store.received.lost()),
        upstreams: upstreams.collect(),
    }
}
