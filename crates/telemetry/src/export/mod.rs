//! The export by OTLP: a thread of its own takes what is kept, turns it into messages and sends them.
//!
//! ```text
//! request ends ─ Queue (bounded, never waits) ─▶ batch ─ encode ─ send ─▶ collector
//!                    │ full: counted, gone          │ later: again with growing pauses, while the queue fills
//! ```
//! A collector that is down, slow or full costs what the queues may hold, and nothing else: no request waits for it.

mod queue;
mod send;
pub mod settings;

pub use send::BadTarget;

use crate::kept::Kept;
use crate::log::Log;
use crate::metrics::names::Name;
use crate::metrics::{Metrics, Snapshot};
use crate::otlp::{self, Resource};
use crate::span::Span;
use queue::Queue;
use send::{NotSent, Sender};
use settings::{Batch, Limits, Settings};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Bytes that may wait, for each kind of signal.
const QUEUE_BYTES: usize = 16 << 20;
/// How often a message is tried, and the pauses between.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A collector that stays away is complained about this seldom.
const COMPLAIN: Duration = Duration::from_secs(60);

/// Gives all figures of this moment, those included that only the caller knows.
pub type Look = Arc<dyn Fn() -> Snapshot + Send + Sync>;

/// The way out for what is kept.
pub struct Export {
    spans: Option<Arc<Queue<Item>>>,
    lines: Option<Arc<Queue<Arc<Log>>>>,
    metrics: Arc<Metrics>,
    stop: Arc<Stop>,
}

/// What the queue of spans holds.
enum Item {
    Request(Arc<Kept>),
    /// Of no request.
    Span(Box<Span>),
}

/// Asks the thread to send what is left and end.
#[derive(Default)]
struct Stop {
    asked: Notify,
    over: Mutex<bool>,
    ended: Condvar,
}

/// What each of the loops needs.
#[derive(Clone)]
struct Common {
    resource: Resource,
    metrics: Arc<Metrics>,
    limits: Limits,
    stop: Arc<Stop>,
}

impl Export {
    /// Starts the thread; `None` when the settings name no collector.
    ///
    /// # Errors
    /// When a target can't be used, or the thread does not start.
    pub fn start(settings: &Settings, metrics: &Arc<Metrics>, look: Look) -> Result<Option<Self>, NotStarted> {
        let sender = |target: &Option<settings::Target>, service: &str| {
            target.clone().map(|target| Sender::new(target, service)).transpose()
        };
        let base = "/opentelemetry.proto.collector";
        let traces = sender(&settings.traces, &format!("{base}.trace.v1.TraceService/Export"))?;
        let figures = sender(&settings.metrics, &format!("{base}.metrics.v1.MetricsService/Export"))?;
        let logs = sender(&settings.logs, &format!("{base}.logs.v1.LogsService/Export"))?;
        if traces.is_none() && figures.is_none() && logs.is_none() {
            return Ok(None);
        }
        let queue = |batch: &Batch| (batch.queue, QUEUE_BYTES, batch.size);
        let spans = traces.as_ref().map(|_| {
            let (most, bytes, size) = queue(&settings.spans);
            Arc::new(Queue::new(most, bytes, size))
        });
        let lines = logs.as_ref().map(|_| {
            let (most, bytes, size) = queue(&settings.lines);
            Arc::new(Queue::new(most, bytes, size))
        });
        let stop = Arc::new(Stop::default());
        let common = Common {
            resource: settings.resource.clone().into(),
            metrics: Arc::clone(metrics),
            limits: settings.limits,
            stop: Arc::clone(&stop),
        };
        let export = Self { spans: spans.clone(), lines: lines.clone(), metrics: Arc::clone(metrics), stop };
        let (span_delay, line_delay) = (settings.spans.delay, settings.lines.delay);
        let (interval, delta) = (settings.interval, settings.delta);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(NotStarted::Thread)?;
        let run = move || {
            let stop = Arc::clone(&common.stop);
            runtime.block_on(async {
                tokio::join!(
                    async {
                        if let (Some(sender), Some(queue)) = (&traces, &spans) {
                            let message = |items: &[Item]| common.spans(items);
                            common.drain(queue, sender, span_delay, ("traces", message)).await;
                        }
                    },
                    async {
                        if let (Some(sender), Some(queue)) = (&logs, &lines) {
                            let message = |lines: &[Arc<Log>]| otlp::logs(&common.resource, lines);
                            common.drain(queue, sender, line_delay, ("logs", message)).await;
                        }
                    },
                    async {
                        if let Some(sender) = &figures {
                            common.figures(sender, interval, delta, &look).await;
                        }
                    },
                );
            });
            *stop.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
            stop.ended.notify_all();
        };
        std::thread::Builder::new().name("telemetry".to_owned()).spawn(run).map_err(NotStarted::Thread)?;
        Ok(Some(export))
    }

    /// Whether spans are wanted.
    #[must_use]
    pub fn wants_spans(&self) -> bool {
        self.spans.is_some()
    }

    /// Adds a request that has ended.
    pub fn request(&self, kept: &Arc<Kept>) {
        if let Some(queue) = &self.spans {
            let items = kept.calls.len() + 3;
            if !queue.push(Item::Request(Arc::clone(kept)), items, kept.weight()) {
                self.lost("traces", items);
            }
        }
    }

    /// Adds a span that belongs to no request.
    pub fn span(&self, span: &Span) {
        if let Some(queue) = &self.spans
            && !queue.push(Item::Span(Box::new(span.clone())), 1, span.weight())
        {
            self.lost("traces", 1);
        }
    }

    /// Adds a line.
    pub fn line(&self, log: &Arc<Log>) {
        if let Some(queue) = &self.lines
            && !queue.push(Arc::clone(log), 1, log.weight())
        {
            self.lost("logs", 1);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a count of spans")]
    fn lost(&self, signal: &'static str, items: usize) {
        self.metrics.add(Name::ExportDropped, &[signal, "queue_full"], items as f64);
    }

    /// Sends what is left, for at most this long.
    pub fn end(&self, within: Duration) {
        self.spans.iter().for_each(|queue| queue.close());
        self.lines.iter().for_each(|queue| queue.close());
        self.stop.asked.notify_waiters();
        self.stop.asked.notify_one();
        let over = self.stop.over.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.stop.ended.wait_timeout_while(over, within, |over| !*over));
    }
}

/// The export could not be started.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    #[error(transparent)]
    Target(#[from] BadTarget),
    #[error("the thread for telemetry does not start")]
    Thread(#[source] std::io::Error),
}

impl Common {
    /// Spans as one message, within the limits.
    fn spans(&self, items: &[Item]) -> otlp::proto::Traces {
        let of = |item: &Item| match item {
            Item::Request(kept) => kept.spans(),
            Item::Span(span) => vec![Span::clone(span)],
        };
        let mut spans: Vec<Span> = items.iter().flat_map(of).collect();
        spans.iter_mut().for_each(|span| limit(span, &self.limits));
        otlp::traces(&self.resource, &spans)
    }

    /// Sends what a queue gets, until it is closed and empty.
    async fn drain<T, M, F>(
        &self,
        queue: &Queue<T>,
        sender: &Sender,
        delay: Duration,
        (signal, message): (&'static str, F),
    ) where
        M: prost::Message + serde::Serialize,
        F: Fn(&[T]) -> M,
    {
        let mut complaints = Complaints::default();
        while !queue.over() {
            let _ = tokio::time::timeout(delay, queue.filled()).await;
            let (things, items) = queue.take();
            if items > 0 {
                let message = message(&things);
                drop(things);
                self.deliver((sender, queue), &message, (signal, items), &mut complaints).await;
            }
        }
    }

    /// Sends all figures at each interval, and once more at the end.
    async fn figures(&self, sender: &Sender, interval: Duration, delta: bool, look: &Look) {
        let mut complaints = Complaints::default();
        let mut before: Option<Snapshot> = None;
        let never = Queue::<()>::new(1, 1, 1);
        loop {
            let asked = self.stop.asked.notified();
            let last = tokio::time::timeout(interval.max(Duration::from_millis(100)), asked).await.is_ok();
            if last {
                never.close();
            }
            let now = look();
            let message = match (&before, delta) {
                (Some(before), true) => otlp::metrics(&self.resource, &now.since(before), true),
                _ => otlp::metrics(&self.resource, &now, delta),
            };
            let items = now.series.len();
            if self.deliver((sender, &never), &message, ("metrics", items), &mut complaints).await {
                // What was not taken is in the next difference.
                before = Some(now);
            }
            if last {
                break;
            }
        }
    }

    /// Sends one message, again if need be. Returns whether it was taken. Once nothing more will come it is tried only once more.
    async fn deliver<T, M: prost::Message + serde::Serialize>(
        &self,
        (sender, queue): (&Sender, &Queue<T>),
        message: &M,
        (signal, items): (&'static str, usize),
        complaints: &mut Complaints,
    ) -> bool {
        let mut pause = FIRST_PAUSE;
        for tried in 1..=TRIES {
            match sender.send(message).await {
                Ok(refused) => {
                    let (lost, why) = refused.unwrap_or_default();
                    if lost > 0 {
                        complaints.say(signal, sender, &format!("{lost} were refused: {why}"));
                        self.count(Name::ExportDropped, &[signal, "rejected"], lost);
                    }
                    self.count(Name::Exported, &[signal], (items as u64).saturating_sub(lost));
                    return true;
                }
                Err(NotSent::Later { text, after }) if tried < TRIES && !queue.closed() => {
                    complaints.say(signal, sender, &text);
                    let wait = after.unwrap_or(pause).min(LONGEST_PAUSE);
                    // Several processes that lost their collector together should not all come back together.
                    let wait = wait.mul_f64(0.75 + 0.5 * fraction());
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = queue.ending() => {}
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) => {
                    let reason = if matches!(error, NotSent::Later { .. }) { "unreachable" } else { "rejected" };
                    complaints.say(signal, sender, &error.to_string());
                    self.count(Name::ExportDropped, &[signal, reason], items as u64);
                    return false;
                }
            }
        }
        false
    }

    #[expect(clippy::cast_precision_loss, reason = "a count of spans")]
    fn count(&self, name: Name, labels: &[&str], items: u64) {
        self.metrics.add(name, labels, items as f64);
    }
}

/// A fraction that differs from moment to moment.
fn fraction() -> f64 {
    let nanos =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    f64::from(nanos % 1000) / 1000.0
}

/// When a kind of signal was last complained about.
#[derive(Default)]
struct Complaints(Option<std::time::Instant>);

impl Complaints {
    fn say(&mut self, signal: &str, sender: &Sender, text: &str) {
        if self.0.is_none_or(|last| last.elapsed() >= COMPLAIN) {
            self.0 = Some(std::time::Instant::now());
            tracing::warn!(endpoint = sender.shown(), "{signal} are not exported: {text}");
        }
    }
}

/// Cuts a span to what the settings allow.
fn limit(span: &mut Span, limits: &Limits) {
    let over = span.attributes.len().saturating_sub(limits.attributes);
    span.dropped = span.dropped.saturating_add(u32::try_from(over).unwrap_or(u32::MAX));
    span.attributes.truncate(limits.attributes);
    span.events.truncate(limits.events);
    span.links.truncate(limits.links);
    if limits.length < usize::MAX {
        span.attributes.iter_mut().for_each(|attribute| attribute.value.cut(limits.length));
    }
}
