//! Making instances: what is decided once per component ([`Blueprint`]) and what is made for each instance.

use crate::blast::Blast;
use crate::calls::Calls;
use crate::card::Card;
use crate::clock::polled_for;
use crate::egress::{Outbound, Shared};
use crate::engine::Engine;
use crate::flight::Flights;
use crate::grant::{Grant, Grants};
use crate::guest::{Guest, Seed};
use crate::lane::{Lineage, turn};
use crate::limits::{Allowance, Budget, Memory};
use crate::link;
use crate::logs::{Log, Stream, Voice, Which};
use crate::mode::Mode;
use crate::neighbours::Neighbours;
use crate::plugin::Plugin;
use crate::roots::Tasks;
use crate::spec::Spec;
use crate::trap::Traps;
use coracle_artifact::World;
use coracle_manifest::{Limits, Reuse};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::sync::Semaphore;
use wasmtime::{AsContextMut as _, CallHook, Store, UpdateDeadline};
use wasmtime_wasi::WasiCtxBuilder;

/// What all instances of a component have in common.
pub(crate) struct Blueprint {
    pub(crate) name: Arc<str>,
    pub(crate) engine: Engine,
    pub(crate) mode: Mode,
    /// It serves by WASI 0.3, which can take several requests at once.
    pub(crate) several: bool,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) plugins: Vec<(Arc<dyn Plugin>, Grant)>,
    pub(crate) grants: Arc<Grants>,
    /// What it is and imports, for people.
    pub(crate) card: Card,
    pub(crate) limits: Limits,
    pub(crate) lineage: Arc<Lineage>,
    /// What holds it to its CPU time a second.
    pub(crate) allowance: Option<Arc<Allowance>>,
    pub(crate) reuse: Reuse,
    pub(crate) blast: Blast,
    pub(crate) memory_total: Arc<Budget>,
    pub(crate) outbound_places: Arc<Semaphore>,
    pub(crate) neighbours: Arc<Neighbours>,
    /// One permit a living worker, so that its end can be waited for.
    pub(crate) workers: Arc<Semaphore>,
    /// Calls that were answered with "denied".
    pub(crate) denied: Arc<AtomicU64>,
    pub(crate) log: Arc<Log>,
    pub(crate) traps: Arc<Traps>,
}

impl Blueprint {
    /// What the instances of this component will have in common; `name` is its name in logs and records.
    pub(crate) fn new(engine: &Engine, spec: Spec, name: Arc<str>, mode: Mode) -> Self {
        let log = Arc::new(Log::new(Arc::clone(&name), spec.limits.log_bytes, engine.telemetry()));
        let allowance = allowance(&spec.limits);
        let mut grants = Grants::default();
        spec.grants.iter().for_each(|(_, grant)| grants.push(grant));
        let card = link::card(&spec);
        Self {
            card,
            engine: engine.clone(),
            mode,
            several: matches!(spec.component.world, World::HttpService03 { .. }),
            env: spec.env,
            plugins: spec.grants,
            grants: Arc::new(grants),
            lineage: Lineage::new(spec.limits.weight, allowance.clone()),
            allowance,
            memory_total: Arc::new(Budget::new(spec.limits.memory_total)),
            neighbours: spec.neighbours,
            outbound_places: Arc::new(Semaphore::new(spec.limits.outbound_connections as usize)),
            workers: Arc::new(Semaphore::new(MAX_WORKERS as usize)),
            denied: Arc::new(AtomicU64::new(0)),
            traps: Traps::new(spec.component.code, Arc::clone(&log)),
            log,
            name,
            limits: spec.limits,
            blast: Blast::new(spec.reuse.concurrency),
            reuse: spec.reuse,
        }
    }

    /// Whether requests never meet in an instance.
    pub(crate) fn exclusive(&self) -> bool {
        self.reuse.concurrency <= 1 || !self.several
    }

    /// Makes the store of a new instance.
    ///
    /// # Errors
    /// When a granted folder is gone.
    pub(crate) fn store(&self, flights: &Flights) -> wasmtime::Result<Store<Guest>> {
        let mut store = self.store_with(|wasi, tasks| {
            let stream = |which| Stream::new(Arc::clone(&self.log), which, flights.clone(), tasks.seat().clone());
            wasi.stdout(stream(Which::Stdout)).stderr(stream(Which::Stderr));
        })?;
        let guest = store.data_mut();
        guest.voice = Some(Voice::new(Arc::clone(&self.log), flights.clone(), guest.tasks.seat().clone()));
        Ok(store)
    }

    /// Makes the store of a new instance whose arguments and standard streams `stdio` sets.
    ///
    /// # Errors
    /// When a granted folder is gone.
    pub(crate) fn store_with(&self, stdio: impl FnOnce(&mut WasiCtxBuilder, &Tasks)) -> wasmtime::Result<Store<Guest>> {
        let guest = self.guest(stdio)?;
        let mut store = Store::new(self.engine.wasmtime(self.mode)?, guest);
        store.limiter(|guest| &mut guest.memory);
        if !self.exclusive() && self.engine.telemetry().is_some() {
            watch(&mut store);
        }
        store.set_hostcall_fuel(usize::try_from(self.limits.call_bytes).unwrap_or(usize::MAX));
        store.set_max_component_handles(self.limits.handles as usize);
        if let Some(table) = store.concurrent_resource_table() {
            table.set_max_capacity(CONCURRENT * self.limits.handles as usize);
        }
        // The one epoch callback: a guest past its slice waits in the slow lane. The epoch says only that time has passed,
        // perhaps while the guest waited for something. CPU time is accounted where the slice ends, in the worker.
        let (lineage, slice) = (Arc::clone(&self.lineage), self.engine.slice() / 2);
        let (engine, memory) = (self.engine.clone(), self.limits.memory);
        store.set_epoch_deadline(1);
        let name = Arc::clone(&self.name);
        store.epoch_deadline_callback(move |mut store| {
            engine.profiler().sample(&name, &store);
            if polled_for() < slice {
                return Ok(UpdateDeadline::Continue(1));
            }
            if engine.crowded() && store.data_mut().fields() > memory / 4 {
                store.data_mut().memory.refuse();
                wasmtime::bail!("it holds more than a quarter of its memory in headers");
            }
            Ok(UpdateDeadline::YieldCustom(1, turn(&lineage)))
        });
        Ok(store)
    }

    fn guest(&self, stdio: impl FnOnce(&mut WasiCtxBuilder, &Tasks)) -> wasmtime::Result<Guest> {
        let mut seed = Seed { wasi: WasiCtxBuilder::new(), outbound: None, unseen_effects: false };
        let tasks = Tasks::default();
        for (name, value) in &self.env {
            seed.wasi.env(name, value);
        }
        stdio(&mut seed.wasi, &tasks);
        seed.wasi.max_random_size(MAX_RANDOM);
        for (plugin, grant) in &self.plugins {
            plugin.seed(grant, &mut seed)?;
        }
        let shared = Shared {
            client: self.engine.client(),
            places: Arc::clone(&self.outbound_places),
            denied: Arc::clone(&self.denied),
            component: Arc::clone(&self.name),
            neighbours: Arc::clone(&self.neighbours),
        };
        let calls = Calls::new(self.engine.telemetry(), &self.name, tasks.seat());
        let outbound = Outbound::new(shared, seed.outbound, tasks.effects(), calls.clone());
        let memory = Memory::new(self.limits.memory, Arc::clone(&self.memory_total), self.engine.memory());
        let mut guest = Guest::new(seed.wasi.build(), outbound, memory, Arc::clone(&self.grants), &self.limits);
        guest.tasks = tasks;
        guest.calls = calls;
        guest.unseen_effects = seed.unseen_effects;
        guest.concurrent = self.mode == Mode::Concurrent;
        Ok(guest)
    }
}

/// What holds a component to its CPU time a second; nothing when that is all that there is.
fn allowance(limits: &Limits) -> Option<Arc<Allowance>> {
    let cores = u32::try_from(std::thread::available_parallelism().map_or(1, usize::from)).unwrap_or(1);
    let all = Duration::from_secs(1) * cores;
    limits.cpu_per_second.filter(|limit| *limit < all).map(|limit| Arc::new(Allowance::new(limit)))
}

/// More workers than a process can hold instances.
pub(crate) const MAX_WORKERS: u32 = 1 << 24;

/// Has the runtime say at each host call whose it is: for instances in which several requests run.
fn watch(store: &mut Store<Guest>) {
    store.call_hook(|mut store, hook| {
        match hook {
            CallHook::CallingHost => {
                let root = store.as_context_mut().async_call_stack().ok().and_then(Iterator::last);
                let tasks = &store.data().tasks;
                tasks.seat().set(root.and_then(|root| tasks.sitting(root)));
            }
            CallHook::ReturningFromHost => store.data().tasks.seat().set(None),
            CallHook::CallingWasm | CallHook::ReturningFromWasm => {}
        }
        Ok(())
    });
}

/// Entries that the runtime makes for tasks and streams, for each handle that a guest may have.
const CONCURRENT: usize = 4;
/// Random bytes of one call.
const MAX_RANDOM: u64 = 1 << 20;
