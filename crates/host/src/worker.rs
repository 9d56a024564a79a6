//! A task that owns one instance: makes it, runs requests in it, and ends it.
//!
//! Inside the store's event loop run the requests; outside it stand the limits. A guest can hold the event loop for as
//! long as it likes, so deadlines, CPU budgets and vanished clients are checked around each poll of it, and enforced by
//! dropping the store. Epochs make sure that each poll ends within about a millisecond of guest code.

mod serial;

use self::serial::Serial;
use crate::Failure;
use crate::clock::Clock;
use crate::code::Code;
use crate::failure::{Blame, Cause};
use crate::flight::{Charged, Flight, Flights, Job, Outcome, Phase};
use crate::guest::Guest;
use crate::instance::Blueprint;
use crate::meter::Moment;
use crate::places::Held;
use crate::trap;
use coracle_telemetry::Stage;
use coracle_telemetry::metrics::names::Name;
use futures::stream::{FuturesUnordered, StreamExt as _};
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::mpsc;
use wasmtime::component::Accessor;
use wasmtime::{AsContextMut as _, Store, Trap};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::handler::{Prepared, Proxy};
use wasmtime_wasi_http::{p2, p3};

/// The way to a worker that may take more requests.
pub(crate) struct Post {
    jobs: mpsc::UnboundedSender<Arc<Flight>>,
    flights: Flights,
    load: Arc<Load>,
}

/// How much a worker has to do.
#[derive(Default)]
struct Load {
    running: AtomicU32,
    taken: AtomicU32,
}

impl Post {
    /// Starts a worker with its first job.
    pub(crate) fn start(blueprint: &Arc<Blueprint>, code: Arc<Code>, job: Job) -> Self {
        let (jobs, inbox) = mpsc::unbounded_channel();
        let load = Arc::new(Load { running: AtomicU32::new(1), taken: AtomicU32::new(1) });
        let flights = Flights::default();
        let worker = Worker {
            blueprint: Arc::clone(blueprint),
            code,
            flights: flights.clone(),
            load: Arc::clone(&load),
            effects: std::sync::OnceLock::new(),
        };
        let alive = blueprint.workers.clone().try_acquire_owned();
        tokio::spawn(async move {
            worker.run(job, inbox).await;
            drop(alive);
        });
        Self { jobs, flights, load }
    }

    pub(crate) fn open(&self) -> bool {
        !self.jobs.is_closed()
    }

    /// Gives the worker a job if it has room; only one thread offers at a time.
    #[expect(
        clippy::result_large_err,
        reason = "the job is given back to be offered elsewhere; boxing would cost each request"
    )]
    pub(crate) fn offer(&self, job: Job, concurrency: u32, blueprint: &Blueprint) -> Result<(), Job> {
        let full = self.load.running.load(Ordering::Acquire) >= concurrency;
        if full || self.load.taken.load(Ordering::Relaxed) >= blueprint.reuse.requests || !self.open() {
            return Err(job);
        }
        self.load.running.fetch_add(1, Ordering::AcqRel);
        self.load.taken.fetch_add(1, Ordering::Relaxed);
        let flight = self.flights.board(job, Phase::Waiting, &blueprint.limits);
        if self.jobs.send(flight).is_err() {
            // The worker has ended in between and will not look again: the request goes back to its caller, who offers
            // it anew.
            self.flights.fail_all(&Cause::Closing, Blame::Collateral, "the instance has ended", None);
        }
        Ok(())
    }
}

/// One instance's task.
pub(crate) struct Worker {
    pub(crate) blueprint: Arc<Blueprint>,
    code: Arc<Code>,
    flights: Flights,
    load: Arc<Load>,
    /// Outlives the store, so that intactness can be judged after it.
    effects: std::sync::OnceLock<Arc<AtomicU64>>,
}

/// A library was called like a server.
#[derive(Debug, thiserror::Error)]
#[error("it answers no HTTP")]
struct NoServer;

/// Why a worker ended before its time.
pub(crate) enum Stop {
    NoRoom,
    Instantiate(wasmtime::Error),
    /// With whether it had been refused memory, and whether for what other instances hold.
    Trap {
        error: wasmtime::Error,
        memory: bool,
        crowded: bool,
    },
    Cpu,
    Deadline,
    ClientGone,
}

impl Stop {
    /// A call into the guest has ended with this.
    pub(crate) fn guest(error: wasmtime::Error) -> Self {
        Self::Trap { error, memory: false, crowded: false }
    }
}

impl Stop {
    /// Why the instance ended, in figures.
    fn reason(&self) -> &'static str {
        match self {
            Self::NoRoom => "no_room",
            Self::Instantiate(_) => "instantiate",
            Self::Trap { .. } => "trap",
            Self::Cpu => "cpu",
            Self::Deadline => "deadline",
            Self::ClientGone => "client_gone",
        }
    }

    /// The limit that ended it, if one did.
    fn limit(&self) -> Option<&'static str> {
        match self {
            Self::NoRoom => Some("no_room"),
            Self::Trap { memory: true, .. } | Self::Trap { crowded: true, .. } => Some("memory"),
            Self::Cpu => Some("cpu"),
            Self::Deadline => Some("deadline"),
            Self::Instantiate(_) | Self::Trap { .. } | Self::ClientGone => None,
        }
    }
}

impl Worker {
    async fn run(self, first: Job, inbox: mpsc::UnboundedReceiver<Arc<Flight>>) {
        let flight = self.flights.board(first, Phase::Starting, &self.blueprint.limits);
        let depth = flight.depth;
        let place = match self.blueprint.engine.place(self.code.weight) {
            Some(place) => Ok(place),
            None if depth > 0 => self.await_inner_place(depth).await,
            None => self.await_place().await,
        };
        match place {
            Err(stop) => self.say_why(stop),
            Ok(place) => self.run_in(place, flight, inbox).await,
        }
        // The inbox is gone with the instance: who came between the last look and here is sent on too.
        self.flights.fail_all(&Cause::Closing, Blame::Collateral, "the instance has ended", None);
    }

    /// The process has no place left, or no memory for one: waits until it is the component's turn, for as long as its queue may
    /// last.
    async fn await_place(&self) -> Result<Held, Stop> {
        let Blueprint { engine, lineage, limits, .. } = &*self.blueprint;
        let mut turn = pin!(async {
            // One component may have taken the host's memory for a moment: that is no reason to refuse all others.
            while engine.short() {
                tokio::time::sleep(MEMORY_LOOK).await;
            }
            match engine.await_place(lineage, self.code.weight) {
                Some(turn) => Ok(turn.await),
                None => Err(Stop::NoRoom),
            }
        });
        let patience = tokio::time::timeout(
            limits.queue_deadline,
            poll_fn(|cx| match self.flights.abandoned(cx) {
                true => Poll::Ready(Err(Stop::ClientGone)),
                false => turn.as_mut().poll(cx),
            }),
        );
        patience.await.unwrap_or(Err(Stop::NoRoom))
    }

    /// The same for a call of another component, which has places that no request from outside can take.
    async fn await_inner_place(&self, depth: u32) -> Result<Held, Stop> {
        let Blueprint { engine, limits, .. } = &*self.blueprint;
        let mut place = pin!(engine.inner_place(depth, self.code.weight));
        let patience = tokio::time::timeout(
            limits.queue_deadline,
            poll_fn(|cx| match self.flights.abandoned(cx) {
                true => Poll::Ready(Err(Stop::ClientGone)),
                false => place.as_mut().poll(cx).map(Ok),
            }),
        );
        patience.await.unwrap_or(Err(Stop::NoRoom))
    }

    /// Makes the store, lets the instance live in it, and ends both.
    async fn run_in(&self, place: Held, flight: Arc<Flight>, inbox: mpsc::UnboundedReceiver<Arc<Flight>>) {
        flight.meter.mark(Moment::Placed);
        let mut store = match self.blueprint.store(&self.flights) {
            Ok(store) => store,
            Err(error) => return self.say_why(Stop::Instantiate(error)),
        };
        {
            let mut live = pin!(self.live(&mut store, flight, inbox));
            match self.watch(live.as_mut()).await {
                Ok(()) => self.count(Name::Retired, &[&self.blueprint.name, "done"]),
                Err(stop) => {
                    self.count(Name::Retired, &[&self.blueprint.name, stop.reason()]);
                    self.say_why(stop);
                }
            }
        }
        if store.data().memory.used() > SMALL {
            // Giving back its pages takes milliseconds, which are not this shard's to spend.
            self.blueprint.engine.dispose((store, place));
        }
    }

    /// Polls the instance, and between its polls looks at what it may not decide itself.
    async fn watch(&self, mut live: std::pin::Pin<&mut impl Future<Output = Result<(), Stop>>>) -> Result<(), Stop> {
        let limits = &self.blueprint.limits;
        let exclusive = self.blueprint.exclusive();
        let running = self.blueprint.engine.running();
        let mut clock = Clock::default();
        let mut loose = Duration::ZERO;
        let mut alarm =
            pin!(tokio::time::sleep_until(self.flights.earliest().unwrap_or_else(tokio::time::Instant::now)));
        let result = poll_fn(|cx| {
            let (polled, cpu) = clock.time(|| live.as_mut().poll(cx));
            // Work that outlives its request runs on nobody's budget, so it gets one of its own, new with each request.
            let charged = self.flights.charge(cpu, limits);
            loose = if charged == Charged::Nobody { loose + cpu } else { Duration::ZERO };
            let over = charged == Charged::Over || loose > limits.cpu_per_request;
            if let Some(allowance) = &self.blueprint.allowance {
                allowance.charge(cpu);
            }
            if polled.is_ready() {
                return polled;
            }
            if let Err(stop) = self.hand_over(cx) {
                return Poll::Ready(Err(stop));
            }
            if over {
                return Poll::Ready(Err(Stop::Cpu));
            }
            if exclusive && self.flights.abandoned(cx) {
                return Poll::Ready(Err(Stop::ClientGone));
            }
            while let Some(earliest) = self.flights.earliest() {
                // Deadlines only move out while bodies make progress, so the alarm is set again when it rings.
                if alarm.deadline() != earliest && (alarm.is_elapsed() || earliest < alarm.deadline()) {
                    alarm.as_mut().reset(earliest);
                }
                if alarm.as_mut().poll(cx).is_pending() {
                    break;
                }
                if earliest <= tokio::time::Instant::now() {
                    return Poll::Ready(Err(Stop::Deadline));
                }
            }
            Poll::Pending
        })
        .await;
        drop(running);
        result
    }

    /// Passes on the responses that have come out of the store.
    fn hand_over(&self, cx: &mut std::task::Context<'_>) -> Result<(), Stop> {
        let mut at = 0;
        while let Some(flight) = self.flights.get(at) {
            at += 1;
            self.pass_on(&flight, flight.poll_outcome(cx))?;
            flight.poll_body(cx, &self.blueprint.limits);
        }
        Ok(())
    }

    /// Passes on what has come out of the store for one request.
    pub(crate) fn pass_on(&self, flight: &Arc<Flight>, outcome: Option<Outcome>) -> Result<(), Stop> {
        match outcome {
            None => {}
            Some(Ok(response)) => flight.answer(response, &self.blueprint.limits),
            Some(Err(error)) => self.refuse(flight, error)?,
        }
        Ok(())
    }

    /// A request's last work has ended.
    pub(crate) fn landed(&self, flight: &Arc<Flight>) {
        flight.meter.mark(Moment::Landed);
        self.flights.land(flight);
        self.load.running.fetch_sub(1, Ordering::AcqRel);
    }

    /// The guest ended without a response. A trap ends the whole instance.
    fn refuse(&self, flight: &Flight, error: wasmtime::Error) -> Result<(), Stop> {
        let name = &self.blueprint.name;
        let (cause, detail) = if let Some(code) = error_code(&error) {
            let detail = format!("`{name}` answered with the error code {code}");
            (Cause::ErrorCode(code), detail)
        } else if error.is::<Trap>() || error.is::<wasmtime::WasmBacktrace>() || error.is::<wasmtime_wasi::I32Exit>() {
            return Err(Stop::guest(error));
        } else {
            (Cause::NoResponse, format!("`{name}` ended without a response: {error}"))
        };
        // An instance that left a request without an answer gets no other.
        self.load.taken.store(u32::MAX, Ordering::Relaxed);
        flight.fail(Failure::new(Stage::Head, Blame::Guest, cause, detail), self.effects());
        Ok(())
    }

    fn count(&self, name: Name, labels: &[&str]) {
        if let Some(telemetry) = self.blueprint.engine.telemetry() {
            telemetry.metrics.add(name, labels, 1.0);
        }
    }

    fn effects(&self) -> Option<u64> {
        self.effects.get().map(|effects| effects.load(Ordering::Relaxed))
    }

    /// Ends what is still in the instance, with the reason.
    fn say_why(&self, stop: Stop) {
        let limits = &self.blueprint.limits;
        let name = &self.blueprint.name;
        let request = self.flights.only().map(|(request, _)| request);
        if let Some(limit) = stop.limit() {
            self.count(Name::Limit, &[name, limit]);
        }
        if let Stop::Trap { error, .. } = &stop {
            self.count(Name::Trap, &[name, trap::kind(error)]);
        }
        let (cause, blame, detail) = match &stop {
            Stop::NoRoom => (
                Cause::NoRoom { retry_after: Duration::from_secs(1) },
                Blame::Limit,
                "no room for another instance in this process".to_owned(),
            ),
            Stop::Instantiate(error) if error.is::<wasmtime::PoolConcurrencyLimitError>() => (
                Cause::NoRoom { retry_after: Duration::from_secs(1) },
                Blame::Limit,
                format!("no room for an instance of `{name}`: {error}"),
            ),
            Stop::Instantiate(error) => {
                let text = format!("`{name}` could not be instantiated: {error:#}");
                (Cause::Instantiate, Blame::Guest, cut(&text).to_owned())
            }
            Stop::Trap { crowded: true, .. } => (
                Cause::NoRoom { retry_after: Duration::from_secs(1) },
                Blame::Limit,
                format!(
                    "`{name}` died for want of memory that its other instances hold (`memory_total` is {} bytes)",
                    limits.memory_total
                ),
            ),
            Stop::Trap { memory: true, .. } => (
                Cause::MemoryLimit,
                Blame::Guest,
                format!("`{name}` died after it was refused more memory (`memory` is {} bytes)", limits.memory),
            ),
            Stop::Trap { error, memory: false, .. } => {
                (Cause::Trap, Blame::Guest, cut(&format!("`{name}` trapped: {}", trap::cause(error))).to_owned())
            }
            Stop::Cpu => (
                Cause::CpuLimit,
                Blame::Guest,
                format!("`{name}` used more CPU time than `cpu_per_request` ({:?})", limits.cpu_per_request),
            ),
            Stop::Deadline => (Cause::Deadline, Blame::Guest, format!("`{name}` was not done within its deadline")),
            Stop::ClientGone => (Cause::ClientGone, Blame::Client, "the client went away".to_owned()),
        };
        if matches!(stop, Stop::Cpu | Stop::Deadline) && self.blueprint.log.admit(detail.len()) {
            tracing::warn!(component = %name, "{detail}");
        }
        // With several requests in the instance, or work that an earlier one left behind, nothing says whose doing it was.
        let starting = matches!(stop, Stop::Instantiate(_));
        let shared = !self.blueprint.exclusive() && self.load.taken.load(Ordering::Relaxed) > 1;
        let blame = if shared && blame == Blame::Guest { Blame::Collateral } else { blame };
        if self.flights.fail_all(&cause, blame, &detail, self.effects()) > 0 && blame == Blame::Collateral {
            self.blueprint.blast.trapped();
        }
        if let Stop::Trap { error, .. } | Stop::Instantiate(error) = stop {
            let report = trap::Report { component: Arc::clone(name), request, starting, error };
            self.blueprint.engine.scribe().write(report, &self.blueprint.traps);
        }
    }

    /// The life of the instance.
    async fn live(
        &self,
        store: &mut Store<Guest>,
        first: Arc<Flight>,
        inbox: mpsc::UnboundedReceiver<Arc<Flight>>,
    ) -> Result<(), Stop> {
        // Guest code may run already: a start function.
        let Some(pre) = &self.code.pre else {
            return Err(Stop::Instantiate(wasmtime::Error::new(NoServer)));
        };
        let proxy = pre.instantiate_async(&mut *store).await;
        let proxy = proxy.map_err(|error| match store.data().memory.crowded() {
            true => Stop::NoRoom,
            false => Stop::Instantiate(error),
        })?;
        let number = self.blueprint.engine.next_instance();
        self.count(Name::Created, &[&self.blueprint.name]);
        let _ = self.effects.set(store.data().tasks.effects());
        let result = match &proxy {
            Proxy::P2(proxy) => Serial { worker: self, proxy, number }.serve(store, first, inbox).await,
            Proxy::P3(_) => {
                let shift = Shift { worker: self, proxy: &proxy, number };
                let result = store.run_concurrent(async |accessor| shift.serve(accessor, first, inbox).await).await;
                result.flatten().map_err(Stop::guest)
            }
        };
        let guest = store.data();
        let mut at = 0;
        while let Some(flight) = self.flights.get(at) {
            at += 1;
            flight.meter.peak_memory(guest.memory.used());
        }
        let (memory, crowded) = (guest.memory.refused(), guest.memory.crowded());
        result.map_err(|stop| match stop {
            Stop::Trap { error, .. } => Stop::Trap { error, memory, crowded },
            other => other,
        })
    }
}

/// A worker with an instance of WASI 0.3.
struct Shift<'a> {
    worker: &'a Worker,
    proxy: &'a Proxy,
    number: u64,
}

impl Shift<'_> {
    /// Takes requests until there may be no more.
    async fn serve(
        &self,
        accessor: &Accessor<Guest>,
        first: Arc<Flight>,
        mut inbox: mpsc::UnboundedReceiver<Arc<Flight>>,
    ) -> wasmtime::Result<()> {
        let blueprint = &self.worker.blueprint;
        let mut running = FuturesUnordered::new();
        running.push(self.fly(accessor, first, 0));
        let mut taken = 1;
        let mut open = blueprint.reuse.requests > 1;
        while open || !running.is_empty() {
            let idle = running.is_empty();
            tokio::select! {
                biased;
                Some(landed) = running.next(), if !idle => landed?,
                flight = next(&mut inbox, idle.then_some(blueprint.reuse.idle)), if open => match flight {
                    Some(flight) => {
                        running.push(self.fly(accessor, flight, taken));
                        taken += 1;
                        open = taken < blueprint.reuse.requests;
                    }
                    None => {
                        open = false;
                        // Whatever was sent before this moment is still served.
                        inbox.close();
                        while let Ok(flight) = inbox.try_recv() {
                            running.push(self.fly(accessor, flight, taken));
                            taken += 1;
                        }
                    }
                },
            }
        }
        if !blueprint.exclusive() {
            let quiet = poll_fn(|cx| accessor.poll_no_interesting_tasks(cx));
            let _ = tokio::time::timeout(blueprint.limits.after_response, quiet).await;
        }
        Ok(())
    }

    /// One request, from the guest's entry to the end of its last work.
    async fn fly(&self, accessor: &Accessor<Guest>, flight: Arc<Flight>, reused: u32) -> wasmtime::Result<()> {
        let blueprint = &self.worker.blueprint;
        let limits = &blueprint.limits;
        flight.meter.enter(self.number, reused);
        let Some(prepared) = accessor.with(|mut store| -> wasmtime::Result<_> {
            let effects = store.data_mut().tasks.effects().load(Ordering::Relaxed);
            let Some((request, outcome)) = flight.enter(limits, effects) else { return Ok(None) };
            if store.data_mut().unseen_effects {
                store.data_mut().tasks.effect();
            }
            let prepared =
                Prepared::new(store.as_context_mut(), self.proxy, request, <Guest as WasiHttpView>::http, outcome)?;
            if let Prepared::P3 { call, .. } = &prepared {
                store.data_mut().tasks.enter(call.task(), &flight, blueprint.exclusive());
                let depth = flight.depth.max(store.data_mut().outbound.depth());
                store.data_mut().outbound.at_depth(depth);
            }
            Ok(Some(prepared))
        })?
        else {
            return Ok(());
        };
        // The response leaves by its channel, which is polled outside the event loop (`Worker::hand_over`).
        prepared.run(accessor, pending()).await?;
        // The body comes out of the store, too.
        flight.body_over().await;
        // Landing takes the flight off the list by which its response is handed over.
        while flight.unanswered() {
            tokio::task::yield_now().await;
        }
        if blueprint.exclusive() {
            poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
        }
        accessor.with(|mut store| {
            let guest = store.data_mut();
            guest.tasks.leave(flight.id);
            flight.meter.peak_memory(guest.memory.used());
        });
        self.worker.landed(&flight);
        Ok(())
    }
}

/// The next job; `None` when there will be none, or none came while the instance was idle.
pub(crate) async fn next(
    inbox: &mut mpsc::UnboundedReceiver<Arc<Flight>>,
    idle: Option<Duration>,
) -> Option<Arc<Flight>> {
    match idle {
        Some(idle) => tokio::time::timeout(idle, inbox.recv()).await.ok().flatten(),
        None => inbox.recv().await,
    }
}

/// The `wasi:http` error code in an error, as its debug text.
fn error_code(error: &wasmtime::Error) -> Option<String> {
    let p3 = error.downcast_ref::<p3::bindings::http::types::ErrorCode>().map(|code| format!("{code:?}"));
    p3.or_else(|| error.downcast_ref::<p2::bindings::http::types::ErrorCode>().map(|code| format!("{code:?}")))
        .or_else(|| error.downcast_ref::<wasmtime_wasi_http::Error>().map(|code| format!("{code:?}")))
}

/// Names in a text like this are the guest's choice, and so is their length.
fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(trap::MOST_BYTES)).unwrap_or(text)
}

/// How often to look whether the host's own memory is short no more.
const MEMORY_LOOK: Duration = Duration::from_millis(10);
/// Bytes of memory up to which an instance is ended on its shard.
const SMALL: u64 = 4 << 20;
