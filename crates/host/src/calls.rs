//! Calls of guests into the host, noted: how long each took and how it ended, as a span of the request that made it and in the figures
//! of its interface.
//!
//! ```text
//! guest ─ host call ─ Calls::begin (entry: who is calling?) ─▶ HostCall ─ end ─▶ span of the request │ of the instance
//!                                                                           └──▶ figures, by interface and grant
//! ```
//! Who is calling is read on entry: from the request that has the instance to itself, or else by a hook that asks the runtime at each
//! call. Where that is not known the span hangs on the instance, with the attribute `coracle.caller = "instance"`.

use crate::roots::{Seat, Sitting};
use coracle_telemetry::metrics::names::Name;
use coracle_telemetry::span::{Kind, Span, Status};
use coracle_telemetry::{Attribute, Open, Scope, Telemetry, TraceId, Value};
use std::borrow::Cow;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime};

/// Notes the calls of one instance; nothing while telemetry is off. Copies are cheap.
#[derive(Clone, Default)]
pub struct Calls(Option<Arc<Noting>>);

struct Noting {
    telemetry: Arc<Telemetry>,
    component: Arc<str>,
    seat: Seat,
    /// The trace of calls whose request is not known, begun by the first of them.
    trace: OnceLock<TraceId>,
    orphans: AtomicU32,
}

/// Spans of an instance that belong to no request; further ones are only counted in the figures.
const ORPHANS: u32 = 128;

/// A function of the host, as calls of it are named.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// The grant it needs.
    pub grant: &'static str,
    /// Without its version.
    pub interface: &'static str,
    pub name: &'static str,
    /// The span's name, of few different values.
    pub span: &'static str,
}

/// A call that is under way. Dropped without an end it counts as cancelled.
pub struct HostCall(Option<Box<Started>>);

struct Started {
    noting: Arc<Noting>,
    function: Function,
    began: Instant,
    time: SystemTime,
    caller: Option<(Sitting, Open)>,
    attributes: Vec<Attribute>,
    name: Option<String>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Well,
    /// It was not granted.
    Denied,
    /// With the kind of error, of a closed set.
    Badly(&'static str),
}

impl Calls {
    pub(crate) fn new(telemetry: Option<&Arc<Telemetry>>, component: &Arc<str>, seat: &Seat) -> Self {
        Self(telemetry.map(|telemetry| {
            let (component, seat) = (Arc::clone(component), seat.clone());
            let telemetry = Arc::clone(telemetry);
            Arc::new(Noting { telemetry, component, seat, trace: OnceLock::new(), orphans: AtomicU32::new(0) })
        }))
    }

    /// A call begins; to be called on its entry, before anything is awaited.
    #[must_use]
    pub fn begin(&self, function: Function) -> HostCall {
        let Some(noting) = &self.0 else { return HostCall(None) };
        let caller = noting.seat.get().and_then(|sitting| {
            let open = sitting.meter.scope()?.open();
            Some((sitting, open))
        });
        HostCall(Some(Box::new(Started {
            noting: Arc::clone(noting),
            function,
            began: Instant::now(),
            time: SystemTime::now(),
            caller,
            attributes: Vec::new(),
            name: None,
        })))
    }

    /// Looks at the scope of the request that is calling, if that is known; only on entry of a host call.
    pub fn with_scope<T>(&self, look: impl FnOnce(&Scope) -> T) -> Option<T> {
        let sitting = self.0.as_ref()?.seat.get()?;
        sitting.meter.scope().map(look)
    }

    /// Keeps a span whose request is not known as one of the instance.
    pub fn orphan(&self, span: Span) {
        if let Some(noting) = &self.0 {
            noting.orphan(span);
        }
    }

    /// What this process measures and keeps; `None` while telemetry is off.
    #[must_use]
    pub fn telemetry(&self) -> Option<&Arc<Telemetry>> {
        self.0.as_ref().map(|noting| &noting.telemetry)
    }

    /// The component whose calls are noted.
    #[must_use]
    pub fn component(&self) -> Option<&Arc<str>> {
        self.0.as_ref().map(|noting| &noting.component)
    }
}

impl Noting {
    /// The trace of what belongs to no request.
    fn trace(&self) -> TraceId {
        *self.trace.get_or_init(|| self.telemetry.fresh_trace())
    }

    fn orphan(&self, mut span: Span) {
        if self.orphans.fetch_add(1, Relaxed) >= ORPHANS {
            return;
        }
        span.trace = self.trace();
        span.set("wasm.component.name", &self.component);
        span.set("coracle.caller", "instance");
        self.telemetry.orphan(span);
    }
}

impl HostCall {
    /// Whether anybody listens: attributes that cost something need not be made otherwise.
    #[must_use]
    pub fn is_noted(&self) -> bool {
        self.0.is_some()
    }

    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        if let Some(started) = &mut self.0 {
            started.attributes.push(Attribute::new(key, value));
        }
    }

    /// Gives its span another name than the function's; it must be one of few.
    pub fn rename(&mut self, name: String) {
        if let Some(started) = &mut self.0 {
            started.name = Some(name);
        }
    }

    /// Writes the trace's headers, unless the guest has set its own.
    pub fn pass_on(&self, headers: &mut http::HeaderMap) {
        let Some(started) = &self.0 else { return };
        if let Some((sitting, open)) = &started.caller
            && started.noting.telemetry.passes_on()
            && let Some(scope) = sitting.meter.scope()
        {
            scope.pass_on(open.id, headers);
        }
    }

    /// The call has ended.
    pub fn end(mut self, ended: Ended) {
        if let Some(started) = self.0.take() {
            started.end(ended);
        }
    }
}

impl Drop for HostCall {
    fn drop(&mut self) {
        if let Some(started) = self.0.take() {
            started.end(Ended::Badly("cancelled"));
        }
    }
}

impl Started {
    fn end(self, ended: Ended) {
        let Self { noting, function, began, time, caller, attributes, name } = self;
        let Function { grant, interface, name: of, span } = function;
        let seconds = began.elapsed().as_secs_f64();
        let error = match ended {
            Ended::Well => "",
            Ended::Denied => "denied",
            Ended::Badly(kind) => kind,
        };
        let component = &*noting.component;
        noting.telemetry.metrics.with(|table| {
            table.observe(Name::HostCall, &[component, interface, of, error], seconds, None);
            let grants = if ended == Ended::Denied { Name::GrantDenied } else { Name::GrantUsed };
            table.add(grants, &[component, grant], 1.0);
        });
        let name = name.map_or(Cow::Borrowed(span), Cow::Owned);
        let fill = |mut span: Span| {
            span.set("wasm.interface", interface);
            span.set("wasm.function", of);
            span.attributes.extend(attributes);
            if ended != Ended::Well {
                span.set("error.type", error);
                span.status = Status::Error(String::new());
            }
            span
        };
        match &caller {
            Some((sitting, open)) => {
                if let Some(scope) = sitting.meter.scope() {
                    scope.close(*open, name, ended != Ended::Well, fill);
                }
            }
            None => {
                let start = coracle_telemetry::span::nanos(time);
                let took = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
                let id = noting.telemetry.fresh_span();
                noting.orphan(fill(Span::new(
                    noting.trace(),
                    id,
                    name,
                    Kind::Client,
                    (start, start.saturating_add(took)),
                )));
            }
        }
    }
}
