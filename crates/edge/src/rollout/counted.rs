//! What the shards count of a rollout, each on its own; the writer takes it away every now and then.

use coracle_rollout::cap::Cap;
use coracle_rollout::verdict::{Counts, THRESHOLDS};
use coracle_rollout::version::Arm;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// So often a key counts in a minute, on each shard.
const EACH: u8 = 5;
/// More latencies than this make no better threshold.
const BASELINE: usize = 4000;

/// The counters of one shard.
pub struct Shard {
    old: Side,
    new: Side,
    /// Latencies of the old version in microseconds, while its thresholds aren't known.
    baseline: Mutex<Vec<u64>>,
}

/// The counters of one version.
struct Side {
    cap: Cap,
    running: AtomicI64,
    requests: AtomicU64,
    errors: AtomicU64,
    traps: AtomicU64,
    client_errors: AtomicU64,
    timed: AtomicU64,
    slower: [AtomicU64; THRESHOLDS],
    over_slo: AtomicU64,
}

/// What is counted of one request.
#[derive(Clone, Copy, Debug, Default)]
pub struct One {
    pub error: bool,
    pub trap: bool,
    pub client_error: bool,
    /// Which thresholds it exceeded; `None` when it wasn't timed.
    pub slower: Option<[bool; THRESHOLDS]>,
    pub over_slo: bool,
}

impl Shard {
    pub fn new() -> Self {
        Self { old: Side::new(), new: Side::new(), baseline: Mutex::new(Vec::new()) }
    }

    fn side(&self, arm: Arm) -> &Side {
        match arm {
            Arm::Old => &self.old,
            Arm::New => &self.new,
        }
    }

    /// One more request, or one less, is on a version.
    pub fn running(&self, arm: Arm, by: i64) {
        self.side(arm).running.fetch_add(by, Relaxed);
    }

    /// Requests that are on a version.
    pub fn on(&self, arm: Arm) -> i64 {
        self.side(arm).running.load(Relaxed)
    }

    /// Counts a request, if its key hasn't been counted too often.
    pub fn count(&self, arm: Arm, key: Option<u64>, minute: u64, one: &One) {
        let side = self.side(arm);
        if !side.cap.counts(key, minute) {
            return;
        }
        let add = |counter: &AtomicU64, is: bool| {
            if is {
                counter.fetch_add(1, Relaxed);
            }
        };
        if let Some(slower) = one.slower {
            side.timed.fetch_add(1, Relaxed);
            side.slower.iter().zip(slower).for_each(|(counter, is)| add(counter, is));
        }
        add(&side.errors, one.error);
        add(&side.traps, one.trap);
        add(&side.client_errors, one.client_error);
        add(&side.over_slo, one.over_slo);
        side.requests.fetch_add(1, Relaxed);
    }

    /// Keeps a latency of the old version.
    pub fn learn(&self, latency: Duration) {
        // Whoever doesn't get it at once leaves it: thresholds don't need every request.
        if let Ok(mut baseline) = self.baseline.try_lock()
            && baseline.len() < BASELINE
        {
            baseline.push(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
        }
    }

    /// Takes away what was counted: old and new.
    pub fn take(&self) -> (Counts, Counts) {
        (self.old.take(), self.new.take())
    }

    pub fn take_baseline(&self) -> Vec<u64> {
        self.baseline.lock().map(|mut baseline| std::mem::take(&mut *baseline)).unwrap_or_default()
    }
}

impl Side {
    fn new() -> Self {
        Self {
            cap: Cap::new(EACH),
            running: AtomicI64::new(0),
            requests: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            traps: AtomicU64::new(0),
            client_errors: AtomicU64::new(0),
            timed: AtomicU64::new(0),
            slower: Default::default(),
            over_slo: AtomicU64::new(0),
        }
    }

    fn take(&self) -> Counts {
        // Counted before what is part of it, and taken after it, so that a part is never more than the whole.
        let take = |counter: &AtomicU64| counter.swap(0, Relaxed);
        let slower = std::array::from_fn(|at| self.slower.get(at).map_or(0, take));
        let (errors, traps, client_errors) = (take(&self.errors), take(&self.traps), take(&self.client_errors));
        let (over_slo, timed) = (take(&self.over_slo), take(&self.timed));
        Counts { requests: take(&self.requests), errors, traps, client_errors, timed, slower, over_slo }
    }
}
