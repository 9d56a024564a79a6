//! The guests of one component: loading it, and finding an instance for each request.
//!
//! ```text
//! call ─ body limit ─ gate ─┬─ a waiting instance of this shard ─┐
//!                           └─ a new worker task ────────────────┴─▶ worker ─▶ Response | Failure
//! ```

use crate::blast::Print;
use crate::card::Card;
use crate::code::{Code, Loaded, RETRY, Recipe, Slot};
use crate::compile::Wasm;
use crate::engine::Engine;
use crate::failure::{Blame, Cause, Failure, Stage};
use crate::flight::Job;
use crate::instance::{Blueprint, MAX_WORKERS};
use crate::limits::Gate;
use crate::link::{self, LoadError};
use crate::meter::{Meter, Moment};
use crate::mode::Mode;
use crate::neighbours::{MAX_DEPTH, Neighbour, Neighbours};
use crate::onward::Onward;
use crate::plugin::Note;
use crate::shelf::{Asked, Shelved};
use crate::spec::{Later, Spec};
use crate::worker::Post;
use crate::{Request, Response};
use coracle_artifact::World;
use coracle_manifest::Limits;
use coracle_telemetry::RequestId;
use coracle_telemetry::metrics::names::Name;
use futures::FutureExt as _;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use tokio::sync::oneshot;

/// One request for a component.
pub struct Call {
    /// Its URI is absolute.
    pub request: Request,
    pub id: RequestId,
    pub meter: Arc<Meter>,
    /// Keeps what the guest reads of the body, so that the request can be tried elsewhere.
    pub keep: bool,
    /// How many components called each other to get here; 0 from outside.
    pub depth: u32,
    /// What is behind the component, if it is a link of a chain.
    pub onward: Option<Arc<dyn Onward>>,
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
    /// Its code is mapped: it has been called, or was loaded to stay.
    pub mapped: bool,
    /// Instances that exist, those that are just being made included.
    pub live: usize,
}

/// The guests of one component. Copies share them.
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

pub(crate) struct Shared {
    blueprint: Arc<Blueprint>,
    recipe: Recipe,
    slot: Slot,
    /// Its code may be let go of when others need the room.
    may_go: bool,
    gate: Gate,
    /// For calls of other components, by depth: outer calls must not take the places of inner ones.
    inner: OnceLock<Box<[Gate]>>,
    /// Workers that may take another request, by shard; made when the first is kept.
    shards: OnceLock<Box<[Mutex<Vec<Post>>]>>,
    closing: AtomicBool,
}

impl Pool {
    /// Compiles or maps a component and links it to what it was granted.
    ///
    /// # Errors
    /// When it does not compile, imports what is not there, or imports what was not granted and can't be denied.
    pub async fn load(engine: &Engine, spec: Spec) -> Result<(Self, Vec<Note>), LoadError> {
        let (pool, notes) = Self::new(engine, spec, None)?;
        let shared = Arc::clone(&pool.0);
        let loaded = tokio::task::spawn_blocking(move || shared.load()).await.map_err(LoadError::Interrupted)?;
        pool.0.slot.loaded(&Ok(Arc::new(loaded?)));
        Ok((pool, notes))
    }

    /// Takes a component in, to be compiled, mapped and linked when it is called first, and let go of when it is cold. What it
    /// imports is held against its grants already.
    ///
    /// # Errors
    /// When it imports what was not granted and can't be denied.
    pub fn register(engine: &Engine, spec: Spec, later: Later) -> Result<(Self, Vec<Note>), LoadError> {
        Self::new(engine, spec, Some(later))
    }

    fn new(engine: &Engine, spec: Spec, later: Option<Later>) -> Result<(Self, Vec<Note>), LoadError> {
        let notes = link::notes(&spec)?;
        let admitted = &spec.component;
        let mode = if admitted.is_sequential() { Mode::Sequential } else { Mode::Concurrent };
        let may_go = later.is_some();
        let (wasm, name) = match later {
            Some(Later { file, title }) => (Wasm::of_file(admitted, file), title),
            None => (Wasm::held(admitted), Arc::clone(&spec.name)),
        };
        let recipe = Recipe {
            wasm,
            mode,
            core_instances: admitted.core_instances,
            uses: spec.uses.clone(),
            neighbours: Arc::clone(&spec.neighbours),
            unoffered: link::unoffered(&spec),
        };
        if !spec.uses.is_empty() || admitted.world == World::HttpMiddleware03 {
            engine.nest();
        }
        let blueprint = Blueprint::new(engine, spec, name, mode);
        let gate = Gate::new(&blueprint.limits, blueprint.allowance.clone());
        let shared = Shared {
            blueprint: Arc::new(blueprint),
            recipe,
            slot: Slot::default(),
            may_go,
            gate,
            inner: OnceLock::new(),
            shards: OnceLock::new(),
            closing: AtomicBool::new(false),
        };
        Ok((Self(Arc::new(shared)), notes))
    }

    /// The component's name in the manifest.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.0.blueprint.name
    }

    /// What the component is and imports.
    #[must_use]
    pub fn card(&self) -> &Card {
        &self.0.blueprint.card
    }

    /// Its limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.blueprint.limits
    }

    /// What the pool is doing right now.
    #[must_use]
    pub fn status(&self) -> Status {
        let (collateral, replayed) = self.0.blueprint.blast.counts();
        Status {
            running: self.0.gates().map(Gate::running).sum(),
            waiting: self.0.gates().map(Gate::waiting).sum(),
            denied: self.0.blueprint.denied.load(Ordering::Relaxed),
            memory: self.0.blueprint.memory_total.used(),
            collateral,
            replayed,
            mapped: self.0.slot.is_mapped(),
            live: (MAX_WORKERS as usize).saturating_sub(self.0.blueprint.workers.available_permits()),
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
        let Call { request, id, meter, keep, depth, onward } = call;
        meter.mark(Moment::Called);
        let mut request = request;
        let shared = !self.0.blueprint.exclusive();
        let blast = &self.0.blueprint.blast;
        let mut company = if shared && blast.suspected(&request) { Company::Alone } else { Company::Any };
        let print = shared.then(|| blast.print(&request));
        for _ in 0..MISSED_TURNS {
            let place = match self.gate(depth).enter().await {
                Ok(place) => place,
                Err(cause) => {
                    if let Some(telemetry) = self.0.blueprint.engine.telemetry() {
                        telemetry.metrics.add(Name::Limit, &[self.name(), "queue"], 1.0);
                    }
                    let detail = format!("`{}` is busy: {} requests are running", self.name(), limits.concurrency);
                    return Err(Failure::new(Stage::Admit, Blame::Limit, cause, detail).with_request(request));
                }
            };
            let code = match self.code().await {
                Ok(code) => code,
                Err(failure) => return Err(failure.with_request(request)),
            };
            let (reply, answer) = oneshot::channel();
            let keep = keep || (shared && company == Company::Any);
            self.post(
                code,
                Job { request, id, meter: Arc::clone(&meter), keep, depth, onward: onward.clone(), reply, place },
                company,
            );
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

    pub(crate) fn blueprint(&self) -> &Arc<Blueprint> {
        &self.0.blueprint
    }

    pub(crate) fn of(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// Lets these components of an app, by name, call each other.
    pub fn acquaint<'a>(neighbours: &Neighbours, pools: impl Iterator<Item = (&'a str, &'a Self)>) {
        let weak = |pool: &Self| -> Weak<dyn Neighbour> { Arc::downgrade(&pool.0) as _ };
        neighbours.replace(pools.map(|(name, pool)| (name.to_owned(), weak(pool))).collect());
    }

    /// The way in for calls at this depth.
    pub(crate) fn gate(&self, depth: u32) -> &Gate {
        let Some(position) = depth.checked_sub(1) else { return &self.0.gate };
        let blueprint = &self.0.blueprint;
        let gates = self.0.inner.get_or_init(|| {
            (0..MAX_DEPTH).map(|_| Gate::new(&blueprint.limits, blueprint.allowance.clone())).collect()
        });
        gates.get(position.min(MAX_DEPTH - 1) as usize).unwrap_or(&self.0.gate)
    }

    /// The component's code, loaded if need be. Who asks holds a place, so that it stays.
    pub(crate) async fn code(&self) -> Result<Arc<Code>, Failure> {
        let shared = &self.0;
        if shared.may_go {
            shared.slot.touch(shared.blueprint.engine.shelf().now());
        }
        if let Some(code) = shared.slot.get() {
            return Ok(code);
        }
        let loading = shared.slot.loading(|| Arc::clone(shared).load_apart().boxed());
        loading.await.map_err(|error| self.not_loaded(&error))
    }

    fn not_loaded(&self, error: &LoadError) -> Failure {
        let retry_after = RETRY;
        let (blame, cause) = match error {
            LoadError::NoRoom => (Blame::Limit, Cause::NoRoom { retry_after }),
            LoadError::Source(_) | LoadError::Changed(_) | LoadError::Interrupted(_) => {
                (Blame::Host, Cause::NotLoaded { retry_after })
            }
            _ => (Blame::Guest, Cause::NotLoaded { retry_after }),
        };
        let mut detail = format!("`{}` could not be loaded: {error}", self.name());
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            detail += &format!(": {cause}");
            source = cause.source();
        }
        Failure::new(Stage::Instantiate, blame, cause, detail)
    }

    /// Hands a job to a waiting instance of this shard, or to a new one.
    fn post(&self, code: Arc<Code>, job: Job, company: Company) {
        let blueprint = &self.0.blueprint;
        if blueprint.reuse.requests <= 1 || company == Company::Alone {
            Post::start(blueprint, code, job);
            return;
        }
        let mut job = job;
        let concurrency = if blueprint.exclusive() { 1 } else { blueprint.blast.concurrency() };
        let shards = self.0.shards.get_or_init(|| (0..MAX_SHARDS).map(|_| Mutex::default()).collect());
        let Some(shard) = shards.get(shard()) else { return };
        let mut posts = shard.lock().unwrap_or_else(PoisonError::into_inner);
        posts.retain(Post::open);
        for post in posts.iter().rev() {
            match post.offer(job, concurrency, blueprint) {
                Ok(()) => return,
                Err(back) => job = back,
            }
        }
        let post = Post::start(blueprint, code, job);
        if !self.0.closing.load(Ordering::Relaxed) {
            posts.push(post);
        }
    }

    /// Lets waiting instances go; running requests finish.
    pub fn retire(&self) {
        self.0.closing.store(true, Ordering::Relaxed);
        self.0.send_home();
    }

    /// Returns when no request is running, and after [`Pool::retire`] when no instance is left.
    pub async fn drained(&self) {
        for gate in self.0.gates() {
            gate.empty().await;
        }
        if self.0.closing.load(Ordering::Relaxed) {
            let _all = self.0.blueprint.workers.acquire_many(MAX_WORKERS).await;
        }
    }
}

impl Shared {
    pub(crate) fn blueprint(&self) -> &Arc<Blueprint> {
        &self.blueprint
    }

    fn gates(&self) -> impl Iterator<Item = &Gate> {
        std::iter::once(&self.gate).chain(self.inner.get().into_iter().flatten())
    }

    /// Maps and links. Blocks.
    fn load(&self) -> Result<Code, LoadError> {
        self.recipe.load(&self.blueprint.engine, &self.blueprint.plugins)
    }

    /// Loads on a thread that may block. It goes on when whoever waits for it goes away.
    async fn load_apart(self: Arc<Self>) -> Loaded {
        let shared = Arc::clone(&self);
        let loading = tokio::task::spawn_blocking(move || {
            let loaded = shared.load().map(Arc::new).map_err(Arc::new);
            shared.slot.loaded(&loaded);
            if loaded.is_ok() {
                shared.shelve();
            }
            loaded
        });
        loading.await.unwrap_or_else(|interrupted| {
            let failed = Err(Arc::new(LoadError::Interrupted(interrupted)));
            self.slot.loaded(&failed);
            failed
        })
    }

    fn shelve(self: &Arc<Self>) {
        let weak = Arc::downgrade(self);
        let let_go = Box::new(move || weak.upgrade().map_or(Asked::Gone, |shared| shared.let_go()));
        self.blueprint.engine.shelf().shelve(Shelved { used: Arc::downgrade(&self.slot.used), let_go });
    }

    /// Lets go of the code and of the instances that wait in it, unless requests are in flight.
    fn let_go(&self) -> Asked {
        if self.is_busy() {
            return Asked::Busy;
        }
        let Some(code) = self.slot.take() else { return Asked::Gone };
        // Whoever has come in between has the code, and must find it counted.
        if self.is_busy() {
            self.slot.put_back(code);
            return Asked::Busy;
        }
        self.send_home();
        code.give_back();
        Asked::LetGo
    }

    fn is_busy(&self) -> bool {
        self.gates().any(|gate| gate.running() > 0)
    }

    /// Lets waiting instances go.
    fn send_home(&self) {
        for shard in self.shards.get().into_iter().flatten() {
            shard.lock().unwrap_or_else(PoisonError::into_inner).clear();
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

/// How often a request may meet an instance that is about to end.
const MISSED_TURNS: u32 = 4;
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
