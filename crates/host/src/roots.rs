//! The root tasks that run in one instance: which request each serves, and how many effects have left the instance.

use crate::onward::Onward;
use coracle_telemetry::RequestId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use wasmtime::component::GuestTaskId;

/// The requests that are running in one instance, and the effects that have left it.
#[derive(Clone, Default)]
pub struct Tasks {
    running: Vec<(GuestTaskId, RequestId, Option<Arc<dyn Onward>>)>,
    /// The request of an instance that takes one after the other, and has no tasks.
    alone: Option<RequestId>,
    effects: Arc<AtomicU64>,
}

impl Tasks {
    /// Remembers that a root task serves a request.
    pub(crate) fn enter(&mut self, task: GuestTaskId, request: RequestId, onward: Option<Arc<dyn Onward>>) {
        self.running.push((task, request, onward));
    }

    /// Where this request goes when it is handed on. Of an unknown one only if all that run here go to the same place.
    pub(crate) fn onward(&self, request: Option<RequestId>) -> Option<Arc<dyn Onward>> {
        let mut candidates =
            self.running.iter().filter(|(_, running, _)| request.is_none_or(|request| request == *running));
        let first = candidates.next()?.2.clone()?;
        // Each request's way is its own, so this is one request.
        candidates.next().is_none().then_some(first)
    }

    /// Remembers the one request of an instance that takes one after the other.
    pub(crate) fn enter_alone(&mut self, request: RequestId) {
        self.alone = Some(request);
    }

    /// The request that has the instance to itself, if the instance takes one after the other.
    pub(crate) fn alone(&self) -> Option<RequestId> {
        self.alone
    }

    /// The request that a root task serves.
    pub(crate) fn served_by(&self, root: GuestTaskId) -> Option<RequestId> {
        self.running.iter().find(|(task, ..)| *task == root).map(|(_, request, _)| *request)
    }

    /// Forgets a request whose work, post-return work included, has ended.
    pub(crate) fn leave(&mut self, request: RequestId) {
        self.running.retain(|(_, running, _)| *running != request);
        self.alone.take_if(|alone| *alone == request);
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
