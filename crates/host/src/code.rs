//! A component's code in this process: mapped, linked, ready for instances. Loaded when the component is registered, or when
//! it is called first; then callers that come meanwhile wait for the one load, and a load that fails is tried again after a
//! moment. `pool.rs` decides when; `shelf.rs` decides who lets go.

use crate::compile::Wasm;
use crate::engine::{CORE_INSTANCES_PER_COMPONENT, Engine, MAX_WEIGHT};
use crate::grant::Grant;
use crate::guest::Guest;
use crate::link::{self, LoadError};
use crate::mode::Mode;
use crate::neighbours::Neighbours;
use crate::plugin::Plugin;
use crate::shelf::Hold;
use crate::spec::Use;
use crate::uses;
use arc_swap::ArcSwapOption;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use wasmtime::component::InstancePre;
use wasmtime_wasi_http::handler::ProxyPre;
use wasmtime_wasi_http::{p2, p3};

/// How long a load that failed answers for those after it.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// Mapped and linked.
pub(crate) struct Code {
    /// How it answers HTTP, if it does.
    pub(crate) pre: Option<ProxyPre<Guest>>,
    /// How others use it.
    pub(crate) instance: InstancePre<Guest>,
    /// Places of the engine that one instance takes.
    pub(crate) weight: u32,
    hold: Hold,
}

/// Mapped and linked, of any world.
pub(crate) struct Linked {
    pub(crate) pre: InstancePre<Guest>,
    pub(crate) weight: u32,
    pub(crate) hold: Hold,
}

/// What code is made from; small.
pub(crate) struct Recipe {
    pub(crate) wasm: Wasm,
    pub(crate) mode: Mode,
    pub(crate) core_instances: usize,
    pub(crate) uses: Vec<Use>,
    pub(crate) neighbours: Arc<Neighbours>,
    /// Imports that neither the host nor a plugin has.
    pub(crate) unoffered: Vec<String>,
}

impl Recipe {
    /// Maps and links, compiling first if need be. Blocks.
    ///
    /// # Errors
    /// When it does not compile or link, its file is gone or another, or there is no room to map it.
    pub(crate) fn load(&self, engine: &Engine, grants: &[(Arc<dyn Plugin>, Grant)]) -> Result<Code, LoadError> {
        let Linked { pre, weight, hold } = self.link(engine, grants)?;
        let instance = pre.clone();
        let pre = match p3::bindings::ServicePre::new(pre.clone()) {
            Ok(service) => Some(ProxyPre::P3(service)),
            // What answers no HTTP is a library that others use.
            Err(_not_p3) => p2::bindings::ProxyPre::new(pre).ok().map(ProxyPre::P2),
        };
        Ok(Code { pre, instance, weight, hold })
    }

    /// The same for a component of any world.
    ///
    /// # Errors
    /// As [`Recipe::load`].
    pub(crate) fn link(&self, engine: &Engine, grants: &[(Arc<dyn Plugin>, Grant)]) -> Result<Linked, LoadError> {
        let runtime = engine.wasmtime(self.mode).map_err(LoadError::Compile)?;
        let found = engine.cache().find(runtime, &self.wasm)?;
        let hold = engine.shelf().reserve(found.bytes()).ok_or(LoadError::NoRoom)?;
        let component = found.map(runtime).or_else(|error| {
            tracing::warn!(%error, "compiled code does not load: compiling again");
            let made = engine.cache().make(runtime, &self.wasm)?;
            made.map(runtime).map_err(LoadError::Compile)
        })?;
        let weight = weight(self.core_instances, &component);
        let linker = engine.linker(self.mode, grants);
        let linker = linker.map_err(|error| link::failed(error, self.unoffered.clone()))?;
        let pre = if self.uses.is_empty() {
            linker.instantiate_pre(&component)
        } else {
            // What it uses of others is its own.
            let mut own = link::linker(runtime, self.mode, grants).map_err(LoadError::Link)?;
            uses::link(&mut own, &component, &self.uses, &self.neighbours)?;
            own.instantiate_pre(&component)
        };
        let pre = pre.map_err(|error| link::failed(error, self.unoffered.clone()))?;
        Ok(Linked { pre, weight, hold })
    }
}

impl Code {
    /// Its room may be used by others: nobody starts anything in it any more.
    pub(crate) fn give_back(&self) {
        self.hold.give_back();
    }
}

/// Places of the engine that one instance of a component takes: an ordinary one takes one.
fn weight(core_instances: usize, component: &wasmtime::component::Component) -> u32 {
    let required = component.resources_required();
    let (memories, tables) = required.map_or((0, 0), |required| (required.num_memories, required.num_tables));
    let core = u32::try_from(core_instances).unwrap_or(u32::MAX).max(tables).div_ceil(CORE_INSTANCES_PER_COMPONENT);
    core.max(memories.div_ceil(2)).clamp(1, MAX_WEIGHT)
}

/// What a load came to, for all who waited for it.
pub(crate) type Loaded = Result<Arc<Code>, Arc<LoadError>>;
/// A load under way.
pub(crate) type Loading = Shared<BoxFuture<'static, Loaded>>;

/// Where a component's code is, if it is mapped.
#[derive(Default)]
pub(crate) struct Slot {
    code: ArcSwapOption<Code>,
    progress: Mutex<Progress>,
    /// When it was used last; kept for what may be let go of only.
    pub(crate) used: Arc<AtomicU64>,
}

#[derive(Default)]
enum Progress {
    #[default]
    None,
    Loading(Loading),
    Failed(Instant, Arc<LoadError>),
}

impl Slot {
    /// The code, if it is mapped.
    pub(crate) fn get(&self) -> Option<Arc<Code>> {
        self.code.load_full()
    }

    pub(crate) fn is_mapped(&self) -> bool {
        self.code.load().is_some()
    }

    pub(crate) fn touch(&self, now: u64) {
        self.used.store(now, Relaxed);
    }

    /// The load under way, or the one that `start` starts; at once what the last came to, if that is not long ago.
    pub(crate) fn loading(&self, start: impl FnOnce() -> BoxFuture<'static, Loaded>) -> Loading {
        let mut progress = self.progress();
        if let Progress::Loading(loading) = &*progress {
            return loading.clone();
        }
        if let Some(code) = self.get() {
            return futures::future::ready(Ok(code)).boxed().shared();
        }
        if let Progress::Failed(at, error) = &*progress
            && at.elapsed() < RETRY
        {
            return futures::future::ready(Err(Arc::clone(error))).boxed().shared();
        }
        let loading = start().shared();
        *progress = Progress::Loading(loading.clone());
        loading
    }

    /// The load has ended.
    pub(crate) fn loaded(&self, outcome: &Loaded) {
        let mut progress = self.progress();
        *progress = match outcome {
            Ok(code) => {
                self.code.store(Some(Arc::clone(code)));
                Progress::None
            }
            // Room may be there in a moment.
            Err(error) if matches!(**error, LoadError::NoRoom) => Progress::None,
            Err(error) => Progress::Failed(Instant::now(), Arc::clone(error)),
        };
    }

    /// Takes the code out, for nobody to start in it; `None` when it is not there.
    pub(crate) fn take(&self) -> Option<Arc<Code>> {
        self.code.swap(None)
    }

    /// Puts back what was taken out, if nothing else has come in its place.
    pub(crate) fn put_back(&self, code: Arc<Code>) {
        let _ = self.code.compare_and_swap(&None::<Arc<Code>>, Some(code));
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
