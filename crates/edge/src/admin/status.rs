//! `GET /status`: what is loaded and what it is doing, as JSON. Fields may be added; none changes its meaning.

use crate::health::Health;
use crate::live::Live;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

#[derive(Serialize)]
pub struct Status {
    app: String,
    version: &'static str,
    generation: u64,
    uptime_seconds: u64,
    ready: bool,
    reasons: Vec<String>,
    requests: Requests,
    tunnels: usize,
    /// Of a folder: those that are served.
    #[serde(skip_serializing_if = "Option::is_none")]
    apps: Option<Vec<String>>,
    /// By place, with the report: not served, or as they were before.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_apps: Option<BTreeMap<String, String>>,
    images: Images,
    components: BTreeMap<String, Component>,
    upstreams: BTreeMap<String, Upstream>,
    routes: Vec<Route>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Requests {
    /// Ended since the start.
    total: u64,
    running: u64,
    /// Ended without a good answer, or broken off on our side.
    failed: u64,
}

/// Compiled code that is mapped.
#[derive(Serialize)]
struct Images {
    mapped: usize,
    bytes: u64,
    /// What may be mapped at the same time.
    most_bytes: u64,
    most: u64,
    /// How often code was mapped, and how often it was let go of to make room, since the start.
    loaded: u64,
    evicted: u64,
}

#[derive(Serialize)]
struct Component {
    digest: String,
    /// Its code is mapped.
    mapped: bool,
    running: u32,
    waiting: usize,
    denied: u64,
    memory_bytes: u64,
    /// Requests that failed because another one in their instance trapped, and those that ran again alone.
    collateral: u64,
    replayed: u64,
}

#[derive(Serialize)]
struct Upstream {
    url: String,
    supervised: bool,
    health: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize)]
struct Route {
    route: Arc<str>,
    to: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback: Option<Arc<str>>,
}

/// The status at this moment.
pub fn of(live: &Live) -> Status {
    let state = live.state.load_full();
    let reasons = live.not_ready();
    let components = state.all_components().map(|(name, loaded)| {
        let status = loaded.component.pool.status();
        let component = Component {
            digest: format!("sha256:{}", loaded.digest),
            mapped: status.mapped,
            running: status.running,
            waiting: status.waiting,
            denied: status.denied,
            memory_bytes: status.memory,
            collateral: status.collateral,
            replayed: status.replayed,
        };
        (name, component)
    });
    let upstreams = state.all_upstreams().map(|(name, loaded)| {
        let (health, reason) = match loaded.upstream.health() {
            Health::Starting => ("starting", None),
            Health::Ready => ("ready", None),
            Health::Down(reason) => ("down", Some(reason)),
        };
        let supervised = loaded.spec.command.is_some();
        (name, Upstream { url: loaded.spec.url.to_string(), supervised, health, reason })
    });
    let routes = state.routes.iter().map(|route| Route {
        route: Arc::clone(&route.pattern),
        to: route.first.name(),
        fallback: route.fallback.as_ref().map(crate::destination::Destination::name),
    });
    let mapped = live.engine.mapped();
    let (apps, failed_apps) =
        state.apps().map(|(names, failed)| (names.into_iter().map(str::to_owned).collect(), failed.clone())).unzip();
    Status {
        apps,
        failed_apps,
        images: Images {
            mapped: mapped.images,
            bytes: mapped.bytes,
            most_bytes: mapped.cap,
            most: mapped.most,
            loaded: mapped.loaded,
            evicted: mapped.evicted,
        },
        app: state.app.name.clone(),
        version: env!("CARGO_PKG_VERSION"),
        generation: state.generation,
        uptime_seconds: live.started.elapsed().as_secs(),
        ready: reasons.is_empty(),
        reasons,
        requests: Requests {
            total: live.counts.requests.load(Relaxed),
            running: live.counts.running.load(Relaxed),
            failed: live.counts.failed.load(Relaxed),
        },
        tunnels: live.tunnels.open(),
        components: components.collect(),
        upstreams: upstreams.collect(),
        routes: routes.collect(),
        notes: state.notes.iter().map(|note| note.text.clone()).collect(),
    }
}
