//! What is counted against a limit: memory of instances, and places for requests. On for every component.
//!
//! Memory is counted where a guest asks for it, against three caps: its instance's, its component's and the process's.
//! Places are counted at admission, so that a full pool is an answer of "busy" and never a failed instantiation.

use crate::Cause;
use coracle_manifest::Limits;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::ResourceLimiter;

/// Bytes in use against a cap.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicU64,
    cap: u64,
}

impl Budget {
    pub(crate) fn new(cap: u64) -> Self {
        Self { used: AtomicU64::new(0), cap }
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Relaxed)
    }

    fn take(&self, bytes: u64) -> bool {
        let new = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.cap);
        self.used.fetch_update(Relaxed, Relaxed, new).is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Relaxed);
    }
}

/// The memory of one instance: its linear memories and tables together.
pub(crate) struct Memory {
    used: u64,
    cap: u64,
    component: Arc<Budget>,
    process: Arc<Budget>,
    /// A growth was refused: if the guest now dies, this is why.
    refused: bool,
    /// It was refused for what other instances hold.
    crowded: bool,
    /// What the last growth took, until it is known to have come about.
    last: u64,
}

impl Memory {
    pub(crate) fn new(cap: u64, component: Arc<Budget>, process: Arc<Budget>) -> Self {
        Self { used: 0, cap, component, process, refused: false, crowded: false, last: 0 }
    }

    /// Bytes in use. Memories never shrink, so this is the peak too.
    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    pub(crate) fn refused(&self) -> bool {
        self.refused
    }

    /// The guest is going to be ended for want of memory.
    pub(crate) fn refuse(&mut self) {
        self.refused = true;
    }

    /// Whether memory was refused for what other instances hold: a matter of time, not of this guest.
    pub(crate) fn crowded(&self) -> bool {
        self.crowded
    }

    fn grow(&mut self, bytes: u64) -> bool {
        let sum = self.used.saturating_add(bytes);
        self.last = 0;
        if sum > self.cap {
            self.refused = true;
            return false;
        }
        if !self.component.take(bytes) {
            (self.refused, self.crowded) = (true, true);
            return false;
        }
        if !self.process.take(bytes) {
            self.component.give_back(bytes);
            (self.refused, self.crowded) = (true, true);
            return false;
        }
        self.used = sum;
        self.last = bytes;
        true
    }

    /// The growth that was just allowed has not come about.
    fn undo(&mut self) {
        let last = std::mem::take(&mut self.last);
        self.used -= last;
        self.component.give_back(last);
        self.process.give_back(last);
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.component.give_back(self.used);
        self.process.give_back(self.used);
    }
}

/// Bytes of one table element on this host.
const TABLE_ELEMENT: usize = 8;

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current) as u64))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current).saturating_mul(TABLE_ELEMENT) as u64))
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.undo();
        Ok(())
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.undo();
        Ok(())
    }

    fn instances(&self) -> usize {
        // Core instances of one component; the admission of artifacts counts them too.
        1000
    }

    fn tables(&self) -> usize {
        1000
    }

    fn memories(&self) -> usize {
        1000
    }
}

/// CPU time that a component may use a second, over all its guests: a bucket that fills at that rate and holds a second's
/// worth. What is used is taken out afterwards, so that it can be in debt; then the component waits.
#[derive(Debug)]
pub(crate) struct Allowance {
    /// CPU time a second.
    rate: f64,
    level: Mutex<Level>,
}

#[derive(Debug)]
struct Level {
    /// Seconds of CPU time; below zero when in debt.
    seconds: f64,
    at: Instant,
}

impl Allowance {
    /// A full bucket of so much CPU time a second.
    pub(crate) fn new(a_second: Duration) -> Self {
        let rate = a_second.as_secs_f64();
        Self { rate, level: Mutex::new(Level { seconds: rate, at: Instant::now() }) }
    }

    fn level(&self) -> MutexGuard<'_, Level> {
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let fresh = now.saturating_duration_since(level.at).as_secs_f64() * self.rate;
        level.seconds = (level.seconds + fresh).min(self.rate);
        level.at = now;
        level
    }

    /// Takes out what was used.
    pub(crate) fn charge(&self, cpu: Duration) {
        self.level().seconds -= cpu.as_secs_f64();
    }

    /// How long until the component may go on; `None` when it may now.
    pub(crate) fn debt(&self) -> Option<Duration> {
        let seconds = self.level().seconds;
        (seconds < 0.0).then(|| Duration::from_secs_f64((-seconds / self.rate).min(60.0)))
    }
}

/// The way into a component: so many requests at once, so many waiting, for so long.
pub(crate) struct Gate {
    allowance: Option<Arc<Allowance>>,
    places: Arc<Semaphore>,
    concurrency: u32,
    waiting: AtomicUsize,
    queue: usize,
    queue_deadline: Duration,
}

/// A place; given back when it is dropped.
pub(crate) type Place = OwnedSemaphorePermit;

impl Gate {
    pub(crate) fn new(limits: &Limits, allowance: Option<Arc<Allowance>>) -> Self {
        Self {
            allowance,
            places: Arc::new(Semaphore::new(limits.concurrency as usize)),
            concurrency: limits.concurrency,
            waiting: AtomicUsize::new(0),
            queue: limits.queue as usize,
            queue_deadline: limits.queue_deadline,
        }
    }

    /// A place, at once or after waiting in turn.
    pub(crate) async fn enter(&self) -> Result<Place, Cause> {
        let debt = || self.allowance.as_ref().and_then(|allowance| allowance.debt());
        if debt().is_none()
            && let Ok(place) = Arc::clone(&self.places).try_acquire_owned()
        {
            return Ok(place);
        }
        let busy = Cause::Busy { retry_after: self.queue_deadline.max(Duration::from_secs(1)) };
        if self.waiting.fetch_add(1, Relaxed) >= self.queue {
            self.waiting.fetch_sub(1, Relaxed);
            return Err(busy);
        }
        // Counts down also when the client goes away while it waits.
        let _waiting = Waiting(&self.waiting);
        let turn = async {
            let place = Arc::clone(&self.places).acquire_owned().await;
            while let Some(debt) = debt() {
                tokio::time::sleep(debt).await;
            }
            place
        };
        match tokio::time::timeout(self.queue_deadline, turn).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_closed)) => Err(Cause::Closing),
            Err(_elapsed) => Err(busy),
        }
    }

    /// Requests that hold a place.
    pub(crate) fn running(&self) -> u32 {
        let free = u32::try_from(self.places.available_permits()).unwrap_or(u32::MAX);
        self.concurrency.saturating_sub(free)
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// Returns when no request holds a place.
    pub(crate) async fn empty(&self) {
        let _all = self.places.acquire_many(self.concurrency).await;
    }
}

struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
