//! Who is calling: which request a host call belongs to.
//!
//! In WASI 0.3 several requests can run in one instance. [`caller`] reads the guest task that makes a call and follows
//! it to its root. It may be asked only synchronously on entry of a host call, before its first await; the answer is
//! then moved into the future. No security decision rests on it: those rest on the instance.

use crate::guest::Guest;
use coracle_telemetry::RequestId;
use wasmtime::StoreContextMut;

/// Who makes a host call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The request whose root task made the call.
    Request(RequestId),
    /// The instance itself: no task of a known request is on the stack.
    Instance,
}

/// The caller of a host function; only valid on its entry, before the first await.
pub fn caller(mut store: StoreContextMut<'_, Guest>) -> Caller {
    if let Some(request) = store.data().tasks.alone() {
        return Caller::Request(request);
    }
    if !store.data().concurrent {
        return Caller::Instance;
    }
    let Ok(stack) = store.async_call_stack() else { return Caller::Instance };
    let Some(root) = stack.last() else { return Caller::Instance };
    store.data().tasks.served_by(root).map_or(Caller::Instance, Caller::Request)
}
