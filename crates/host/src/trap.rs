//! What the log says of a trap: the cause, and the guest's functions that led to it, by name and line where the component has
//! them.
//!
//! ```text
//! worker ─ error, if the component's rate allows it ─▶ scribe, a thread ─ names, lines (`symbols`) ─▶ log
//! ```
//! A shard never looks for names: that takes milliseconds where there is debug information. Nor does a storm of traps fill
//! the log: a component has so many texts in a row and one a second, the rest is counted and the count told.

use crate::compile::Cache;
use crate::logs::Log;
use crate::symbols::{self, Function};
use coracle_artifact::Digest;
use coracle_telemetry::RequestId;
use std::fmt::Write as _;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use wasmtime::{FrameInfo, Trap, WasmBacktrace};

/// Texts that a component may have in a row; one more each second.
const BURST: u32 = 5;
const REFILL: Duration = Duration::from_secs(1);
/// Texts of all components that may wait for the scribe.
const WAITING: usize = 64;
/// A text is at most this long: names in it are the guest's choice. It counts against the component's log rate.
pub(crate) const MOST_BYTES: usize = 4096;
/// Lines of functions in a text.
const MOST_LINES: usize = 32;

/// The traps of one component.
pub(crate) struct Traps {
    pub(crate) digest: Digest,
    log: Arc<Log>,
    rate: Mutex<Rate>,
    /// Not written out, and not told yet.
    dropped: AtomicU32,
}

struct Rate {
    left: u32,
    since: Instant,
}

/// One trap on its way to the log.
pub(crate) struct Report {
    pub(crate) component: Arc<str>,
    /// The request that was alone in the instance.
    pub(crate) request: Option<RequestId>,
    /// While the instance was made, not while it served.
    pub(crate) starting: bool,
    pub(crate) error: wasmtime::Error,
}

impl Traps {
    pub(crate) fn new(digest: Digest, log: Arc<Log>) -> Arc<Self> {
        let rate = Mutex::new(Rate { left: BURST, since: Instant::now() });
        Arc::new(Self { digest, log, rate, dropped: AtomicU32::new(0) })
    }

    fn admit(&self, now: Instant) -> bool {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = now.saturating_duration_since(rate.since).as_secs();
        if seconds >= REFILL.as_secs() {
            rate.left = rate.left.saturating_add(u32::try_from(seconds).unwrap_or(BURST)).min(BURST);
            rate.since = now;
        }
        let admitted = rate.left > 0;
        rate.left = rate.left.saturating_sub(1);
        admitted
    }

    /// Whether this is the first of those that have not been told.
    fn drop_one(&self) -> bool {
        self.dropped.fetch_add(1, Relaxed) == 0
    }
}

/// The thread that writes traps down.
pub(crate) struct Scribe(SyncSender<Message>);

enum Message {
    Trap(Report, Arc<Traps>),
    /// Some were dropped: to be told in a while.
    Dropped(Arc<str>, Arc<Traps>),
}

impl Scribe {
    /// # Errors
    /// When the thread can't be started.
    pub(crate) fn start(cache: Arc<Cache>) -> io::Result<Self> {
        let (sender, messages) = sync_channel(WAITING);
        std::thread::Builder::new().name("coracle-scribe".to_owned()).spawn(move || write(&messages, &cache))?;
        Ok(Self(sender))
    }

    /// Has a trap written down if its component's rate allows it; returns at once.
    pub(crate) fn write(&self, report: Report, traps: &Arc<Traps>) {
        let component = Arc::clone(&report.component);
        let sent = traps.admit(Instant::now()) && self.0.try_send(Message::Trap(report, Arc::clone(traps))).is_ok();
        if !sent && traps.drop_one() {
            // When the queue is full it is told with the next text.
            let _ = self.0.try_send(Message::Dropped(component, Arc::clone(traps)));
        }
    }
}

/// The scribe's work: ends with the engine.
fn write(messages: &Receiver<Message>, cache: &Cache) {
    let mut untold: Vec<(Arc<str>, Arc<Traps>)> = Vec::new();
    let mut due = Instant::now();
    let mut open = true;
    while open {
        let message = match untold.is_empty() {
            true => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
            false => messages.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        match message {
            Ok(Message::Trap(report, traps)) => {
                tell_dropped(&report.component, &traps);
                say(&report, &traps, cache);
            }
            Ok(Message::Dropped(component, traps)) => {
                if untold.is_empty() {
                    due = Instant::now() + REFILL;
                }
                untold.push((component, traps));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => open = false,
        }
        if !open || Instant::now() >= due {
            untold.drain(..).for_each(|(component, traps)| tell_dropped(&component, &traps));
        }
    }
}

fn tell_dropped(component: &str, traps: &Traps) {
    let dropped = traps.dropped.swap(0, Relaxed);
    if dropped > 0 {
        tracing::warn!(component, "{dropped} more traps, not written out");
    }
}

/// The whole text of a trap. Blocks, for milliseconds where there is debug information.
pub(crate) fn told(error: &wasmtime::Error, digest: Digest, cache: &Cache) -> String {
    text(error, false, |offsets| look_up(digest, cache, offsets))
}

fn look_up(digest: Digest, cache: &Cache, offsets: &[usize]) -> Vec<Vec<Function>> {
    cache.kept(&digest).map_or_else(Vec::new, |component| symbols::functions(&component, offsets))
}

fn say(report: &Report, traps: &Traps, cache: &Cache) {
    let text = text(&report.error, report.starting, |offsets| look_up(traps.digest, cache, offsets));
    if !traps.log.admit(text.len()) {
        traps.drop_one();
        return;
    }
    let component = &*report.component;
    match report.request {
        Some(request) => tracing::warn!(component, %request, "{text}"),
        None => tracing::warn!(component, "{text}"),
    }
}

/// The cause in one line; it goes into the record of a failing request, too.
pub(crate) fn cause(error: &wasmtime::Error) -> String {
    match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    }
}

/// The kind of a trap in figures: of a closed set.
pub(crate) fn kind(error: &wasmtime::Error) -> &'static str {
    match error.downcast_ref::<Trap>() {
        Some(Trap::UnreachableCodeReached) => "unreachable",
        Some(Trap::MemoryOutOfBounds) => "memory_out_of_bounds",
        Some(Trap::StackOverflow) => "stack_overflow",
        Some(Trap::IntegerOverflow) => "integer_overflow",
        Some(Trap::IntegerDivisionByZero) => "division_by_zero",
        Some(Trap::BadSignature) => "bad_signature",
        Some(Trap::TableOutOfBounds) => "table_out_of_bounds",
        Some(Trap::IndirectCallToNull) => "call_to_null",
        Some(Trap::BadConversionToInteger) => "bad_conversion",
        Some(Trap::CannotEnterComponent) => "cannot_enter",
        Some(_) => "_OTHER",
        None if error.is::<wasmtime_wasi::I32Exit>() => "exit",
        None => "host_error",
    }
}

/// One function on the guest's stack, the innermost first; `None` for one without a name.
struct Step {
    name: Option<String>,
    /// File and line.
    place: Option<String>,
    /// Where to look it up in the component: module and number, offset.
    index: String,
}

fn text(error: &wasmtime::Error, starting: bool, look_up: impl FnOnce(&[usize]) -> Vec<Vec<Function>>) -> String {
    let frames = error.downcast_ref::<WasmBacktrace>().map_or(&[][..], WasmBacktrace::frames);
    let offsets: Vec<usize> = frames.iter().map(|frame| frame.module_offset().unwrap_or(0)).collect();
    let mut lines = if frames.is_empty() { Vec::new() } else { look_up(&offsets) };
    lines.resize_with(frames.len(), Vec::new);
    let steps: Vec<Step> = frames.iter().zip(lines).flat_map(|(frame, functions)| steps(frame, functions)).collect();
    let what = if starting { "the guest could not be started" } else { "the guest trapped" };
    let mut text = format!("{what}: {}", cause(error));
    write_steps(&mut text, &steps);
    text.truncate(text.floor_char_boundary(MOST_BYTES));
    text
}

/// What was inlined into one function, and the function.
fn steps(frame: &FrameInfo, functions: Vec<Function>) -> Vec<Step> {
    let module = frame.module().name().unwrap_or("a module");
    let index =
        format!("function {} of {module}, offset {:#x}", frame.func_index(), frame.module_offset().unwrap_or(0));
    let own = || frame.func_name().map(symbols::demangle);
    if functions.is_empty() {
        return vec![Step { name: own(), place: None, index }];
    }
    let whole = functions.len() - 1;
    let steps = functions.into_iter().enumerate();
    // Debug information may have short names; what was inlined has no other.
    let name = |at, name: Option<String>| if at == whole { own().or(name) } else { name };
    steps
        .map(|(at, function)| Step { name: name(at, function.name), place: function.place, index: index.clone() })
        .collect()
}

fn write_steps(text: &mut String, steps: &[Step]) {
    let mut rest = steps;
    let mut lines = 0;
    while let Some(first) = rest.first() {
        let alike = rest.iter().take_while(|step| step.name == first.name && step.place == first.place).count();
        let more = alike - 1;
        // Writing to a String can't fail.
        let _ = match (&first.name, more) {
            (Some(name), _) => write!(text, "\n  at {name}"),
            (None, 0) => write!(text, "\n  at {}", first.index),
            (None, _) => write!(text, "\n  at {alike} functions without names, first {}", first.index),
        };
        if let Some(place) = &first.place {
            let _ = write!(text, " ({place})");
        }
        if more > 0 && first.name.is_some() {
            let _ = write!(text, ", and {more} times more");
        }
        rest = rest.get(alike..).unwrap_or_default();
        lines += 1;
        if lines == MOST_LINES && !rest.is_empty() {
            let _ = write!(text, "\n  and {} more", rest.len());
            return;
        }
    }
    if !steps.is_empty() && steps.iter().all(|step| step.name.is_none()) {
        text.push_str("\nthe component has no names of functions: build it without stripping them to see them here");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{BURST, MOST_LINES, Step, Traps, write_steps};
    use crate::logs::Log;
    use coracle_artifact::Digest;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    fn step(name: Option<&str>, place: Option<&str>, index: u32) -> Step {
        Step {
            name: name.map(str::to_owned),
            place: place.map(str::to_owned),
            index: format!("function {index} of main, offset {:#x}", index * 16),
        }
    }

    fn told(steps: &[Step]) -> String {
        let mut text = String::from("why");
        write_steps(&mut text, steps);
        text
    }

    #[test]
    fn functions_stand_a_line_each_and_repeated_ones_once() {
        let deep = || step(Some("shop::deep"), Some("src/lib.rs:7"), 4);
        let steps = [step(Some("abort"), None, 1), step(None, None, 2), step(None, None, 3), deep(), deep(), deep()];
        let expected = "why\n  at abort\n  at 2 functions without names, first function 2 of main, offset 0x20\n  \
                        at shop::deep (src/lib.rs:7), and 2 times more";
        assert_eq!(told(&steps), expected);
    }

    #[test]
    fn without_any_name_it_says_how_to_get_them() {
        let text = told(&[step(None, None, 2)]);
        assert!(text.starts_with("why\n  at function 2 of main, offset 0x20\nthe component has no names"), "{text}");
        assert_eq!(told(&[]), "why");
    }

    #[test]
    fn a_deep_stack_is_cut() {
        let steps: Vec<Step> = (0..MOST_LINES + 9).map(|n| step(Some(&n.to_string()), None, 0)).collect();
        assert!(told(&steps).ends_with("\n  at 31\n  and 9 more"), "{}", told(&steps));
    }

    #[test]
    fn a_component_has_so_many_texts_in_a_row_and_one_a_second() {
        let traps = Traps::new(Digest::of(b""), Arc::new(Log::new("x".into(), 1 << 20, None)));
        let start = Instant::now();
        let admitted =
            |seconds: u64, tries: u32| (0..tries).filter(|_| traps.admit(start + Duration::from_secs(seconds))).count();
        assert_eq!(admitted(0, BURST * 3), BURST as usize);
        assert_eq!(admitted(3, 10), 3);
        assert_eq!(admitted(3600, 100), BURST as usize);
        assert!(traps.drop_one());
        assert!(!traps.drop_one());
    }
}
