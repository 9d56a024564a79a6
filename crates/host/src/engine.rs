//! One engine per process: how code is compiled, where instances are placed, and the clock that preempts them.
//!
//! Beneath are two of the runtime's engines: one that runs several requests in an instance at once, as WASI 0.3 may, and
//! one without the bookkeeping for that, for components of WASI 0.2 (docs/design/006). Each is made for the first component that
//! needs it: its pools take milliseconds and thousands of mappings.
//!
//! The pooling allocator is used where the address space allows it, on-demand allocation otherwise. A ticker thread
//! advances the epoch once a slice while a guest runs and sleeps while none does.

use crate::compile::{Cache, Wasm};
use crate::egress::Client;
use crate::grant::Grant;
use crate::guest::Guest;
use crate::lane::Lineage;
use crate::limits::Budget;
use crate::link::LoadError;
use crate::linkers::Linkers;
use crate::machine;
use crate::mode::Mode;
use crate::neighbours::MAX_DEPTH;
use crate::places::{Held, Places, Wait};
use crate::plugin::Plugin;
use crate::profile::{Profile, Profiler};
use crate::shelf::{Mapped, Shelf};
use crate::trap::Scribe;
use coracle_artifact::Admitted;
use coracle_telemetry::Telemetry;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::{Duration, Instant};
use wasmtime::component::Linker;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

/// What an engine is made from. Settings of the process, not of an app.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where compiled code is kept; `None` compiles anew in each process.
    pub cache_dir: Option<PathBuf>,
    /// Bytes that all instances together may hold.
    pub memory: u64,
    /// Instances that may exist at the same time; fewer where `memory` has less than 1 MiB for each, but 64 at least.
    pub instances: u32,
    /// Allocates each instance by itself: for tools that can't bear large reservations.
    pub on_demand: bool,
    /// Bytes of each linear memory that stay mapped for the next instance in its place; only what was written is reset.
    /// Faster. 4 MiB at most, and what an eighth of `memory` has for each instance, but 256 KiB at least; 0 gives all pages
    /// back after each instance.
    pub keep_resident: usize,
    /// How long a guest computes before it lets its neighbours run. 1 ms.
    pub slice: Duration,
    /// Tells how many bytes the process has allocated, memories of instances aside. While they are more than a quarter of
    /// `memory`, and more than 128 MiB, no instance is made.
    pub heap: Option<fn() -> u64>,
    /// The program that compiles in children of its own kind, within limits ([`crate::compile_child`]); `None` compiles in this
    /// process, for as long as it takes.
    pub compiler: Option<PathBuf>,
    /// Whether components are compiled that are not in the cache; else they are refused.
    pub compile: bool,
    /// Bytes of compiled code that are mapped at the same time. Those of components that are loaded when they are called make room
    /// for each other. A quarter of the machine's memory.
    pub images: u64,
    /// Components whose code is mapped at the same time; `None` is as many as the kernel has mappings for.
    pub most_images: Option<u32>,
    /// Notes what guests do; `None` notes nothing.
    pub telemetry: Option<Arc<Telemetry>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cache_dir: None,
            memory: machine::memory() / 4 * 3,
            instances: 1000,
            on_demand: false,
            keep_resident: 4 << 20,
            slice: Duration::from_millis(1),
            heap: None,
            compiler: None,
            compile: true,
            images: machine::memory() / 4,
            most_images: None,
            telemetry: None,
        }
    }
}

impl Settings {
    /// With as many instances, each keeping as much, as its memory has room for: each place may in time have held a large
    /// instance, and keeps its share of that.
    fn within_memory(&self) -> Self {
        let room = u32::try_from(self.memory >> 20).unwrap_or(u32::MAX);
        let instances = self.instances.min(room.max(64));
        let share = self.memory / 8 / u64::from(instances.max(1));
        let keep_resident = self.keep_resident.min(usize::try_from(share).unwrap_or(usize::MAX).max(256 << 10));
        Self { instances, keep_resident, ..self.clone() }
    }
}

/// An engine could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("the outbound HTTP client does not start")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("a thread of the engine does not start")]
    Thread(#[source] std::io::Error),
}

/// Compiles and holds what all components share. Copies are cheap and share everything.
#[derive(Clone)]
pub struct Engine(Arc<Shared>);

struct Shared {
    settings: Settings,
    concurrent: OnceLock<wasmtime::Engine>,
    sequential: OnceLock<wasmtime::Engine>,
    cache: Arc<Cache>,
    scribe: Scribe,
    linkers: Linkers,
    shelf: Arc<Shelf>,
    client: Arc<Client>,
    memory: Arc<Budget>,
    /// One permit an instance: what the pool can hold is decided at admission, never found out by failing.
    places: Arc<Places>,
    /// Places of calls between components, by depth; made when the first component may make such calls.
    inner: OnceLock<Box<[Arc<Places>]>>,
    ticker: Arc<Ticker>,
    janitor: mpsc::Sender<Box<dyn Send>>,
    instances_made: AtomicU64,
    profiler: Profiler,
}

/// A profile that is being taken; ends also when whoever asked for it has gone away.
struct Taking<'a>(&'a Profiler);

impl Drop for Taking<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Engine {
    /// Makes an engine and starts its ticker.
    ///
    /// # Errors
    /// When the machine lacks what the runtime needs.
    pub fn new(settings: &Settings) -> Result<Self, EngineError> {
        raise_descriptors();
        let settings = &settings.within_memory();
        let ticker = Ticker::start(settings).map_err(EngineError::Thread)?;
        let client = Client::new().map_err(|error| EngineError::Client(error.into()))?;
        let cache = Arc::new(Cache::new(settings.cache_dir.as_deref(), settings.compiler.clone(), settings.compile));
        Ok(Self(Arc::new(Shared {
            settings: settings.clone(),
            scribe: Scribe::start(Arc::clone(&cache)).map_err(EngineError::Thread)?,
            cache,
            linkers: Linkers::default(),
            shelf: Shelf::new(settings.images, settings.instances, settings.most_images),
            concurrent: OnceLock::new(),
            sequential: OnceLock::new(),
            client: Arc::new(client),
            memory: Arc::new(Budget::new(settings.memory)),
            places: Places::new(settings.instances),
            inner: OnceLock::new(),
            ticker,
            janitor: janitor().map_err(EngineError::Thread)?,
            instances_made: AtomicU64::new(0),
            profiler: Profiler::default(),
        })))
    }

    /// The runtime's engine for this mode.
    ///
    /// # Errors
    /// When the machine lacks what an engine needs.
    pub(crate) fn wasmtime(&self, mode: Mode) -> wasmtime::Result<&wasmtime::Engine> {
        let place = match mode {
            Mode::Concurrent => &self.0.concurrent,
            Mode::Sequential => &self.0.sequential,
        };
        if let Some(engine) = place.get() {
            return Ok(engine);
        }
        let engine = runtime(&self.0.settings, mode)?;
        // Another thread may have been faster; then this one is dropped.
        let engine = place.get_or_init(|| engine);
        self.0.ticker.advance(mode, engine);
        Ok(engine)
    }

    /// Compiles a component into the cache, if it isn't there; how long its code is, and whether it was there. Blocks.
    ///
    /// # Errors
    /// When it does not compile, or there is no cache to keep it in.
    pub fn precompile(&self, component: &Admitted) -> Result<(u64, bool), LoadError> {
        let mode = if component.is_sequential() { Mode::Sequential } else { Mode::Concurrent };
        let runtime = self.wasmtime(mode).map_err(LoadError::Compile)?;
        let wasm = Wasm::held(component);
        let known = self.0.cache.knows(runtime, &wasm);
        Ok((self.0.cache.find(runtime, &wasm)?.bytes(), known))
    }

    /// What notes the doings of guests.
    #[must_use]
    pub fn telemetry(&self) -> Option<&Arc<Telemetry>> {
        self.0.settings.telemetry.as_ref()
    }

    /// How long a guest computes before it lets its neighbours run.
    pub(crate) fn slice(&self) -> Duration {
        self.0.settings.slice
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.0.cache
    }

    /// Writes down traps.
    pub(crate) fn scribe(&self) -> &Scribe {
        &self.0.scribe
    }

    /// The linker for components that were granted these capabilities.
    pub(crate) fn linker(
        &self,
        mode: Mode,
        grants: &[(Arc<dyn Plugin>, Grant)],
    ) -> wasmtime::Result<Arc<Linker<Guest>>> {
        self.0.linkers.of(self.wasmtime(mode)?, mode, grants)
    }

    pub(crate) fn shelf(&self) -> &Arc<Shelf> {
        &self.0.shelf
    }

    pub(crate) fn profiler(&self) -> &Profiler {
        &self.0.profiler
    }

    /// Samples for so long where guests compute; `None` when a profile is being taken already.
    pub async fn profile(&self, time: Duration) -> Option<Profile> {
        if !self.0.profiler.begin() {
            return None;
        }
        let slice = u64::try_from(self.slice().as_millis()).unwrap_or(1).max(1);
        let taking = Taking(&self.0.profiler);
        tokio::time::sleep(time).await;
        Some(taking.0.end(slice))
    }

    /// Places for instances: how many are taken, and how many there are.
    #[must_use]
    pub fn slots(&self) -> (u32, u32) {
        let most = self.0.settings.instances;
        (most.saturating_sub(self.0.places.free()), most)
    }

    /// Bytes that instances and their buffers hold.
    #[must_use]
    pub fn memory_used(&self) -> u64 {
        self.0.memory.used()
    }

    /// What is mapped at the moment.
    #[must_use]
    pub fn mapped(&self) -> Mapped {
        self.0.shelf.mapped()
    }

    pub(crate) fn client(&self) -> Arc<Client> {
        Arc::clone(&self.0.client)
    }

    pub(crate) fn memory(&self) -> Arc<Budget> {
        Arc::clone(&self.0.memory)
    }

    /// Places for an instance of this weight, if there are any and the host's own memory is not short.
    pub(crate) fn place(&self, weight: u32) -> Option<Held> {
        if self.short() { None } else { self.0.places.take(weight) }
    }

    /// The same, in turn with other components; `None` when waiting won't help.
    pub(crate) fn await_place(&self, lineage: &Lineage, weight: u32) -> Option<Wait> {
        self.0.places.wait(lineage.number(), lineage.weight(), weight)
    }

    /// Sets places aside for calls between components: an outer call holds its own while it waits for an inner one, and with places for
    /// each depth none can wait for itself.
    pub(crate) fn nest(&self) {
        self.0.inner.get_or_init(|| {
            let share = (self.0.settings.instances / 64).max(1);
            self.0.places.give_up(share * MAX_DEPTH);
            (0..MAX_DEPTH).map(|_| Places::new(share)).collect()
        });
    }

    /// A place for a call at this depth, from 1.
    pub(crate) async fn inner_place(&self, depth: u32, weight: u32) -> Held {
        if let Some(place) = self.place(weight) {
            return place;
        }
        self.nest();
        let inner = self.0.inner.get().map_or(&[][..], |inner| inner);
        match inner.get(depth.clamp(1, MAX_DEPTH) as usize - 1) {
            Some(places) => places.one(weight).await,
            None => std::future::pending().await,
        }
    }

    /// Whether the host's own memory is short. Looked at anew, for the ticker rests when no guest runs.
    pub(crate) fn short(&self) -> bool {
        self.crowded() && self.0.ticker.look(&self.0.settings)
    }

    /// Whether guests make the host hold more memory beside theirs than it may.
    pub(crate) fn crowded(&self) -> bool {
        self.0.ticker.crowded.load(Ordering::Relaxed)
    }

    /// Drops something large on a thread that serves nobody.
    pub(crate) fn dispose(&self, waste: impl Send + 'static) {
        // With the thread gone it is dropped here.
        let _ = self.0.janitor.send(Box::new(waste));
    }

    /// A number no other instance of this process has.
    pub(crate) fn next_instance(&self) -> u64 {
        self.0.instances_made.fetch_add(1, Ordering::Relaxed)
    }

    /// Keeps the epoch advancing while the result lives.
    pub(crate) fn running(&self) -> Running {
        Ticker::enter(&self.0.ticker)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.ticker.end();
    }
}

fn runtime(settings: &Settings, mode: Mode) -> wasmtime::Result<wasmtime::Engine> {
    if !settings.on_demand {
        match wasmtime::Engine::new(&config(Some(pool(settings)), mode)) {
            Ok(engine) => return Ok(engine),
            // Containers with a limit on address space (ulimit -v) end here; it works, only slower.
            Err(error) => {
                tracing::warn!(%error, "no room for pooled instances: each is allocated by itself, which is slower")
            }
        }
    }
    wasmtime::Engine::new(&config(None, mode))
}

/// Engines that an equal program may run, those first that take least to make: for who only compiles.
pub(crate) fn candidates() -> impl Iterator<Item = wasmtime::Engine> {
    let kinds = [false, true].into_iter().flat_map(|pooled| [(pooled, Mode::Concurrent), (pooled, Mode::Sequential)]);
    kinds.filter_map(|(pooled, mode)| {
        let pool = pooled.then(|| pool(&Settings::default()));
        wasmtime::Engine::new(&config(pool, mode)).ok()
    })
}

fn config(pool: Option<PoolingAllocationConfig>, mode: Mode) -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    // Whatever the environment says: it would be read on the shard, for each frame of each trap (`trap`).
    config.wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Disable);
    config.wasm_component_model_async(mode == Mode::Concurrent);
    config.concurrency_support(mode == Mode::Concurrent);
    if let Some(pool) = pool {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    config
}

fn pool(settings: &Settings) -> PoolingAllocationConfig {
    let instances = settings.instances;
    let mut pool = PoolingAllocationConfig::new();
    // What tools emit as one component is three to five core modules: main, shim, fixups, adapters.
    let core = instances.saturating_mul(CORE_INSTANCES_PER_COMPONENT);
    pool.total_component_instances(instances)
        .total_core_instances(core)
        .total_memories(instances.saturating_mul(2))
        .total_tables(core)
        // What one instance may take of it; admission counts a large one as several.
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT * MAX_WEIGHT)
        .max_memories_per_component(2 * MAX_WEIGHT)
        .max_tables_per_component(CORE_INSTANCES_PER_COMPONENT * MAX_WEIGHT)
        // One an instance, and some for guests that run several tasks on stacks of their own. Each is a system call at the start.
        .total_stacks(instances.saturating_add(instances / 4))
        .max_component_instance_size(4 << 20)
        .table_elements(1 << 16);
    if settings.keep_resident > 0 {
        // Measured: docs/design/001. Pages stay mapped, and only those that the kernel knows to be dirty are reset.
        pool.linear_memory_keep_resident(settings.keep_resident)
            .table_keep_resident(64 << 10)
            .pagemap_scan(Enabled::Auto);
    }
    pool
}

/// Core instances that one place of the engine stands for.
pub(crate) const CORE_INSTANCES_PER_COMPONENT: u32 = 8;
/// Places that the largest component takes: 128 core instances, 32 memories.
pub(crate) const MAX_WEIGHT: u32 = 16;

/// Takes the descriptors that the system allows: sockets, stores and files of guests all need them.
fn raise_descriptors() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        tracing::debug!(%error, soft, "the limit of descriptors could not be raised");
    }
}

/// Takes what is to be dropped and drops it.
fn janitor() -> std::io::Result<mpsc::Sender<Box<dyn Send>>> {
    let (sender, waste) = mpsc::channel::<Box<dyn Send>>();
    std::thread::Builder::new().name("coracle-janitor".to_owned()).spawn(move || waste.into_iter().for_each(drop))?;
    Ok(sender)
}

/// What the host may allocate however little memory it was given.
const LEAST_HEAP: u64 = 128 << 20;
/// How many ticks there are between looks at the heap.
const HEAP_TICKS: u32 = 16;

/// Advances the epoch once a slice while somebody runs.
struct Ticker {
    running: AtomicU64,
    /// Unparked when somebody starts running.
    thread: OnceLock<Thread>,
    /// The engines, once there are any.
    concurrent: OnceLock<wasmtime::EngineWeak>,
    sequential: OnceLock<wasmtime::EngineWeak>,
    /// Nobody has the engine any more.
    ended: AtomicBool,
    /// The host's own memory is short.
    crowded: AtomicBool,
}

/// The ticker goes on for this long after the last guest, so that a steady trickle of requests doesn't pay a wake-up
/// each.
const LINGER: Duration = Duration::from_millis(50);

impl Ticker {
    fn start(settings: &Settings) -> std::io::Result<Arc<Self>> {
        let ticker = Arc::new(Self {
            running: AtomicU64::new(0),
            thread: OnceLock::new(),
            concurrent: OnceLock::new(),
            sequential: OnceLock::new(),
            ended: AtomicBool::new(false),
            crowded: AtomicBool::new(false),
        });
        let settings = settings.clone();
        let shared = Arc::clone(&ticker);
        let handle = std::thread::Builder::new().name("coracle-ticker".to_owned()).spawn(move || {
            let mut last = Instant::now();
            let mut ticks = 0_u32;
            while !shared.ended.load(Ordering::Relaxed) {
                if shared.running.load(Ordering::SeqCst) > 0 {
                    last = Instant::now();
                }
                if last.elapsed() > LINGER {
                    // A wake-up between the check and here makes `park` return at once.
                    std::thread::park();
                    last = if shared.running.load(Ordering::SeqCst) > 0 { Instant::now() } else { last };
                } else {
                    ticks = ticks.wrapping_add(1);
                    if ticks.is_multiple_of(HEAP_TICKS) {
                        shared.look(&settings);
                    }
                    let engines = [&shared.concurrent, &shared.sequential].into_iter().filter_map(OnceLock::get);
                    let engines = engines.filter_map(wasmtime::EngineWeak::upgrade);
                    engines.for_each(|engine| engine.increment_epoch());
                    std::thread::sleep(settings.slice);
                }
            }
        })?;
        let _ = ticker.thread.set(handle.thread().clone());
        Ok(ticker)
    }

    /// Looks at the heap, and returns whether it is crowded.
    fn look(&self, settings: &Settings) -> bool {
        let most = (settings.memory / 4).max(LEAST_HEAP);
        let crowded = settings.heap.is_some_and(|heap| heap() > most);
        if self.crowded.swap(crowded, Ordering::Relaxed) != crowded && crowded {
            tracing::warn!("the host's own memory is short, for what guests make it hold: no new instance is made");
        }
        crowded
    }

    /// Advances the epoch of this engine, too.
    fn advance(&self, mode: Mode, engine: &wasmtime::Engine) {
        let place = match mode {
            Mode::Concurrent => &self.concurrent,
            Mode::Sequential => &self.sequential,
        };
        let _ = place.set(engine.weak());
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    fn enter(ticker: &Arc<Self>) -> Running {
        if ticker.running.fetch_add(1, Ordering::SeqCst) == 0
            && let Some(thread) = ticker.thread.get()
        {
            thread.unpark();
        }
        Running(Arc::clone(ticker))
    }
}

/// Keeps the ticker ticking.
pub(crate) struct Running(Arc<Ticker>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}
