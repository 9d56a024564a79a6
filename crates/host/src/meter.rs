//! What a run takes, written by the worker and read by the edge when it fires the record.

use coracle_telemetry::Run;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// One call's meter. The edge makes it, hands a copy down with the call, and reads it when the response has ended.
#[derive(Debug, Default)]
pub struct Meter {
    /// Instance number plus one; 0 while no instance has taken the call.
    instance: AtomicU64,
    reused: AtomicU32,
    cpu_ns: AtomicU64,
    memory: AtomicU64,
}

impl Meter {
    /// What has been measured so far; `None` when no instance took the call.
    pub fn run(&self) -> Option<Run> {
        let instance = self.instance.load(Relaxed).checked_sub(1)?;
        Some(Run {
            instance,
            reused: self.reused.load(Relaxed),
            cpu: Duration::from_nanos(self.cpu_ns.load(Relaxed)),
            memory: self.memory.load(Relaxed),
        })
    }

    pub(crate) fn enter(&self, instance: u64, reused: u32) {
        self.instance.store(instance + 1, Relaxed);
        self.reused.store(reused, Relaxed);
    }

    pub(crate) fn add_cpu(&self, cpu: Duration) {
        self.cpu_ns.fetch_add(u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    pub(crate) fn peak_memory(&self, bytes: u64) {
        self.memory.fetch_max(bytes, Relaxed);
    }
}
