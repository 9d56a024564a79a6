//! A CPU profile of running guests: at each tick of the epoch the guest that is computing is asked where it is.
//!
//! ```text
//! ticker ─ once a slice ─▶ epoch callback of whoever computes ─ Profiler::sample ─▶ stacks, counted ─ end ─▶ Profile
//! ```
//! While none is taken it costs one look at a flag a tick. A guest that waits is never asked: what is counted is CPU time.

use crate::symbols::demangle;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wasmtime::{AsContext, FrameInfo, WasmBacktrace};

/// Stacks that are told apart; samples of further ones are lost, and counted.
const STACKS: usize = 50_000;
/// Frames of a stack, counted from the innermost.
const DEPTH: usize = 128;

/// Takes one profile at a time.
#[derive(Default)]
pub(crate) struct Profiler {
    on: AtomicBool,
    samples: Mutex<Samples>,
}

#[derive(Default)]
struct Samples {
    /// Component and frames, the outermost first.
    stacks: HashMap<(Arc<str>, Vec<u32>), u64>,
    names: HashMap<String, u32>,
    lost: u64,
}

/// Where guests were while the profile was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Profile {
    pub components: Vec<Arc<str>>,
    /// Names of functions.
    pub frames: Vec<String>,
    pub stacks: Vec<Stack>,
    /// What one sample stands for.
    pub interval_ms: u64,
    pub lost: u64,
}

/// A stack that was met.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Stack {
    pub component: Arc<str>,
    /// Positions in the profile's frames, the outermost function first.
    pub frames: Vec<u32>,
    /// How often.
    pub weight: u64,
}

impl Profiler {
    fn samples(&self) -> MutexGuard<'_, Samples> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins one; `false` when one is being taken already.
    pub(crate) fn begin(&self) -> bool {
        if self.on.swap(true, Relaxed) {
            return false;
        }
        *self.samples() = Samples::default();
        true
    }

    /// Takes no more samples.
    pub(crate) fn stop(&self) {
        self.on.store(false, Relaxed);
    }

    /// Ends it.
    pub(crate) fn end(&self, interval_ms: u64) -> Profile {
        let Samples { stacks, names, lost } = std::mem::take(&mut *self.samples());
        let mut frames: Vec<(String, u32)> = names.into_iter().collect();
        frames.sort_unstable_by_key(|(_, number)| *number);
        let stack = |((component, frames), weight)| Stack { component, frames, weight };
        let mut stacks: Vec<Stack> = stacks.into_iter().map(stack).collect();
        stacks.sort_unstable_by(|left, right| (&left.component, &left.frames).cmp(&(&right.component, &right.frames)));
        let mut components: Vec<_> = stacks.iter().map(|stack| Arc::clone(&stack.component)).collect();
        components.dedup();
        Profile { components, frames: frames.into_iter().map(|(name, _)| name).collect(), stacks, interval_ms, lost }
    }

    /// Asks the guest of this store where it is, if a profile is being taken.
    pub(crate) fn sample(&self, component: &Arc<str>, store: impl AsContext) {
        if !self.on.load(Relaxed) {
            return;
        }
        let trace = WasmBacktrace::force_capture(store);
        let mut samples = self.samples();
        let frames: Vec<u32> = trace.frames().iter().take(DEPTH).map(|frame| samples.number(name(frame))).collect();
        let stack = (Arc::clone(component), frames.into_iter().rev().collect());
        if samples.stacks.len() >= STACKS && !samples.stacks.contains_key(&stack) {
            samples.lost += 1;
            return;
        }
        *samples.stacks.entry(stack).or_default() += 1;
    }
}

impl Samples {
    fn number(&mut self, name: String) -> u32 {
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        *self.names.entry(name).or_insert(next)
    }
}

/// A function's name, or its number where the component has no names.
fn name(frame: &FrameInfo) -> String {
    match frame.func_name() {
        Some(name) => demangle(name),
        None => format!("{} function {}", frame.module().name().unwrap_or("module"), frame.func_index()),
    }
}
