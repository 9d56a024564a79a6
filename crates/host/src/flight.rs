//! A request while it is in an instance, shared by the worker that runs it, the body its client reads and the log.
//!
//! ```text
//! Head ──answer──▶ Body ──body ended or dropped──▶ After ──nothing left to do──▶ landed
//!   │                │                               │
//!   └── each phase has a deadline; past it the worker drops the store ──▶ failed or broken
//! ```
//! The response comes out of the store by a channel that the worker polls outside the event loop: a 0.2 guest holds the
//! event loop while it writes its body. A flight is failed before its store is dropped, so that a body which ends because its guest died is known to be
//! broken: a truncated response never looks complete.

use crate::body::{Body, BodyError, Limited, Request, Response};
use crate::failure::{Blame, Cause, Failure, Stage};
use crate::limits::Place;
use crate::meter::{Meter, Moment};
use crate::onward::Onward;
use crate::replay::Replay;
use bytes::Bytes;
use coracle_manifest::Limits;
use coracle_telemetry::RequestId;
use futures::channel::oneshot as oneshot_channel;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// One request on its way to an instance.
pub(crate) struct Job {
    pub(crate) request: Request,
    pub(crate) id: RequestId,
    pub(crate) meter: Arc<Meter>,
    pub(crate) keep: bool,
    /// How many components called each other to get here.
    pub(crate) depth: u32,
    pub(crate) onward: Option<Arc<dyn Onward>>,
    pub(crate) reply: oneshot::Sender<Result<Response, Failure>>,
    pub(crate) place: Place,
}

/// One request in an instance.
pub(crate) struct Flight {
    pub(crate) id: RequestId,
    pub(crate) meter: Arc<Meter>,
    pub(crate) depth: u32,
    pub(crate) onward: Option<Arc<dyn Onward>>,
    keep: bool,
    state: Mutex<State>,
    /// The guest died: what its body ends with is not its end.
    broken: AtomicBool,
    /// Whether the body was whole when it ended.
    body_ended: Mutex<Option<bool>>,
    ended: Notify,
    /// Given back when the request has landed or failed, however long its client then takes to read.
    place: Mutex<Option<Place>>,
}

/// What comes out of the store: a response, or why there is none.
pub(crate) type Outcome = Result<Response, wasmtime::Error>;

struct State {
    /// Filled in when the guest is entered.
    outcome: Option<oneshot_channel::Receiver<Outcome>>,
    reply: Option<oneshot::Sender<Result<Response, Failure>>>,
    kept: Kept,
    phase: Phase,
    until: Instant,
    cpu: Duration,
    /// Effects that had left the instance when the request entered it.
    effects: u64,
    /// The worker's task, woken when the body ends: its event loop may be held by the guest.
    worker: Option<Waker>,
}

/// How long a guest may go on after its client left in the middle of the response.
const ABANDONED: Duration = Duration::from_secs(2);

/// The way back to the request.
enum Kept {
    /// No guest has seen it.
    Whole(Request),
    Replay(Replay),
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its instance is being made.
    Starting,
    /// Its instance has yet to take it.
    Waiting,
    Head,
    Body,
    After,
}

impl Flight {
    fn new(job: Job, phase: Phase, limits: &Limits) -> Self {
        let state = State {
            outcome: None,
            reply: Some(job.reply),
            kept: Kept::Whole(job.request),
            phase,
            until: Instant::now() + limits.deadline,
            cpu: Duration::ZERO,
            effects: 0,
            worker: None,
        };
        Self {
            id: job.id,
            meter: job.meter,
            depth: job.depth,
            onward: job.onward,
            keep: job.keep,
            state: Mutex::new(state),
            broken: AtomicBool::new(false),
            body_ended: Mutex::new(None),
            ended: Notify::new(),
            place: Mutex::new(Some(job.place)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The request, for the guest, and where its outcome goes; `None` when it has been taken already.
    pub(crate) fn enter(&self, limits: &Limits, effects: u64) -> Option<(Request, oneshot_channel::Sender<Outcome>)> {
        let (sender, outcome) = oneshot_channel::channel();
        let mut state = self.state();
        state.outcome = Some(outcome);
        state.effects = effects;
        state.phase = Phase::Head;
        let request = self.take(&mut state, limits)?;
        Some((request, sender))
    }

    /// What has come out of the store by now, once, without waiting for it.
    pub(crate) fn outcome_now(&self) -> Option<Outcome> {
        self.poll_outcome(&mut Context::from_waker(Waker::noop()))
    }

    /// What has come out of the store, once.
    pub(crate) fn poll_outcome(&self, cx: &mut Context<'_>) -> Option<Outcome> {
        let mut state = self.state();
        match Pin::new(state.outcome.as_mut()?).poll(cx) {
            Poll::Pending => None,
            Poll::Ready(outcome) => {
                state.outcome = None;
                Some(outcome.unwrap_or_else(|_| Err(wasmtime::format_err!("it never set one"))))
            }
        }
    }

    fn take(&self, state: &mut State, limits: &Limits) -> Option<Request> {
        match std::mem::replace(&mut state.kept, Kept::Nothing) {
            Kept::Whole(request) => {
                let request = if self.keep {
                    let (request, replay) = Replay::split(request, limits.replay_buffer);
                    state.kept = Kept::Replay(replay);
                    request
                } else {
                    request
                };
                // The guest's limit, not the fallback's: it stands on the guest's side of the tee.
                Some(request.map(|body| Limited::body(body, limits.request_body)))
            }
            Kept::Replay(_) | Kept::Nothing => None,
        }
    }

    /// Sends the response's head off; its body reports back here.
    pub(crate) fn answer(self: &Arc<Self>, response: Response, limits: &Limits) {
        let mut state = self.state();
        state.kept = Kept::Nothing;
        state.phase = Phase::Body;
        state.until = Instant::now() + limits.deadline;
        let reply = state.reply.take();
        drop(state);
        let idle = limits.deadline;
        let length = response.headers().get(http::header::CONTENT_LENGTH);
        let missing = length.and_then(|length| length.to_str().ok()?.parse().ok());
        let response = response.map(|body| Tracked { body, flight: Arc::clone(self), idle, missing }.boxed_unsync());
        if let Some(reply) = reply {
            // When nobody waits any more the response is dropped here, which ends the body, which the worker sees.
            let _ = reply.send(Ok(response));
        }
    }

    /// Ends the request without a response. Does nothing once it has been answered.
    pub(crate) fn fail(&self, failure: Failure, effects: Option<u64>) {
        let mut state = self.state();
        let Some(reply) = state.reply.take() else { return };
        let kept = std::mem::replace(&mut state.kept, Kept::Nothing);
        let untouched = effects.is_none_or(|now| now == state.effects);
        drop(state);
        let request = match kept {
            Kept::Whole(request) => Some(request),
            Kept::Replay(replay) if untouched => replay.restore(),
            Kept::Replay(_) | Kept::Nothing => None,
        };
        let failure = match request {
            Some(request) => failure.with_request(request),
            None => failure,
        };
        let _ = reply.send(Err(failure));
        self.end_body(true);
    }

    /// Returns when the response's body has been read to its end or dropped.
    pub(crate) async fn body_over(&self) {
        while self.body_ended.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            self.ended.notified().await;
        }
    }

    /// The first word counts: a body that has ended is dropped afterwards.
    fn end_body(&self, whole: bool) {
        self.body_ended.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(whole);
        self.ended.notify_one();
        let worker = self.state().worker.take();
        if let Some(worker) = worker {
            worker.wake();
        }
    }

    /// Goes on to the next phase when the body has ended, and sees to it that the task is woken when it does.
    pub(crate) fn poll_body(&self, cx: &mut Context<'_>, limits: &Limits) {
        let ended = *self.body_ended.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.state();
        match (state.phase, ended) {
            (Phase::Body, Some(whole)) => {
                state.phase = Phase::After;
                // A guest whose client left in the middle may notice and clean up; it may not go on as if nothing had
                // happened.
                let limit = if whole { limits.after_response } else { limits.after_response.min(ABANDONED) };
                state.until = Instant::now() + limit;
            }
            (Phase::Body, None) if !state.worker.as_ref().is_some_and(|worker| worker.will_wake(cx.waker())) => {
                state.worker = Some(cx.waker().clone());
            }
            _ => {}
        }
    }

    /// Whether the client still waits for a head.
    pub(crate) fn unanswered(&self) -> bool {
        self.state().reply.is_some()
    }

    pub(crate) fn phase(&self) -> Phase {
        self.state().phase
    }

    /// Adds CPU time and returns the sum.
    pub(crate) fn add_cpu(&self, cpu: Duration) -> Duration {
        self.meter.add_cpu(cpu);
        let mut state = self.state();
        state.cpu += cpu;
        state.cpu
    }

    fn free_place(&self) {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn client_gone(&self, cx: &mut Context<'_>) -> bool {
        self.state().reply.as_mut().is_some_and(|reply| reply.poll_closed(cx).is_ready())
    }
}

/// The requests in one instance.
#[derive(Clone, Default)]
pub(crate) struct Flights(Arc<Mutex<List>>);

#[derive(Default)]
struct List {
    flights: Vec<Arc<Flight>>,
    /// Landed since CPU time was last charged: some of it is theirs.
    landed: Vec<Arc<Flight>>,
}

impl Flights {
    fn list(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a job in, while its instance is being made (`Starting`) or waits for more (`Waiting`). From here on its
    /// deadline runs, whatever the instance does.
    pub(crate) fn board(&self, job: Job, phase: Phase, limits: &Limits) -> Arc<Flight> {
        let flight = Arc::new(Flight::new(job, phase, limits));
        self.list().flights.push(Arc::clone(&flight));
        flight
    }

    /// Lets a request go whose every work has ended.
    pub(crate) fn land(&self, flight: &Arc<Flight>) {
        flight.free_place();
        let mut list = self.list();
        if let Some(at) = list.flights.iter().position(|other| Arc::ptr_eq(other, flight)) {
            let landed = list.flights.swap_remove(at);
            list.landed.push(landed);
        }
    }

    /// The request that runs alone here, if there is exactly one.
    pub(crate) fn only(&self) -> Option<(RequestId, Arc<Meter>)> {
        match self.list().flights.as_slice() {
            [flight] => Some((flight.id, Arc::clone(&flight.meter))),
            _ => None,
        }
    }

    /// One of them, for a walk without the lock.
    pub(crate) fn get(&self, at: usize) -> Option<Arc<Flight>> {
        self.list().flights.get(at).map(Arc::clone)
    }

    /// Charges CPU time to those that run and that have just landed, in equal parts.
    pub(crate) fn charge(&self, cpu: Duration, limits: &Limits) -> Charged {
        let mut list = self.list();
        let landed = std::mem::take(&mut list.landed);
        let count = list.flights.len() + landed.len();
        if count == 0 {
            return Charged::Nobody;
        }
        let share = cpu / u32::try_from(count).unwrap_or(u32::MAX);
        for flight in &landed {
            flight.add_cpu(share);
        }
        let over = |over, flight: &Arc<Flight>| over | (flight.add_cpu(share) > limits.cpu_per_request);
        if list.flights.iter().fold(false, over) { Charged::Over } else { Charged::Within }
    }

    /// When the first of them is out of time.
    pub(crate) fn earliest(&self) -> Option<Instant> {
        self.list().flights.iter().map(|flight| flight.state().until).min()
    }

    /// Whether the only request's client has gone away before there was an answer.
    pub(crate) fn abandoned(&self, cx: &mut Context<'_>) -> bool {
        match self.list().flights.as_slice() {
            [flight] => flight.client_gone(cx),
            _ => false,
        }
    }

    /// Ends every request that is still here, for one reason, before the store is dropped.
    ///
    /// Returns how many there were.
    pub(crate) fn fail_all(&self, cause: &Cause, blame: Blame, detail: &str, effects: Option<u64>) -> usize {
        let flights = std::mem::take(&mut self.list().flights);
        let count = flights.len();
        for flight in flights {
            flight.broken.store(true, Ordering::Release);
            flight.meter.mark(Moment::Landed);
            flight.free_place();
            // Whose time is up is known, also among several: running it again would only take as long again.
            let late = *cause == Cause::Deadline && flight.state().until <= Instant::now();
            let blame = if late { Blame::Guest } else { blame };
            let stage = match flight.phase() {
                Phase::Starting => Stage::Instantiate,
                // The instance has ended before it took this one: another instance will.
                Phase::Waiting if !matches!(cause, Cause::Deadline | Cause::ClientGone) => {
                    flight.fail(Failure::new(Stage::Admit, Blame::Collateral, Cause::Closing, detail), None);
                    continue;
                }
                Phase::Waiting => Stage::Admit,
                Phase::Head => Stage::Head,
                Phase::Body | Phase::After => Stage::Body,
            };
            flight.fail(Failure::new(stage, blame, cause.clone(), detail), effects);
        }
        count
    }
}

/// What became of a charge of CPU time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charged {
    Within,
    /// A request has used up its budget.
    Over,
    /// No request is in the instance: it was work of the instance's own.
    Nobody,
}

/// A response body that tells its flight how it ended.
struct Tracked {
    body: Body,
    flight: Arc<Flight>,
    /// How long the body may stand still.
    idle: Duration,
    /// Bytes that are still to come by the response's own Content-Length. With none missing the body is whole, whatever
    /// becomes of its guest.
    missing: Option<u64>,
}

impl Tracked {
    fn broken(&self) -> bool {
        self.flight.broken.load(Ordering::Acquire) && self.missing != Some(0)
    }
}

impl http_body::Body for Tracked {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
                self.missing = self.missing.map(|missing| missing.saturating_sub(bytes));
                self.flight.state().until = Instant::now() + self.idle;
            }
            Poll::Ready(None) if self.broken() => {
                return Poll::Ready(Some(Err(BodyError::HttpResponseIncomplete)));
            }
            Poll::Ready(Some(Err(_))) if self.missing == Some(0) => {
                self.flight.end_body(true);
                return Poll::Ready(None);
            }
            Poll::Ready(None) => self.flight.end_body(true),
            Poll::Ready(Some(Err(_))) => self.flight.end_body(false),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream() && !self.broken()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        // A body of known length is dropped as soon as its last byte is out.
        let whole = self.missing == Some(0) || http_body::Body::is_end_stream(&self.body);
        self.flight.end_body(whole);
    }
}
