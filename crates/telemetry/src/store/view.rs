//! What is kept, as the dashboard and the command line get it: JSON of a fixed shape. Fields may be added; none changes its meaning.

use super::Store;
use crate::id::{RequestId, SpanId, TraceId};
use crate::kept::Kept;
use crate::log::{Log, Severity, Source};
use crate::sample::Why;
use crate::span::{Span, Status};
use crate::value::json;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A request in a list.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its number, for paging.
    pub n: u64,
    pub id: RequestId,
    pub trace: TraceId,
    /// Milliseconds since 1970.
    pub time: u64,
    pub method: String,
    pub host: String,
    pub path: String,
    pub route: Option<Arc<str>>,
    pub destination: Option<Arc<str>>,
    pub fallback_from: Option<Arc<str>>,
    pub status: u16,
    pub outcome: &'static str,
    pub error: Option<String>,
    pub error_type: Option<&'static str>,
    pub duration_us: u64,
    pub head_us: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub cold: Option<bool>,
    pub instance: Option<u64>,
    pub cpu_us: Option<u64>,
    pub memory: Option<u64>,
    pub wait_us: Option<u64>,
    pub kept: Option<Why>,
    /// Calls that are known of it.
    pub calls: u64,
}

/// A span in a waterfall.
#[derive(Clone, Debug, Serialize)]
pub struct SpanView {
    pub id: SpanId,
    pub parent: Option<SpanId>,
    pub name: String,
    pub kind: &'static str,
    pub service: Arc<str>,
    /// Microseconds since 1970, with the part below as a fraction.
    pub start: f64,
    pub duration_us: f64,
    pub error: Option<String>,
    pub attributes: serde_json::Value,
    pub events: Vec<EventView>,
    /// The request whose span it is.
    pub request: Option<RequestId>,
}

/// Something that happened in a span.
#[derive(Clone, Debug, Serialize)]
pub struct EventView {
    pub time: f64,
    pub name: String,
    pub attributes: serde_json::Value,
}

/// A line.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    pub n: u64,
    /// Milliseconds since 1970.
    pub time: u64,
    pub severity: Severity,
    pub source: Source,
    pub name: Option<Arc<str>>,
    pub body: String,
    pub request: Option<RequestId>,
    pub trace: Option<TraceId>,
    pub span: Option<SpanId>,
    pub attributes: serde_json::Value,
}

/// A whole trace.
#[derive(Clone, Debug, Serialize)]
pub struct TraceView {
    pub trace: TraceId,
    /// Microseconds since 1970.
    pub start: f64,
    pub duration_us: f64,
    pub spans: Vec<SpanView>,
    pub requests: Vec<Row>,
    pub logs: Vec<Line>,
    /// Its calls were not kept: the trace was not sampled and ended well.
    pub partial: bool,
}

/// A trace in a list.
#[derive(Clone, Debug, Serialize)]
pub struct TraceRow {
    pub trace: TraceId,
    pub name: String,
    pub services: BTreeSet<Arc<str>>,
    pub start: f64,
    pub duration_us: f64,
    pub spans: usize,
    pub errors: usize,
}

/// Lines shown with a trace.
const LINES: usize = 500;

#[expect(clippy::cast_precision_loss, reason = "a browser counts in floats; they hold microseconds since 1970 exactly")]
fn micros(nanos: u64) -> f64 {
    (nanos / 1000) as f64 + (nanos % 1000) as f64 / 1000.0
}

impl Row {
    #[must_use]
    pub fn of(n: u64, kept: &Kept) -> Self {
        let record = &kept.record;
        let us = |duration: std::time::Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let calls = kept.calls.len() as u64 + kept.rest.iter().map(|rest| rest.count).sum::<u64>();
        Self {
            n,
            id: record.id,
            trace: record.trace_id,
            time: crate::span::nanos(record.time) / 1_000_000,
            method: record.method.to_string(),
            host: record.host.clone(),
            path: record.path.clone(),
            route: record.route.clone(),
            destination: record.destination.clone(),
            fallback_from: record.fallback_from.clone(),
            status: record.status,
            outcome: record.outcome.name(),
            error: record.error.clone(),
            error_type: record.error_type,
            duration_us: us(record.duration),
            head_us: us(record.head),
            bytes_in: record.bytes_in,
            bytes_out: record.bytes_out,
            cold: record.run.map(|run| run.reused == 0),
            instance: record.run.map(|run| run.instance),
            cpu_us: record.run.map(|run| us(run.cpu)),
            memory: record.run.map(|run| run.memory),
            wait_us: record.run.map(|run| us(run.wait)),
            kept: kept.why,
            calls,
        }
    }
}

impl SpanView {
    fn of(span: &Span, service: &Arc<str>, request: Option<RequestId>) -> Self {
        let event = |event: &crate::span::Event| EventView {
            time: micros(event.time),
            name: event.name.to_string(),
            attributes: json(&event.attributes),
        };
        Self {
            id: span.id,
            parent: span.parent,
            name: span.name.to_string(),
            kind: span.kind.name(),
            service: Arc::clone(service),
            start: micros(span.start),
            duration_us: micros(span.duration()),
            error: match &span.status {
                Status::Error(text) => Some(text.clone()),
                Status::Unset | Status::Ok => None,
            },
            attributes: json(&span.attributes),
            events: span.events.iter().map(event).collect(),
            request,
        }
    }
}

impl Line {
    #[must_use]
    pub fn of(n: u64, log: &Log) -> Self {
        Self {
            n,
            time: log.time / 1_000_000,
            severity: log.severity,
            source: log.source,
            name: log.name.clone(),
            body: log.body.to_string(),
            request: log.request,
            trace: log.trace,
            span: log.span,
            attributes: json(&log.attributes),
        }
    }
}

impl Store {
    /// All that is known of a trace; `None` when nothing is. `service` is our own name.
    #[must_use]
    pub fn trace(&self, trace: TraceId, service: &Arc<str>) -> Option<TraceView> {
        let requests = self.requests_of(trace);
        let mut spans = Vec::new();
        for kept in &requests {
            spans.extend(kept.spans().iter().map(|span| SpanView::of(span, service, Some(kept.record.id))));
        }
        let received = self.received_of(trace);
        spans.extend(received.iter().map(|received| SpanView::of(&received.span, &received.origin.service, None)));
        if spans.is_empty() {
            return None;
        }
        spans.sort_by(|left, right| left.start.total_cmp(&right.start));
        let start = spans.first().map_or(0.0, |span| span.start);
        let end = spans.iter().map(|span| span.start + span.duration_us).fold(start, f64::max);
        let ids: Vec<RequestId> = requests.iter().map(|kept| kept.record.id).collect();
        let mut logs = Vec::new();
        self.logs.newest(|n, log| {
            if log.trace == Some(trace) || log.request.is_some_and(|request| ids.contains(&request)) {
                logs.push(Line::of(n, log));
            }
            logs.len() < LINES
        });
        logs.reverse();
        Some(TraceView {
            trace,
            start,
            duration_us: end - start,
            partial: requests.iter().any(|kept| kept.why.is_none()),
            requests: requests.iter().map(|kept| Row::of(0, kept)).collect(),
            spans,
            logs,
        })
    }

    /// The newest traces that are worth a list: of requests whose trace was kept, and of others' spans.
    #[must_use]
    pub fn traces(&self, most: usize, service: &Arc<str>) -> Vec<TraceRow> {
        let mut rows = Rows { rows: Vec::new(), places: HashMap::new(), most };
        self.requests.newest(|_, kept| {
            if kept.why.is_none() {
                return true;
            }
            let spans = kept.spans();
            let Some(server) = spans.first() else { return true };
            rows.add(server, service, spans.len())
        });
        self.received.newest(|_, received| {
            rows.add(&received.span, &received.origin.service, 1);
            true
        });
        let mut rows = rows.rows;
        rows.sort_by(|left, right| right.start.total_cmp(&left.start));
        rows.truncate(most);
        rows
    }
}

/// Traces on their way into a list.
struct Rows {
    rows: Vec<TraceRow>,
    places: HashMap<TraceId, usize>,
    most: usize,
}

impl Rows {
    /// Returns whether there is room for more traces.
    fn add(&mut self, span: &Span, service: &Arc<str>, spans: usize) -> bool {
        let (start, duration_us) = (micros(span.start), micros(span.duration()));
        let at = *self.places.entry(span.trace).or_insert(self.rows.len());
        match self.rows.get_mut(at) {
            Some(row) => {
                let end = (row.start + row.duration_us).max(start + duration_us);
                if start < row.start || (span.parent.is_none() && start <= row.start) {
                    row.name = span.name.to_string();
                    row.start = start;
                }
                row.duration_us = end - row.start;
                row.spans += spans;
                row.errors += usize::from(span.is_error());
                row.services.insert(Arc::clone(service));
            }
            None => self.rows.push(TraceRow {
                trace: span.trace,
                name: span.name.to_string(),
                services: BTreeSet::from([Arc::clone(service)]),
                start,
                duration_us,
                spans,
                errors: usize::from(span.is_error()),
            }),
        }
        self.rows.len() < 2 * self.most
    }
}
