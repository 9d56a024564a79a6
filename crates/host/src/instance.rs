//! Making instances: what is decided once per component ([`Blueprint`]) and what is made for each instance.

use crate::egress::{Outbound, Shared};
use crate::engine::{Engine, Mode};
use crate::flight::Flights;
use crate::grant::{Grant, Grants};
use crate::guest::{Guest, Seed};
use crate::limits::{Budget, Memory};
use crate::logs::{Log, Stream, Which};
use crate::plugin::Plugin;
use crate::roots::Tasks;
use coracle_manifest::{Limits, Reuse};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio::sync::Semaphore;
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi_http::handler::{Proxy, ProxyPre};

/// What all instances of a component have in common.
pub(crate) struct Blueprint {
    pub(crate) name: Arc<str>,
    pub(crate) engine: Engine,
    pub(crate) mode: Mode,
    pub(crate) pre: ProxyPre<Guest>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) plugins: Vec<(Arc<dyn Plugin>, Grant)>,
    pub(crate) grants: Arc<Grants>,
    pub(crate) limits: Limits,
    /// Places of the engine that one instance takes.
    pub(crate) weight: u32,
    pub(crate) reuse: Reuse,
    pub(crate) memory_total: Arc<Budget>,
    pub(crate) outbound_places: Arc<Semaphore>,
    /// One permit a living worker, so that its end can be waited for.
    pub(crate) workers: Arc<Semaphore>,
    /// Calls that were answered with "denied".
    pub(crate) denied: Arc<AtomicU64>,
    pub(crate) log: Arc<Log>,
}

/// One instance and its store.
pub(crate) struct Live {
    pub(crate) store: Store<Guest>,
    pub(crate) proxy: Proxy,
    pub(crate) number: u64,
}

impl Blueprint {
    /// Whether requests never meet in an instance.
    pub(crate) fn exclusive(&self) -> bool {
        self.reuse.concurrency <= 1 || matches!(self.pre, ProxyPre::P2(_))
    }

    /// Makes an instance. Guest code may run in it already (its start function), under the same epoch.
    ///
    /// # Errors
    /// When the start function traps, memory is short or a granted folder is gone; with whether it was others who took
    /// the memory.
    pub(crate) async fn make(&self, flights: &Flights) -> Result<Live, (wasmtime::Error, bool)> {
        let guest = self.guest(flights).map_err(|error| (error, false))?;
        let engine = self.engine.wasmtime(self.mode).map_err(|error| (error, false))?;
        let mut store = Store::new(engine, guest);
        store.limiter(|guest| &mut guest.memory);
        store.set_hostcall_fuel(HOSTCALL_BYTES);
        store.set_max_component_handles(MAX_HANDLES);
        // The one epoch callback: a guest past its slice lets its neighbours run. CPU time is accounted where the
        // slice ends, in the worker.
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Yield(1)));
        let proxy = match self.pre.instantiate_async(&mut store).await {
            Ok(proxy) => proxy,
            Err(error) => return Err((error, store.data().memory.crowded())),
        };
        Ok(Live { store, proxy, number: self.engine.next_instance() })
    }

    fn guest(&self, flights: &Flights) -> wasmtime::Result<Guest> {
        let mut seed = Seed { wasi: WasiCtxBuilder::new(), outbound: None, unseen_effects: false };
        for (name, value) in &self.env {
            seed.wasi.env(name, value);
        }
        seed.wasi.stdout(Stream::new(Arc::clone(&self.log), Which::Stdout, flights.clone()));
        seed.wasi.stderr(Stream::new(Arc::clone(&self.log), Which::Stderr, flights.clone()));
        seed.wasi.max_random_size(MAX_RANDOM);
        for (plugin, grant) in &self.plugins {
            plugin.seed(grant, &mut seed)?;
        }
        let tasks = Tasks::default();
        let shared = Shared {
            client: self.engine.client(),
            places: Arc::clone(&self.outbound_places),
            denied: Arc::clone(&self.denied),
            component: Arc::clone(&self.name),
        };
        let outbound = Outbound::new(shared, seed.outbound, tasks.effects());
        let memory = Memory::new(self.limits.memory, Arc::clone(&self.memory_total), self.engine.memory());
        let mut guest = Guest::new(seed.wasi.build(), outbound, memory, tasks, Arc::clone(&self.grants));
        guest.unseen_effects = seed.unseen_effects;
        guest.concurrent = self.mode == Mode::Concurrent;
        Ok(guest)
    }
}

/// Bytes a guest may hand to the host in one call.
const HOSTCALL_BYTES: usize = 8 << 20;
/// Component-model handles of one instance.
const MAX_HANDLES: usize = 100_000;
/// Random bytes of one call.
const MAX_RANDOM: u64 = 1 << 20;
