//! The data of a store: what one instance may reach. Made per instance from its [`Seed`], dropped with it.

use crate::calls::{Calls, Function, HostCall};
use crate::egress::{Outbound, Rules};
use crate::grant::Grants;
use crate::limits::Memory;
use crate::logs::Voice;
use crate::roots::Tasks;
use coracle_manifest::Limits;
use std::any::Any;
use std::sync::Arc;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::FieldMap;
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// What a new instance starts with; plugins add to it in `seed`.
pub struct Seed {
    pub wasi: WasiCtxBuilder,
    /// Where outbound HTTP may go; nowhere while `None`.
    pub outbound: Option<Arc<Rules>>,
    /// The instance can have effects that nobody counts, such as writing to files: none of its requests is ever intact.
    pub unseen_effects: bool,
}

/// A store's data.
pub struct Guest {
    pub table: ResourceTable,
    pub(crate) wasi: WasiCtx,
    pub(crate) http: WasiHttpCtx,
    pub(crate) outbound: Outbound,
    pub(crate) memory: Memory,
    /// The requests that are running in this instance.
    pub tasks: Tasks,
    pub(crate) unseen_effects: bool,
    /// Several requests may run in the instance, each as a task of the runtime.
    pub(crate) concurrent: bool,
    pub(crate) calls: Calls,
    pub(crate) voice: Option<Voice>,
    grants: Arc<Grants>,
}

impl Guest {
    pub(crate) fn new(wasi: WasiCtx, outbound: Outbound, memory: Memory, grants: Arc<Grants>, limits: &Limits) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles as usize);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(usize::try_from(limits.request_headers).unwrap_or(usize::MAX));
        let tasks = Tasks::default();
        Self {
            table,
            wasi,
            http,
            outbound,
            memory,
            tasks,
            unseen_effects: false,
            concurrent: true,
            calls: Calls::default(),
            voice: None,
            grants,
        }
    }

    /// Bytes of headers that the guest makes the host hold.
    pub(crate) fn fields(&mut self) -> u64 {
        let maps = self.table.iter_mut().filter_map(|entry| entry.downcast_ref::<FieldMap>());
        maps.flat_map(|map| map.iter()).map(|(name, value)| (name.as_str().len() + value.len()) as u64).sum()
    }

    /// Notes a call of the host that begins now; to be called on its entry.
    #[must_use]
    pub fn begin(&self, function: Function) -> HostCall {
        self.calls.begin(function)
    }

    /// What the guest says to its log by an interface of its own.
    #[must_use]
    pub fn voice(&self) -> Option<&Voice> {
        self.voice.as_ref()
    }

    /// What notes the calls of this instance.
    #[must_use]
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// The resolved grant of this type; `None` when it was not granted.
    pub fn grant<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.grants.get()
    }

    /// The resource table beside the resolved grant of this type.
    pub fn table_and_grant<T: Any + Send + Sync>(&mut self) -> (&mut ResourceTable, Option<Arc<T>>) {
        let grant = self.grants.get();
        (&mut self.table, grant)
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outbound, table: &mut self.table, ctx: &mut self.http }
    }
}
