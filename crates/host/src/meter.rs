//! What a run takes, written by the worker and read by the edge when it fires the record; and the request's [`Scope`], in which the calls
//! it makes are noted.

use coracle_telemetry::{Run, Scope};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// One call's meter. The edge makes it, hands a copy down with the call, and reads it when the response has ended.
#[derive(Debug, Default)]
pub struct Meter {
    /// Instance number plus one; 0 while no instance has taken the call.
    instance: AtomicU64,
    reused: AtomicU32,
    cpu_ns: AtomicU64,
    memory: AtomicU64,
    watch: Option<Watch>,
}

/// The clock of a request that is traced. The moments are nanoseconds since its arrival; 0 is "not yet".
#[derive(Debug)]
struct Watch {
    began: Instant,
    scope: Scope,
    called: AtomicU64,
    placed: AtomicU64,
    entered: AtomicU64,
    landed: AtomicU64,
}

/// A moment of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    /// The component was called.
    Called,
    /// There is a place for a new instance, which is made from here on.
    Placed,
    /// The guest is entered.
    Entered,
    /// The guest's last work for the request has ended, or the guest has.
    Landed,
}

impl Meter {
    /// A meter with a clock, for a request that arrived at `began`.
    #[must_use]
    pub fn of(scope: Scope, began: Instant) -> Self {
        let watch = Watch {
            began,
            scope,
            called: AtomicU64::new(0),
            placed: AtomicU64::new(0),
            entered: AtomicU64::new(0),
            landed: AtomicU64::new(0),
        };
        Self { watch: Some(watch), ..Self::default() }
    }

    /// Where the request stands in its trace; `None` when it isn't traced.
    #[must_use]
    pub fn scope(&self) -> Option<&Scope> {
        self.watch.as_ref().map(|watch| &watch.scope)
    }

    /// What has been measured so far; `None` when no instance took the call.
    pub fn run(&self) -> Option<Run> {
        let instance = self.instance.load(Relaxed).checked_sub(1)?;
        let mut run = Run {
            instance,
            reused: self.reused.load(Relaxed),
            cpu: Duration::from_nanos(self.cpu_ns.load(Relaxed)),
            memory: self.memory.load(Relaxed),
            ..Run::default()
        };
        if let Some(watch) = &self.watch {
            let at = |moment: &AtomicU64| moment.load(Relaxed);
            let (called, placed, entered) = (at(&watch.called), at(&watch.placed), at(&watch.entered));
            let ready = if placed > 0 { placed } else { entered };
            let since = |from: u64, to: u64| Duration::from_nanos(to.saturating_sub(from));
            run.called = Duration::from_nanos(called);
            run.wait = since(called, ready);
            run.start = since(ready, entered);
            run.took = since(called, at(&watch.landed));
        }
        Some(run)
    }

    pub(crate) fn mark(&self, moment: Moment) {
        let Some(watch) = &self.watch else { return };
        let now = u64::try_from(watch.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let place = match moment {
            Moment::Called => &watch.called,
            Moment::Placed => &watch.placed,
            Moment::Entered => &watch.entered,
            Moment::Landed => &watch.landed,
        };
        place.store(now, Relaxed);
    }

    pub(crate) fn enter(&self, instance: u64, reused: u32) {
        self.instance.store(instance + 1, Relaxed);
        self.reused.store(reused, Relaxed);
        self.mark(Moment::Entered);
    }

    pub(crate) fn add_cpu(&self, cpu: Duration) {
        self.cpu_ns.fetch_add(u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    pub(crate) fn peak_memory(&self, bytes: u64) {
        self.memory.fetch_max(bytes, Relaxed);
    }
}
