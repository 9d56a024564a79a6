//! All of it put together: what a process measures, keeps and sends. The edge has one, and asks it twice a request: at the head
//! ([`Telemetry::scope`]) and at the end ([`Telemetry::ended`]).

use crate::context::{self, Parent};
use crate::export::settings::{Exemplars, Propagate};
use crate::export::{self, Export, Look, NotStarted};
use crate::id::{RequestId, SpanId, TraceId};
use crate::kept::Kept;
use crate::log::{Log, Source};
use crate::metrics::Metrics;
use crate::metrics::names::Name;
use crate::otlp::{Origin, Resource};
use crate::record::Record;
use crate::sample::Sampler;
use crate::scope::Scope;
use crate::span::Span;
use crate::store::{Room, Store};
use http::HeaderMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

/// What a process measures, keeps and sends.
pub struct Telemetry {
    pub metrics: Arc<Metrics>,
    pub store: Store,
    /// Whose telemetry it is, once that is known.
    named: OnceLock<Named>,
    given: Vec<(String, String)>,
    sampler: Sampler,
    propagate: Propagate,
    exemplars: Exemplars,
    budget: usize,
    began: Instant,
    export: OnceLock<Export>,
    seed: u128,
    fresh: AtomicU64,
}

/// A process's name for others.
struct Named {
    resource: Resource,
    /// Whose spans those are that belong to no request: ours.
    origin: Arc<Origin>,
}

impl Named {
    fn new(given: &[(String, String)], app: &str) -> Self {
        let mut resource = given.to_vec();
        if !resource.iter().any(|(key, _)| key == "service.name") {
            resource.insert(0, ("service.name".to_owned(), app.to_owned()));
        }
        for (key, value) in [
            ("telemetry.sdk.name", "coracle".to_owned()),
            ("telemetry.sdk.language", "rust".to_owned()),
            ("telemetry.sdk.version", env!("CARGO_PKG_VERSION").to_owned()),
            ("process.pid", std::process::id().to_string()),
        ] {
            resource.push((key.to_owned(), value));
        }
        let service = resource.iter().find(|(key, _)| key == "service.name").map_or("coracle", |(_, name)| name);
        let origin = Arc::new(Origin { service: Arc::from(service), attributes: Vec::new() });
        Self { resource: resource.into(), origin }
    }
}

/// What is not said by the standard variables.
#[derive(Clone, Debug)]
pub struct Options {
    pub room: Room,
    /// Requests that take this long are kept.
    pub slow: Duration,
    /// Calls of a request that are kept whole.
    pub budget: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { room: Room::default(), slow: Duration::from_secs(1), budget: 128 }
    }
}

impl Telemetry {
    /// Sends nothing yet.
    #[must_use]
    pub fn new(settings: &export::settings::Settings, options: Options) -> Self {
        Self {
            metrics: Arc::default(),
            store: Store::new(options.room),
            seed: u128::from(crate::span::nanos(SystemTime::now())) << 32 | u128::from(std::process::id()),
            fresh: AtomicU64::new(0),
            named: OnceLock::new(),
            given: settings.resource.clone(),
            sampler: Sampler::new(settings.rule, settings.by_parent, options.slow),
            propagate: settings.propagate,
            exemplars: settings.exemplars,
            budget: options.budget,
            began: Instant::now(),
            export: OnceLock::new(),
        }
    }

    /// Gives it the app's name, which counts where the variables name no service. Only the first name counts.
    pub fn name(&self, app: &str) {
        self.named.get_or_init(|| Named::new(&self.given, app));
    }

    fn named(&self) -> &Named {
        self.named.get_or_init(|| Named::new(&self.given, "coracle"))
    }

    /// Whose telemetry it is: `service.name` and what else is known.
    #[must_use]
    pub fn resource(&self) -> &Resource {
        &self.named().resource
    }

    /// Our own `service.name`.
    #[must_use]
    pub fn service(&self) -> &Arc<str> {
        &self.named().origin.service
    }

    /// Begins to send what the settings say; `look` gives all figures.
    ///
    /// # Errors
    /// When a target can't be used, or the thread does not start.
    pub fn export(&self, settings: &export::settings::Settings, look: Look) -> Result<(), NotStarted> {
        let settings = export::settings::Settings { resource: self.resource().to_vec(), ..settings.clone() };
        if let Some(export) = Export::start(&settings, &self.metrics, look)? {
            let _ = self.export.set(export);
        }
        Ok(())
    }

    /// A request has come: where it stands in its trace, and whether that is kept.
    #[must_use]
    pub fn scope(&self, request: RequestId, headers: &HeaderMap, (now, time): (Instant, SystemTime)) -> Scope {
        let parent = if self.propagate.trace { Parent::of(headers) } else { None };
        let trace = parent.map_or_else(|| TraceId::of(request), |parent| parent.trace);
        let second = now.saturating_duration_since(self.began).as_secs() + 1;
        let sampled = self.sampler.samples(parent.as_ref(), trace, second);
        let mut scope = Scope::new(request, parent, sampled, self.budget, (now, crate::span::nanos(time)));
        if parent.is_some() {
            scope.state = context::state(headers);
        }
        if self.propagate.baggage && headers.contains_key(context::BAGGAGE) {
            scope.baggage = context::baggage(headers);
        }
        scope
    }

    /// Whether requests made for others carry the trace on.
    #[must_use]
    pub fn passes_on(&self) -> bool {
        self.propagate.trace
    }

    /// A request has ended: counts it, keeps it, sends it.
    pub fn ended(&self, record: Record, scope: &Scope) {
        let why = self.sampler.keeps(scope.sampled, &record);
        let exemplar = match self.exemplars {
            Exemplars::Kept => why.is_some(),
            Exemplars::All => true,
            Exemplars::None => false,
        };
        self.metrics.with(|table| {
            table.ended(&record, exemplar);
            if let Some(why) = why {
                table.add(Name::Kept, &[why.name()], 1.0);
            }
        });
        let calls = why.map(|why| (why, scope.take()));
        let kept = Arc::new(Kept::new(record, scope.parent, scope.state.clone(), calls));
        if why.is_some()
            && let Some(export) = self.export.get()
        {
            export.request(&kept);
        }
        // When it ended, without another look at the clock.
        let took = u64::try_from(kept.record.duration.as_nanos()).unwrap_or(u64::MAX);
        let (bytes, at) = (kept.weight(), crate::span::nanos(kept.record.time).saturating_add(took));
        self.store.requests.push(kept, bytes, at);
    }

    /// The id of a trace that no request began.
    #[must_use]
    pub fn fresh_trace(&self) -> TraceId {
        TraceId::of(self.fresh())
    }

    /// The id of a span that belongs to no request.
    #[must_use]
    pub fn fresh_span(&self) -> SpanId {
        SpanId::nth(self.fresh(), 0)
    }

    /// A number that no other process is likely to have.
    fn fresh(&self) -> RequestId {
        let n = u128::from(self.fresh.fetch_add(1, Relaxed)) << 64;
        RequestId(self.seed ^ n)
    }

    /// Keeps and sends a span that belongs to no request.
    pub fn orphan(&self, span: Span) {
        if let Some(export) = self.export.get() {
            export.span(&span);
        }
        self.store.receive(&self.named().origin, span);
    }

    /// Keeps and sends a line. What came by OTLP is kept only: its sender may send it on itself.
    pub fn log(&self, log: Log) {
        let log = Arc::new(log);
        if let (Some(export), true) = (self.export.get(), log.source != Source::Received) {
            export.line(&log);
        }
        self.store.log(log);
    }

    /// Sends what is left, for at most this long.
    pub fn end(&self, within: Duration) {
        if let Some(export) = self.export.get() {
            export.end(within);
        }
    }
}

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Telemetry")
    }
}
