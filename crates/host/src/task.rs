//! Who is calling: which request a host call belongs to.
//!
//! In WASI 0.3 several requests can run in one instance. [`caller`] reads the guest task that makes a call and follows
//! it to its root. It may be asked only synchronously on entry of a host call, before its first await; the answer is
//! then moved into the future. No security decision rests on it: those rest on the instance.

use crate::Guest;
use coracle_telemetry::RequestId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use wasmtime::StoreContextMut;
use wasmtime::component::GuestTaskId;

/// Who makes a host call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The request whose root task made the call.
    Request(RequestId),
    /// The instance itself: no task of a known request is on the stack.
    Instance,
}

/// The requests that are running in one instance, and the effects that have left it.
#[derive(Clone, Default)]
pub struct Tasks {
    running: Vec<(GuestTaskId, RequestId)>,
    effects: Arc<AtomicU64>,
}

impl Tasks {
    /// Remembers that a root task serves a request.
    pub(crate) fn enter(&mut self, task: GuestTaskId, request: RequestId) {
        self.running.push((task, request));
    }

    /// Forgets a request whose work, post-return work included, has ended.
    pub(crate) fn leave(&mut self, request: RequestId) {
        self.running.retain(|(_, running)| *running != request);
    }

    /// To be called by a plugin before an effect leaves the instance (a write, a message, an outbound request): from
    /// here on no request in this instance is intact, and none is tried elsewhere.
    pub fn effect(&self) {
        self.effects.fetch_add(1, Relaxed);
    }

    /// A counter of effects that outlives the store.
    pub fn effects(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.effects)
    }
}

/// The caller of a host function; only valid on its entry, before the first await.
pub fn caller(mut store: StoreContextMut<'_, Guest>) -> Caller {
    let Ok(stack) = store.async_call_stack() else { return Caller::Instance };
    let Some(root) = stack.last() else { return Caller::Instance };
    let running = &store.data().tasks.running;
    running.iter().find(|(task, _)| *task == root).map_or(Caller::Instance, |(_, request)| Caller::Request(*request))
}
