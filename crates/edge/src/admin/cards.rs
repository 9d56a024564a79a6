//! What is known of each component: what it is, what it may and does, its limits and how near it is to them.

use crate::figures;
use crate::live::Live;
use coracle_telemetry::Telemetry;
use coracle_telemetry::metrics::names::{Kind, Name};
use coracle_telemetry::metrics::{Figure, Snapshot};
use serde::Serialize;

/// Components of one answer; of a folder there may be thousands.
const MOST: usize = 200;

#[derive(Serialize)]
pub struct Card {
    name: String,
    digest: String,
    world: String,
    imports: Vec<String>,
    exports: Vec<String>,
    producers: Vec<String>,
    size: u64,
    mapped: bool,
    routes: Vec<String>,
    notes: Vec<String>,
    grants: Vec<Grant>,
    limits: Vec<Limit>,
    instances: Instances,
    requests: f64,
    cpu_seconds: f64,
    /// Seconds.
    cold_start_p50: Option<f64>,
    wait_p95: Option<f64>,
    calls: Vec<Calls>,
    traps: Vec<Count>,
    limits_hit: Vec<Count>,
    denied: u64,
    collateral: u64,
    replayed: u64,
}

#[derive(Serialize)]
struct Grant {
    name: &'static str,
    granted: bool,
    imported: Vec<String>,
    /// Calls; `None` where nobody counts them.
    used: Option<f64>,
    denied: f64,
}

#[derive(Serialize)]
struct Limit {
    name: &'static str,
    unit: &'static str,
    most: f64,
    /// How much of it is taken now; `None` where that is known of single requests only.
    now: Option<f64>,
}

#[derive(Serialize)]
struct Instances {
    live: usize,
    running: u32,
    waiting: usize,
    created: f64,
    reused: f64,
    retired: Vec<Count>,
}

/// How often something was counted.
#[derive(Serialize)]
struct Count {
    what: String,
    count: f64,
}

/// Calls of one host function.
#[derive(Serialize)]
struct Calls {
    interface: String,
    function: String,
    error: String,
    count: u64,
    p50: Option<f64>,
    p95: Option<f64>,
}

/// The capabilities whose calls are counted.
const COUNTED: [&str; 4] = ["http", "keyvalue", "config", "telemetry"];

/// All components, by name.
pub fn all(live: &Live, telemetry: &Telemetry) -> Vec<Card> {
    let now = figures::now(live, telemetry);
    let state = live.state.load_full();
    let routes = |name: &str| {
        let to = |destination: &crate::destination::Destination| &*destination.name() == name;
        let of = state.routes.iter().filter(|route| to(&route.first) || route.fallback.as_ref().is_some_and(to));
        of.map(|route| route.pattern.to_string()).collect::<Vec<_>>()
    };
    let cards = state.all_components().take(MOST).map(|(name, loaded)| {
        let pool = &loaded.component.pool;
        let (card, status) = (pool.card(), pool.status());
        let of = Figures { now: &now, component: &name };
        let grants = card.capabilities.iter().map(|capability| Grant {
            name: capability.name,
            granted: capability.granted,
            imported: capability.imported.clone(),
            used: COUNTED.contains(&capability.name).then(|| of.number(Name::GrantUsed, capability.name)),
            denied: of.number(Name::GrantDenied, capability.name),
        });
        Card {
            digest: format!("sha256:{}", loaded.digest),
            world: card.world.clone(),
            imports: card.imports.clone(),
            exports: card.exports.clone(),
            producers: card.producers.clone(),
            size: card.size,
            mapped: status.mapped,
            routes: routes(&name),
            notes: loaded.notes.iter().map(|note| note.text.clone()).collect(),
            grants: grants.filter(|grant| grant.granted || !grant.imported.is_empty()).collect(),
            limits: limits(pool.limits(), &status),
            instances: Instances {
                live: status.live,
                running: status.running,
                waiting: status.waiting,
                created: of.sum(Name::Created),
                reused: of.sum(Name::Reused),
                retired: of.counts(Name::Retired),
            },
            requests: of.count(Name::CpuRequest),
            cpu_seconds: of.sum(Name::Cpu),
            cold_start_p50: of.quantile(Name::ColdStart, 0.5),
            wait_p95: of.quantile(Name::Wait, 0.95),
            calls: of.calls(),
            traps: of.counts(Name::Trap),
            limits_hit: of.counts(Name::Limit),
            denied: status.denied,
            collateral: status.collateral,
            replayed: status.replayed,
            name,
        }
    });
    cards.collect()
}

#[expect(clippy::cast_precision_loss, reason = "a page counts in floats")]
fn limits(limits: &coracle_manifest::Limits, status: &coracle_host::Status) -> Vec<Limit> {
    let limit = |name, unit, most: f64, now| Limit { name, unit, most, now };
    vec![
        limit("concurrency", "requests", f64::from(limits.concurrency), Some(f64::from(status.running))),
        limit("memory_total", "bytes", limits.memory_total as f64, Some(status.memory as f64)),
        limit("memory", "bytes", limits.memory as f64, None),
        limit("cpu_per_request", "seconds", limits.cpu_per_request.as_secs_f64(), None),
        limit("deadline", "seconds", limits.deadline.as_secs_f64(), None),
        limit("request_body", "bytes", limits.request_body as f64, None),
    ]
}

/// The figures of one component.
struct Figures<'a> {
    now: &'a Snapshot,
    component: &'a str,
}

impl Figures<'_> {
    fn series(&self, name: Name) -> impl Iterator<Item = (&[Box<str>], &Figure)> {
        let of = self.now.of(name).filter(|(labels, _)| labels.first().is_some_and(|label| &**label == self.component));
        of.map(|(labels, figure)| (labels.get(1..).unwrap_or_default(), figure))
    }

    fn number(&self, name: Name, label: &str) -> f64 {
        self.series(name)
            .filter(|(rest, _)| rest.first().is_some_and(|of| &**of == label))
            .map(|(_, of)| value(of))
            .sum()
    }

    fn sum(&self, name: Name) -> f64 {
        self.series(name).map(|(_, figure)| value(figure)).sum()
    }

    #[expect(clippy::cast_precision_loss, reason = "a page counts in floats")]
    fn count(&self, name: Name) -> f64 {
        let of = |figure: &Figure| match figure {
            Figure::Histogram(histogram) => histogram.count() as f64,
            Figure::Number(n) => *n,
        };
        self.series(name).map(|(_, figure)| of(figure)).sum()
    }

    fn counts(&self, name: Name) -> Vec<Count> {
        let of = |(rest, figure): (&[Box<str>], &Figure)| Count {
            what: rest.first().map(ToString::to_string).unwrap_or_default(),
            count: value(figure),
        };
        self.series(name).map(of).collect()
    }

    fn quantile(&self, name: Name, share: f64) -> Option<f64> {
        self.series(name).find_map(|(_, figure)| quantile(name, figure, share))
    }

    fn calls(&self) -> Vec<Calls> {
        let of = |(rest, figure): (&[Box<str>], &Figure)| match (rest, figure) {
            ([interface, function, error], Figure::Histogram(histogram)) => Some(Calls {
                interface: interface.to_string(),
                function: function.to_string(),
                error: error.to_string(),
                count: histogram.count(),
                p50: quantile(Name::HostCall, figure, 0.5),
                p95: quantile(Name::HostCall, figure, 0.95),
            }),
            _ => None,
        };
        self.series(Name::HostCall).filter_map(of).collect()
    }
}

fn quantile(name: Name, figure: &Figure, share: f64) -> Option<f64> {
    match (figure, name.metric().kind) {
        (Figure::Histogram(histogram), Kind::Histogram(bounds)) => histogram.quantile(bounds, share),
        _ => None,
    }
}

fn value(figure: &Figure) -> f64 {
    match figure {
        Figure::Number(n) => *n,
        Figure::Histogram(histogram) => histogram.sum,
    }
}
