//! The root tasks that run in one instance: which request each serves, and how many effects have left the instance; and the seat,
//! which says for whom the host works at this very moment.

use crate::flight::Flight;
use crate::meter::Meter;
use crate::onward::Onward;
use coracle_telemetry::RequestId;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime::component::GuestTaskId;

/// The requests that are running in one instance, and the effects that have left it.
#[derive(Clone, Default)]
pub struct Tasks {
    running: Vec<Root>,
    /// The request of an instance that takes one after the other, and has no tasks.
    alone: Option<RequestId>,
    effects: Arc<AtomicU64>,
    seat: Seat,
}

#[derive(Clone)]
struct Root {
    task: GuestTaskId,
    request: RequestId,
    meter: Arc<Meter>,
    onward: Option<Arc<dyn Onward>>,
}

/// Who makes the host call that is being made. Set when a request has the instance to itself, or at the entry of each call
/// (`calls::watch`); to be read on entry of a host call only, like [`caller`](crate::task::caller).
#[derive(Clone, Default)]
pub(crate) struct Seat(Arc<Mutex<Option<Sitting>>>);

/// A request whose host call is being made.
#[derive(Clone)]
pub(crate) struct Sitting {
    pub(crate) request: RequestId,
    pub(crate) meter: Arc<Meter>,
}

impl Seat {
    pub(crate) fn get(&self) -> Option<Sitting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, sitting: Option<Sitting>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = sitting;
    }
}

impl Tasks {
    /// Remembers that a root task serves a request. `exclusive`: it has the instance to itself.
    pub(crate) fn enter(&mut self, task: GuestTaskId, flight: &Flight, exclusive: bool) {
        let (request, meter) = (flight.id, &flight.meter);
        self.running.push(Root { task, request, meter: Arc::clone(meter), onward: flight.onward.clone() });
        if exclusive && meter.scope().is_some() {
            self.seat.set(Some(Sitting { request, meter: Arc::clone(meter) }));
        }
    }

    /// Where this request goes when it is handed on. Of an unknown one only if no other runs here.
    pub(crate) fn onward(&self, request: Option<RequestId>) -> Option<Arc<dyn Onward>> {
        let meant = |root: &&Root| request.is_none_or(|request| request == root.request);
        let mut candidates = self.running.iter().filter(meant);
        let first = candidates.next()?.onward.clone()?;
        candidates.next().is_none().then_some(first)
    }

    /// Remembers the one request of an instance that takes one after the other.
    pub(crate) fn enter_alone(&mut self, request: RequestId, meter: &Arc<Meter>) {
        self.alone = Some(request);
        if meter.scope().is_some() {
            self.seat.set(Some(Sitting { request, meter: Arc::clone(meter) }));
        }
    }

    /// The request that has the instance to itself, if the instance takes one after the other.
    pub(crate) fn alone(&self) -> Option<RequestId> {
        self.alone
    }

    /// The request that a root task serves.
    pub(crate) fn served_by(&self, root: GuestTaskId) -> Option<RequestId> {
        self.running.iter().find(|running| running.task == root).map(|running| running.request)
    }

    /// The same with its meter.
    pub(crate) fn sitting(&self, root: GuestTaskId) -> Option<Sitting> {
        let running = self.running.iter().find(|running| running.task == root)?;
        Some(Sitting { request: running.request, meter: Arc::clone(&running.meter) })
    }

    pub(crate) fn seat(&self) -> &Seat {
        &self.seat
    }

    /// Forgets a request whose work, post-return work included, has ended.
    pub(crate) fn leave(&mut self, request: RequestId) {
        self.running.retain(|running| running.request != request);
        self.alone.take_if(|alone| *alone == request);
        self.seat.set(None);
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
