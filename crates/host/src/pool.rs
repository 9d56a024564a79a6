//! The guests of one component: loading it, and finding an instance for each request.
//!
//! ```text
//! call ─ body limit ─ gate ─┬─ a waiting instance of this shard ─┐
//!                           └─ a new worker task ────────────────┴─▶ worker ─▶ Response | Failure
//! ```

use crate::blast::{Blast, Print};
use crate::engine::{CORE_INSTANCES_PER_COMPONENT, Engine, MAX_WEIGHT, Mode};
use crate::failure::{Blame, Cause, Failure, Stage};
use crate::flight::Job;
use crate::grant::Grants;
use crate::instance::Blueprint;
use crate::lane::Lineage;
use crate::limits::{Allowance, Budget, Gate};
use crate::link::{self, LoadError};
use crate::logs::Log;
use crate::meter::Meter;
use crate::plugin::Note;
use crate::spec::Spec;
use crate::trap::Traps;
use crate::worker::Post;
use crate::{Request, Response};
use coracle_manifest::Limits;
use coracle_telemetry::RequestId;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use wasmtime_wasi_http::handler::ProxyPre;
use wasmtime_wasi_http::{p2, p3};

/// One request for a component.
pub struct Call {
    /// Its URI is absolute.
    pub request: Request,
    pub id: RequestId,
    pub meter: Arc<Meter>,
    /// Keeps what the guest reads of the body, so that the request can be tried elsewhere.
    pub keep: bool,
}

/// What a pool is doing, for people and scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    pub running: u32,
    pub waiting: usize,
    /// Calls answered with "denied" since the component was loaded.
    pub denied: u64,
    /// Bytes its instances hold.
    pub memory: u64,
    /// Requests that failed because another one in their instance trapped.
    pub collateral: u64,
    /// Requests that were intact when another one trapped, and ran again alone.
    pub replayed: u64,
}

/// The guests of one component. Copies share them.
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

struct Shared {
    blueprint: Arc<Blueprint>,
    gate: Gate,
    /// Workers that may take another request, by shard.
    shards: Box<[Mutex<Vec<Post>>]>,
    closing: AtomicBool,
}

impl Pool {
    /// Compiles or maps a component and links it to what it was granted.
    ///
    /// # Errors
    /// When it does not compile, imports what is not there, or imports what was not granted and can't be denied.
    pub async fn load(engine: &Engine, spec: Spec) -> Result<(Self, Vec<Note>), LoadError> {
        let unoffered = link::unoffered(&spec);
        let notes = link::notes(&spec)?;
        let core_instances = spec.component.core_instances;
        let compiler = engine.clone();
        let admitted = spec.component;
        let log = Arc::new(Log::new(Arc::clone(&spec.name), spec.limits.log_bytes));
        let traps = Traps::new(admitted.digest, Arc::clone(&log));
        let mode = if admitted.is_sequential() { Mode::Sequential } else { Mode::Concurrent };
        let compiled = tokio::task::spawn_blocking(move || {
            compiler.wasmtime(mode).and_then(|engine| compiler.cache().load(engine, &admitted))
        });
        let component = match compiled.await {
            Ok(compiled) => compiled.map_err(LoadError::Compile)?,
            Err(join) => return Err(LoadError::Interrupted(join)),
        };
        let weight = weight(core_instances, &component);
        let pre = link::linker(engine, mode, &spec.grants)
            .and_then(|linker| linker.instantiate_pre(&component))
            .map_err(|error| link::failed(error, unoffered))?;
        let pre = match p3::bindings::ServicePre::new(pre.clone()) {
            Ok(service) => ProxyPre::P3(service),
            Err(_not_p3) => ProxyPre::P2(p2::bindings::ProxyPre::new(pre).map_err(LoadError::Link)?),
        };
        let allowance = allowance(&spec.limits);
        let mut grants = Grants::default();
        spec.grants.iter().for_each(|(_, grant)| grants.push(grant));
        let blueprint = Blueprint {
            engine: engine.clone(),
            mode,
            weight,
            pre,
            env: spec.env,
            plugins: spec.grants,
            grants: Arc::new(grants),
            lineage: Lineage::new(spec.limits.weight, allowance.clone()),
            allowance,
            memory_total: Arc::new(Budget::new(spec.limits.memory_total)),
            outbound_places: Arc::new(Semaphore::new(spec.limits.outbound_connections as usize)),
            workers: Arc::new(Semaphore::new(MAX_WORKERS as usize)),
            denied: Arc::new(AtomicU64::new(0)),
            log,
            traps,
            name: spec.name,
            limits: spec.limits,
            blast: Blast::new(spec.reuse.concurrency),
            reuse: spec.reuse,
        };
        let gate = Gate::new(&blueprint.limits, blueprint.allowance.clone());
        let shards = (0..MAX_SHARDS).map(|_| Mutex::default()).collect();
        let shared = Shared { blueprint: Arc::new(blueprint), gate, shards, closing: AtomicBool::new(false) };
        Ok((Self(Arc::new(shared)), notes))
    }

    /// The component's name in the manifest.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.0.blueprint.name
    }

    /// What the pool is doing right now.
    #[must_use]
    pub fn status(&self) -> Status {
        let (collateral, replayed) = self.0.blueprint.blast.counts();
        Status {
            running: self.0.gate.running(),
            waiting: self.0.gate.waiting(),
            denied: self.0.blueprint.denied.load(Ordering::Relaxed),
            memory: self.0.blueprint.memory_total.used(),
            collateral,
            replayed,
        }
    }

    /// Runs one request. The response's body may still be streaming out of the guest.
    ///
    /// # Errors
    /// A [`Failure`]; it carries the request when that is intact.
    pub async fn call(&self, call: Call) -> Result<Response, Failure> {
        let limits = &self.0.blueprint.limits;
        if http_body::Body::size_hint(call.request.body()).lower() > limits.request_body {
            let detail = format!("the request's body is larger than {} bytes", limits.request_body);
            return Err(
                Failure::new(Stage::Admit, Blame::Client, Cause::BodyTooLarge, detail).with_request(call.request)
            );
        }
        let Call { request, id, meter, keep } = call;
        let mut request = request;
        let shared = !self.0.blueprint.exclusive();
        let blast = &self.0.blueprint.blast;
        let mut company = if shared && blast.suspected(&request) { Company::Alone } else { Company::Any };
        let print = shared.then(|| blast.print(&request));
        for _ in 0..MISSED_TURNS {
            let place = match self.0.gate.enter().await {
                Ok(place) => place,
                Err(cause) => {
                    let detail = format!("`{}` is busy: {} requests are running", self.name(), limits.concurrency);
                    return Err(Failure::new(Stage::Admit, Blame::Limit, cause, detail).with_request(request));
                }
            };
            let (reply, answer) = oneshot::channel();
            let keep = keep || (shared && company == Company::Any);
            self.post(Job { request, id, meter: Arc::clone(&meter), keep, reply, place }, company);
            match answer.await {
                // The instance ended before it took the job: another one will.
                Ok(Err(Failure { stage: Stage::Admit, cause: Cause::Closing, request: Some(back), .. })) => {
                    request = *back
                }
                Ok(Err(mut failure)) if shared && is_the_guests(&failure.cause) => {
                    match (company, failure.request.take()) {
                        (Company::Any, Some(intact)) if failure.blame == Blame::Collateral => {
                            blast.count_replay();
                            (request, company) = (*intact, Company::Alone);
                        }
                        (_, intact) => {
                            failure.request = intact;
                            self.judge(&failure, print);
                            return Err(failure);
                        }
                    }
                }
                Ok(Ok(response)) => {
                    blast.answered();
                    return Ok(response);
                }
                Ok(answer) => return answer,
                // The worker's task is gone without a word: the runtime is shutting down, or the task has panicked.
                Err(_) => {
                    let detail = "the instance's task ended without a word";
                    return Err(Failure::new(Stage::Head, Blame::Host, Cause::Closing, detail));
                }
            }
        }
        let detail = format!("instances of `{}` end faster than they take requests", self.name());
        Err(Failure::new(Stage::Admit, Blame::Guest, Cause::Closing, detail).with_request(request))
    }

    /// A request of a shared instance has failed for good.
    fn judge(&self, failure: &Failure, print: Option<Print>) {
        match (failure.blame, print) {
            (Blame::Collateral, _) => self.0.blueprint.blast.count_collateral(),
            (Blame::Guest, Some(print)) => self.0.blueprint.blast.guilty(print),
            _ => {}
        }
    }

    /// Hands a job to a waiting instance of this shard, or to a new one.
    fn post(&self, job: Job, company: Company) {
        let blueprint = &self.0.blueprint;
        if blueprint.reuse.requests <= 1 || company == Company::Alone {
            Post::start(blueprint, job);
            return;
        }
        let mut job = job;
        let concurrency = if blueprint.exclusive() { 1 } else { blueprint.blast.concurrency() };
        let Some(shard) = self.0.shards.get(shard()) else { return };
        let mut posts = shard.lock().unwrap_or_else(PoisonError::into_inner);
        posts.retain(Post::open);
        for post in posts.iter().rev() {
            match post.offer(job, concurrency, blueprint) {
                Ok(()) => return,
                Err(back) => job = back,
            }
        }
        let post = Post::start(blueprint, job);
        if !self.0.closing.load(Ordering::Relaxed) {
            posts.push(post);
        }
    }

    /// Lets waiting instances go; running requests finish.
    pub fn retire(&self) {
        self.0.closing.store(true, Ordering::Relaxed);
        for shard in &self.0.shards {
            shard.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// Returns when no request is running, and after [`Pool::retire`] when no instance is left.
    pub async fn drained(&self) {
        self.0.gate.empty().await;
        if self.0.closing.load(Ordering::Relaxed) {
            let _all = self.0.blueprint.workers.acquire_many(MAX_WORKERS).await;
        }
    }
}

/// With whom a request may share an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Company {
    Any,
    Alone,
}

/// Something of the guest's doing that ends its whole instance.
fn is_the_guests(cause: &Cause) -> bool {
    matches!(cause, Cause::Trap | Cause::CpuLimit | Cause::MemoryLimit | Cause::Deadline)
}

/// What holds a component to its CPU time a second; nothing when that is all that there is.
fn allowance(limits: &Limits) -> Option<Arc<Allowance>> {
    let cores = u32::try_from(std::thread::available_parallelism().map_or(1, usize::from)).unwrap_or(1);
    let all = Duration::from_secs(1) * cores;
    limits.cpu_per_second.filter(|limit| *limit < all).map(|limit| Arc::new(Allowance::new(limit)))
}

/// Places of the engine that one instance of a component takes: an ordinary one takes one.
fn weight(core_instances: usize, component: &wasmtime::component::Component) -> u32 {
    let required = component.resources_required();
    let (memories, tables) = required.map_or((0, 0), |required| (required.num_memories, required.num_tables));
    let core = u32::try_from(core_instances).unwrap_or(u32::MAX).max(tables).div_ceil(CORE_INSTANCES_PER_COMPONENT);
    core.max(memories.div_ceil(2)).clamp(1, MAX_WEIGHT)
}

/// How often a request may meet an instance that is about to end.
const MISSED_TURNS: u32 = 4;
/// More workers than a process can hold instances.
const MAX_WORKERS: u32 = 1 << 24;
/// Shards beyond this share their lists of waiting instances.
const MAX_SHARDS: usize = 64;

/// A small number for this thread: instances wait where they last ran.
fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHARD: Cell<Option<usize>> = const { Cell::new(None) };
    }
    SHARD.with(|cell| {
        cell.get().unwrap_or_else(|| {
            let shard = NEXT.fetch_add(1, Ordering::Relaxed) % MAX_SHARDS;
            cell.set(Some(shard));
            shard
        })
    })
}
