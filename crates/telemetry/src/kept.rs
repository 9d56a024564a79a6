//! A request that has ended, as it is kept and exported: its record, and the spans of what it did.
//!
//! The spans of the request itself and of its component's run are not built while it runs: all they say stands in the record, and most
//! requests are never looked at. [`Kept::spans`] builds them.

use crate::id::SpanId;
use crate::record::{Outcome, Record, Run};
use crate::sample::Why;
use crate::scope::{Calls, INSTANTIATE, INVOKE, Rest};
use crate::span::{Event, Kind, Span, Status, nanos};
use crate::value::{Attribute, Value};
use std::borrow::Cow;
use std::time::Duration;

/// A request that has ended.
#[derive(Clone, Debug)]
pub struct Kept {
    pub record: Record,
    /// The caller's span, and its `tracestate`.
    pub parent: Option<SpanId>,
    pub state: Option<Box<str>>,
    /// Why its trace was kept; `None`: only the record was.
    pub why: Option<Why>,
    /// Of the calls it made. Empty when the trace was not kept.
    pub calls: Vec<Span>,
    pub rest: Vec<Rest>,
}

impl Kept {
    /// Its place in the trace and what it did, if that is kept.
    #[must_use]
    pub fn new(record: Record, parent: Option<SpanId>, state: Option<Box<str>>, kept: Option<(Why, Calls)>) -> Self {
        let (why, calls) = kept.unzip();
        let Calls { spans, rest, .. } = calls.unwrap_or_default();
        Self { record, parent, state, why, calls: spans, rest }
    }

    /// Bytes it takes in memory, about.
    #[must_use]
    pub fn weight(&self) -> usize {
        let record = &self.record;
        let error = record.error.as_ref().map_or(0, String::len);
        let calls: usize = self.calls.iter().map(Span::weight).sum();
        size_of::<Self>() + record.host.len() + record.path.len() + error + calls + self.rest.len() * size_of::<Rest>()
    }

    /// All spans: the request's, its run's, and those of its calls.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::with_capacity(self.calls.len() + 3);
        spans.push(self.server());
        if let Some(run) = &self.record.run {
            self.run(run, &mut spans);
        }
        spans.extend(self.calls.iter().cloned());
        spans
    }

    fn at(&self, offset: Duration) -> u64 {
        nanos(self.record.time).saturating_add(u64::try_from(offset.as_nanos()).unwrap_or(u64::MAX))
    }

    fn span(&self, n: u32, name: String, kind: Kind, (from, to): (Duration, Duration)) -> Span {
        let id = SpanId::nth(self.record.id, n);
        Span::new(self.record.trace_id, id, name, kind, (self.at(from), self.at(to)))
    }

    /// The server span, by the HTTP semantic conventions.
    fn server(&self) -> Span {
        let record = &self.record;
        let method = method(&record.method);
        let shown = if method == "_OTHER" { "HTTP" } else { method };
        let name =
            record.route.as_ref().map_or_else(|| shown.to_owned(), |route| format!("{shown} {}", pattern(route)));
        let mut span = self.span(0, name, Kind::Server, (Duration::ZERO, record.duration));
        span.id = record.span_id;
        span.parent = self.parent;
        span.state.clone_from(&self.state);
        span.set("http.request.method", method);
        if method == "_OTHER" {
            span.set("http.request.method_original", record.method.as_str().to_owned());
        }
        span.set("url.scheme", "http");
        span.set("url.path", record.path.clone());
        span.set("server.address", record.host.clone());
        if let Some(route) = &record.route {
            span.set("http.route", pattern(route).to_owned());
        }
        if record.status > 0 {
            span.set("http.response.status_code", record.status);
        }
        span.set("http.request.body.size", record.bytes_in);
        span.set("http.response.body.size", record.bytes_out);
        span.set("coracle.request.id", record.id.to_string());
        span.set("coracle.outcome", record.outcome.name());
        for (key, value) in
            [("coracle.destination", &record.destination), ("coracle.fallback.from", &record.fallback_from)]
        {
            if let Some(value) = value {
                span.set(key, value);
            }
        }
        if let Some(why) = self.why {
            span.set("coracle.kept", why.name());
        }
        let failed = matches!(record.outcome, Outcome::Failed | Outcome::Truncated) || record.status >= 500;
        if let Some(error) = error_type(record) {
            span.set("error.type", error);
        }
        if failed {
            span.status = Status::Error(record.error.clone().unwrap_or_default());
        }
        if record.fallback_from.is_some() {
            let attributes = record.error.iter().map(|error| Attribute::new("error.message", error.clone())).collect();
            let time = self.at(record.run.map_or(Duration::ZERO, |run| run.called + run.took));
            span.events.push(Event { time, name: Cow::Borrowed("coracle.fallback"), attributes });
        }
        span
    }

    /// The run of the component, and the making of its instance when it was made for this request.
    fn run(&self, run: &Run, spans: &mut Vec<Span>) {
        let record = &self.record;
        // Who fell back was first answered by the component; else the destination is the component.
        let name = record.fallback_from.as_ref().or(record.destination.as_ref());
        let whose = name.map_or("?", |name| name);
        let end = if run.took.is_zero() { record.duration } else { run.called + run.took };
        let mut invoke = self.span(INVOKE, format!("wasm.invoke {whose}"), Kind::Internal, (run.called, end));
        invoke.parent = Some(record.span_id);
        if let Some(name) = name {
            invoke.set("wasm.component.name", name);
        }
        invoke.set("wasm.instance.id", run.instance);
        invoke.set("wasm.instance.reuse_count", run.reused);
        invoke.set("faas.coldstart", run.reused == 0);
        invoke.set("wasm.cpu_time_us", micros(run.cpu));
        invoke.set("wasm.memory.peak_bytes", run.memory);
        invoke.set("coracle.queue_us", micros(run.wait));
        if record.error.is_some() || record.fallback_from.is_some() {
            let text = record.error.clone().unwrap_or_default();
            let kind = record.error_type.unwrap_or("_OTHER");
            invoke.set("error.type", kind);
            let attributes =
                vec![Attribute::new("exception.type", kind), Attribute::new("exception.message", text.clone())];
            invoke.events.push(Event { time: invoke.end, name: Cow::Borrowed("exception"), attributes });
            invoke.status = Status::Error(text);
        }
        let parent = invoke.id;
        for rest in &self.rest {
            let attributes = vec![
                Attribute::new("wasm.hostcall.name", rest.name.to_string()),
                Attribute::new("wasm.hostcall.count", rest.count),
                Attribute::new("wasm.hostcall.errors", rest.errors),
                Attribute::new("wasm.hostcall.total_us", rest.nanos / 1000),
            ];
            invoke.events.push(Event { time: invoke.end, name: Cow::Borrowed("wasm.hostcalls"), attributes });
        }
        spans.push(invoke);
        if !run.start.is_zero() {
            let from = run.called + run.wait;
            let name = format!("wasm.instantiate {whose}");
            let mut start = self.span(INSTANTIATE, name, Kind::Internal, (from, from + run.start));
            start.parent = Some(parent);
            spans.push(start);
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The path pattern of a route as it is listed: `GET example.com/api/{id}` → `example.com/api/{id}`.
#[must_use]
pub fn pattern(route: &str) -> &str {
    route.split_once(' ').map_or(route, |(_, pattern)| pattern)
}

/// The method as a label or name may hold it: clients choose methods at will.
#[must_use]
pub fn method(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "PATCH" => "PATCH",
        "CONNECT" => "CONNECT",
        "TRACE" => "TRACE",
        "QUERY" => "QUERY",
        _ => "_OTHER",
    }
}

/// `error.type` of a request, for spans and metrics: the kind of failure, or the status if that says there was one.
#[must_use]
pub fn error_type(record: &Record) -> Option<Value> {
    match (record.outcome, record.error_type, record.status) {
        (Outcome::Failed | Outcome::Truncated, Some(kind), _) => Some(Value::Word(kind)),
        (_, _, 500..) => Some(Value::Text(record.status.to_string())),
        (Outcome::Truncated, ..) => Some(Value::Word("truncated")),
        (Outcome::ClientGone, ..) => Some(Value::Word("client_gone")),
        _ => None,
    }
}

impl Why {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sampled => "sampled",
            Self::Error => "error",
            Self::FellBack => "fell_back",
            Self::Slow => "slow",
        }
    }
}

impl Outcome {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Truncated => "truncated",
            Self::ClientGone => "client_gone",
        }
    }
}
