//! The record of one request while it runs: armed when the request is admitted, fired exactly once.
//!
//! It fires when the response's body has ended, has failed, or was dropped, or when the request itself is dropped before it
//! had a response (the client went away). Nothing has to remember to fire it: `Drop` does.

use crate::chain::chain;
use crate::rollout::Observed;
use crate::running::One;
use crate::state::AppState;
use bytes::Bytes;
use coracle_host::{Body, BodyError, Failure, Meter, Response};
use coracle_telemetry::{AccessLog, Outcome, Record, RequestId, SpanId, Telemetry, TraceId};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, StatusCode};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

/// Called with each record on the thread that served the request; must not block.
pub type Tap = Arc<dyn Fn(&Record) + Send + Sync>;

/// Where records go.
#[derive(Clone, Default)]
pub struct Sink {
    /// One line a request on standard output.
    pub access: Option<AccessLog>,
    pub tap: Option<Tap>,
    pub counts: Arc<Counts>,
    /// Measures, keeps and sends what requests leave behind; `None` while telemetry is off.
    pub telemetry: Option<Arc<Telemetry>>,
}

/// What has been served since the start.
#[derive(Debug, Default)]
pub struct Counts {
    pub requests: AtomicU64,
    pub running: AtomicU64,
    pub failed: AtomicU64,
}

/// A record that is still being written.
pub struct Armed {
    record: Record,
    started: Instant,
    meter: Arc<Meter>,
    bytes_in: Arc<AtomicU64>,
    sink: Arc<Sink>,
    /// What a rollout wants to know of it.
    observed: Option<Observed>,
    /// A running request keeps the state it was routed by, until its response has ended.
    _state: Arc<AppState>,
    /// Its connection isn't idle while this is held.
    _running: One,
}

/// What a record says of the request.
pub struct Head {
    pub method: Method,
    /// In lower case, without port.
    pub host: String,
    /// Without query.
    pub path: String,
}

/// Where a request comes from.
pub struct From {
    pub sink: Arc<Sink>,
    pub state: Arc<AppState>,
    pub running: One,
}

impl Armed {
    /// Starts the clock. Until a response is there the request counts as abandoned by its client.
    pub fn new(id: RequestId, head: Head, headers: &HeaderMap, from: From) -> Self {
        let From { sink, state, running } = from;
        sink.counts.running.fetch_add(1, Relaxed);
        let Head { method, host, path } = head;
        let (started, time) = (Instant::now(), SystemTime::now());
        let scope = sink.telemetry.as_ref().map(|telemetry| telemetry.scope(id, headers, (started, time)));
        let record = Record {
            id,
            trace_id: scope.as_ref().map_or_else(|| TraceId::of(id), |scope| scope.trace),
            span_id: SpanId::nth(id, 0),
            time,
            method,
            host,
            path,
            route: None,
            destination: None,
            fallback_from: None,
            status: 0,
            outcome: Outcome::ClientGone,
            error: None,
            error_type: None,
            bytes_in: 0,
            bytes_out: 0,
            head: Duration::ZERO,
            duration: Duration::ZERO,
            run: None,
        };
        Self {
            record,
            started,
            meter: Arc::new(scope.map_or_else(Meter::default, |scope| Meter::of(scope, started))),
            bytes_in: Arc::default(),
            sink,
            observed: None,
            _state: state,
            _running: running,
        }
    }

    pub fn id(&self) -> RequestId {
        self.record.id
    }

    /// What the host measures for this request.
    pub fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    pub fn routed(&mut self, route: &Arc<str>, destination: Arc<str>) {
        self.record.route = Some(Arc::clone(route));
        self.record.destination = Some(destination);
    }

    /// The request's outcome counts for a version.
    pub fn observe(&mut self, observed: Observed) {
        self.observed = Some(observed);
    }

    /// The version gave no answer; whether another destination does says nothing of it.
    pub fn observed_failure(&mut self, failure: &Failure) {
        if let Some(observed) = &mut self.observed {
            observed.failed(failure);
        }
    }

    /// Says on the response which version answered.
    pub fn tag(&self, response: &mut Response) {
        if let Some(observed) = &self.observed {
            observed.tag(response);
        }
    }

    /// The first destination could not answer; another one is asked.
    pub fn fell_back(&mut self, to: Arc<str>, failure: Failure) {
        if let Some(observed) = &mut self.observed {
            observed.fell_back();
        }
        self.record.fallback_from = self.record.destination.replace(to);
        self.record.error = Some(failure.detail);
        self.record.error_type = Some(failure.cause.name());
    }

    /// No destination could answer.
    pub fn failed(&mut self, failure: &Failure) {
        let error = failure.detail.clone();
        self.record.outcome = Outcome::Failed;
        self.record.error_type = Some(failure.cause.name());
        self.record.error = Some(match self.record.error.take() {
            Some(first) => format!("{first}; then: {error}"),
            None => error,
        });
    }

    /// Counts the request's body as it is read.
    pub fn count_in(&self, body: Body) -> Body {
        let counted = Arc::clone(&self.bytes_in);
        Counted { body, counted }.boxed_unsync()
    }

    /// Notes the response's head; the record goes along with the body and fires at its end.
    pub fn follow(mut self, response: Response) -> Response {
        self.record.status = response.status().as_u16();
        self.record.head = self.started.elapsed();
        let bodiless = self.record.method == Method::HEAD
            || response.status().is_informational()
            || matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let announced = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        response.map(|body| {
            let expected = if bodiless { Some(0) } else { http_body::Body::size_hint(&body).exact().or(announced) };
            let ended = bodiless || http_body::Body::is_end_stream(&body);
            Followed { ended, expected, body, armed: self }.boxed_unsync()
        })
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        self.record.duration = self.started.elapsed();
        self.record.bytes_in = self.bytes_in.load(Relaxed);
        self.record.run = self.meter.run();
        let counts = &self.sink.counts;
        counts.running.fetch_sub(1, Relaxed);
        counts.requests.fetch_add(1, Relaxed);
        if matches!(self.record.outcome, Outcome::Failed | Outcome::Truncated) {
            counts.failed.fetch_add(1, Relaxed);
        }
        if let Some(observed) = self.observed.take() {
            observed.end(self.record.status, self.record.head, self.record.outcome);
        }
        if let Some(access) = &self.sink.access {
            access.write(&self.record);
        }
        if let Some(tap) = &self.sink.tap {
            tap(&self.record);
        }
        if let (Some(telemetry), Some(scope)) = (&self.sink.telemetry, self.meter.scope()) {
            telemetry.ended(taken(&mut self.record), scope);
        }
    }
}

/// The record, which nobody reads any more.
fn taken(record: &mut Record) -> Record {
    Record {
        method: std::mem::take(&mut record.method),
        host: std::mem::take(&mut record.host),
        path: std::mem::take(&mut record.path),
        route: record.route.take(),
        destination: record.destination.take(),
        fallback_from: record.fallback_from.take(),
        error: record.error.take(),
        id: record.id,
        trace_id: record.trace_id,
        span_id: record.span_id,
        time: record.time,
        status: record.status,
        outcome: record.outcome,
        error_type: record.error_type,
        bytes_in: record.bytes_in,
        bytes_out: record.bytes_out,
        head: record.head,
        duration: record.duration,
        run: record.run,
    }
}

/// A request body that is counted.
struct Counted {
    body: Body,
    counted: Arc<AtomicU64>,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.counted.fetch_add(data.len() as u64, Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A response body that takes the record to its end.
struct Followed {
    body: Body,
    /// The whole length, if it is known. The connection never polls for the end of such a body.
    expected: Option<u64>,
    ended: bool,
    armed: Armed,
}

impl http_body::Body for Followed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.armed.record.bytes_out += data.len() as u64;
                }
                self.ended |= self.body.is_end_stream();
            }
            Poll::Ready(Some(Err(error))) => {
                self.armed.record.outcome = Outcome::Truncated;
                self.armed.record.error = Some(chain(error));
            }
            Poll::Ready(None) => self.ended = true,
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        let record = &mut self.armed.record;
        let all_sent = self.expected.is_some_and(|expected| record.bytes_out >= expected);
        if record.outcome == Outcome::ClientGone && (self.ended || all_sent) {
            record.outcome = Outcome::Complete;
        }
    }
}
