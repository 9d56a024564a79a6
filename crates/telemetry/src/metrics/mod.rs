//! Metrics: counted per thread without contention, put together when somebody looks.
//!
//! ```text
//! thread ─ its own table, a lock nobody else holds ─▶ series
//! scrape or export ─ all tables, summed ─▶ Snapshot ─ text (`text`) · OTLP (`otlp`) · pages
//! ```
//! Cardinality is bounded: each metric has so many series, further label sets count as `_other`. What is the same for everybody and
//! known elsewhere (instances, memory) isn't counted here: whoever asks adds it to the snapshot.

pub mod docs;
pub mod names;
pub mod request;
pub mod text;

use crate::id::{SpanId, TraceId};
use hashbrown::HashTable;
use names::{Kind, LIST, Name};
use rustc_hash::FxHasher;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::hash::{Hash as _, Hasher as _};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

/// Tables; threads beyond this share.
const TABLES: usize = 64;
/// Series of one metric, in each table and in all.
const SERIES: usize = 1000;
/// The label value of what did not fit.
pub const OTHER: &str = "_other";

/// All metrics of the process.
pub struct Metrics {
    tables: Box<[OnceLock<Slot>]>,
    pub began: SystemTime,
}

/// A table on cache lines of its own.
#[repr(align(128))]
#[derive(Default)]
struct Slot(Mutex<Table>);

/// One thread's series. What is counted under one lock is seen together.
#[derive(Default)]
pub struct Table {
    series: HashTable<Series>,
    count: BTreeMap<Name, usize>,
}

struct Series {
    name: Name,
    labels: Labels,
    value: Figure,
}

/// Label values, in the order of the metric's label names.
pub type Labels = Box<[Box<str>]>;

/// The value of a series.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    Number(f64),
    Histogram(Box<Histogram>),
}

/// Counts by bound; one more than there are bounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    pub buckets: Box<[u64]>,
    pub sum: f64,
    pub exemplars: Box<[Option<Exemplar>]>,
}

/// A request that gave a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exemplar {
    pub trace: TraceId,
    pub span: SpanId,
    pub value: f64,
    /// Nanoseconds since 1970.
    pub time: u64,
}

/// All series at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub series: BTreeMap<(Name, Labels), Figure>,
    pub began: SystemTime,
    pub time: SystemTime,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { tables: (0..TABLES).map(|_| OnceLock::new()).collect(), began: SystemTime::now() }
    }
}

impl Metrics {
    /// Counts in the table of this thread.
    pub fn with<T>(&self, count: impl FnOnce(&mut Table) -> T) -> Option<T> {
        let slot = self.tables.get(thread())?.get_or_init(Slot::default);
        Some(count(&mut slot.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Adds to one counter.
    pub fn add(&self, name: Name, labels: &[&str], by: f64) {
        self.with(|table| table.add(name, labels, by));
    }

    /// Adds a value to one histogram.
    pub fn observe(&self, name: Name, labels: &[&str], value: f64) {
        self.with(|table| table.observe(name, labels, value, None));
    }

    /// All series as they are now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot { series: BTreeMap::new(), began: self.began, time: SystemTime::now() };
        let mut count: BTreeMap<Name, usize> = BTreeMap::new();
        for slot in self.tables.iter().filter_map(OnceLock::get) {
            for series in &slot.0.lock().unwrap_or_else(PoisonError::into_inner).series {
                let other = !series.labels.is_empty() && series.labels.iter().all(|label| &**label == OTHER);
                let known = other || snapshot.series.contains_key(&(series.name, series.labels.clone()));
                let of = count.entry(series.name).or_default();
                *of += usize::from(!known);
                let labels = if known || *of <= SERIES { series.labels.clone() } else { others(series.name) };
                snapshot.merge(series.name, labels, &series.value);
            }
        }
        snapshot
    }
}

impl Table {
    /// Adds to a counter.
    pub fn add(&mut self, name: Name, labels: &[&str], by: f64) {
        if let Figure::Number(n) = self.figure(name, labels) {
            *n += by;
        }
    }

    /// Adds a value to a histogram.
    pub fn observe(&mut self, name: Name, labels: &[&str], value: f64, exemplar: Option<Exemplar>) {
        let Kind::Histogram(bounds) = name.metric().kind else { return };
        if let Figure::Histogram(histogram) = self.figure(name, labels) {
            histogram.observe(bounds, value, exemplar);
        }
    }

    fn figure(&mut self, name: Name, labels: &[&str]) -> &mut Figure {
        let hash = hash(name, labels);
        let full = self.series.len() >= SERIES && self.count.get(&name).is_some_and(|of| *of >= SERIES);
        if full && self.series.find(hash, |series| series.is(name, labels)).is_none() {
            let others = others(name);
            let hash = self::hash(name, &others);
            let entry = self.series.entry(hash, |series| series.name == name && series.labels == others, rehash);
            return &mut entry.or_insert_with(|| Series::new(name, others.clone())).into_mut().value;
        }
        let Self { series, count } = self;
        let new = || {
            *count.entry(name).or_default() += 1;
            Series::new(name, labels.iter().map(|label| Box::from(*label)).collect())
        };
        let entry = series.entry(hash, |series| series.is(name, labels), rehash);
        &mut entry.or_insert_with(new).into_mut().value
    }
}

fn others(name: Name) -> Labels {
    name.metric().labels.iter().map(|_| Box::from(OTHER)).collect()
}

fn hash<S: AsRef<str>>(name: Name, labels: &[S]) -> u64 {
    let mut hasher = FxHasher::default();
    name.hash(&mut hasher);
    for label in labels {
        hasher.write(label.as_ref().as_bytes());
        hasher.write_u8(0xff);
    }
    hasher.finish()
}

fn rehash(series: &Series) -> u64 {
    hash(series.name, &series.labels)
}

impl Series {
    fn new(name: Name, labels: Labels) -> Self {
        let value = match name.metric().kind {
            Kind::Counter | Kind::Gauge => Figure::Number(0.0),
            Kind::Histogram(bounds) => Figure::Histogram(Box::new(Histogram::new(bounds))),
        };
        Self { name, labels, value }
    }

    fn is(&self, name: Name, labels: &[&str]) -> bool {
        self.name == name && self.labels.iter().map(AsRef::as_ref).eq(labels.iter().copied())
    }
}

impl Histogram {
    #[must_use]
    pub fn new(bounds: &[f64]) -> Self {
        let buckets = vec![0; bounds.len() + 1].into_boxed_slice();
        Self { exemplars: vec![None; buckets.len()].into_boxed_slice(), buckets, sum: 0.0 }
    }

    fn observe(&mut self, bounds: &[f64], value: f64, exemplar: Option<Exemplar>) {
        let at = bounds.partition_point(|bound| *bound < value);
        if let Some(bucket) = self.buckets.get_mut(at) {
            *bucket += 1;
        }
        self.sum += value;
        if let (Some(place), Some(_)) = (self.exemplars.get_mut(at), exemplar) {
            *place = exemplar;
        }
    }

    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The value below which this share of all values is, as far as the buckets tell.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of 2^53 are out of reach")]
    pub fn quantile(&self, bounds: &[f64], share: f64) -> Option<f64> {
        let rank = self.count() as f64 * share;
        let mut below = 0.0;
        let mut lower = 0.0;
        for (bucket, bound) in self.buckets.iter().zip(bounds) {
            let count = *bucket as f64;
            if below + count >= rank && count > 0.0 {
                return Some(lower + (bound - lower) * (rank - below) / count);
            }
            below += count;
            lower = *bound;
        }
        (self.count() > 0).then_some(lower)
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(sum, n)| *sum += n);
        self.sum += other.sum;
        for (mine, theirs) in self.exemplars.iter_mut().zip(&other.exemplars) {
            if mine.is_none_or(|mine| theirs.is_some_and(|theirs| theirs.time > mine.time)) {
                *mine = *theirs;
            }
        }
    }
}

impl Snapshot {
    /// Sets a figure that is known elsewhere.
    pub fn set(&mut self, name: Name, labels: &[&str], value: f64) {
        let labels = labels.iter().map(|label| Box::from(*label)).collect();
        self.series.insert((name, labels), Figure::Number(value));
    }

    fn merge(&mut self, name: Name, labels: Labels, value: &Figure) {
        match (self.series.get_mut(&(name, labels.clone())), value) {
            (Some(Figure::Number(sum)), Figure::Number(n)) => *sum += n,
            (Some(Figure::Histogram(sum)), Figure::Histogram(histogram)) => sum.add(histogram),
            _ => drop(self.series.insert((name, labels), value.clone())),
        }
    }

    /// The series of one metric.
    pub fn of(&self, name: Name) -> impl Iterator<Item = (&Labels, &Figure)> {
        self.series.iter().filter(move |((of, _), _)| *of == name).map(|((_, labels), figure)| (labels, figure))
    }

    /// What was added since an earlier snapshot: counters and histograms; gauges stay as they are.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let delta = |(key, now): (&(Name, Labels), &Figure)| {
            let figure = match (now, before.series.get(key)) {
                (Figure::Number(now), Some(Figure::Number(then))) if key.0.metric().kind == Kind::Counter => {
                    Figure::Number(now - then)
                }
                (Figure::Histogram(now), Some(Figure::Histogram(then))) => {
                    let mut delta = now.clone();
                    delta.buckets.iter_mut().zip(&then.buckets).for_each(|(n, then)| *n = n.saturating_sub(*then));
                    delta.sum -= then.sum;
                    Figure::Histogram(delta)
                }
                (now, _) => now.clone(),
            };
            (key.clone(), figure)
        };
        Self { series: self.series.iter().map(delta).collect(), began: before.time, time: self.time }
    }
}

/// All metrics of the list, in its order.
pub fn list() -> impl Iterator<Item = Name> {
    LIST.iter().map(|(name, _)| *name)
}

/// A small number for this thread.
fn thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static THREAD: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    THREAD.with(|cell| {
        if cell.get() == usize::MAX {
            cell.set(NEXT.fetch_add(1, Relaxed) % TABLES);
        }
        cell.get()
    })
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

#[cfg(test)]
mod tests {
    use super::{Figure, Metrics, OTHER, SERIES, names::Name};

    #[test]
    fn threads_are_summed() {
        let metrics = Metrics::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| metrics.add(Name::Created, &["a"], 1.0)));
            }
        });
        let snapshot = metrics.snapshot();
        assert_eq!(snapshot.of(Name::Created).next().unwrap().1, &Figure::Number(4000.0));
    }

    #[test]
    fn series_are_bounded() {
        let metrics = Metrics::default();
        for n in 0..3 * SERIES {
            metrics.add(Name::Created, &[&n.to_string()], 1.0);
        }
        let snapshot = metrics.snapshot();
        assert!(snapshot.of(Name::Created).count() <= SERIES + 1);
        let other = snapshot.of(Name::Created).find(|(labels, _)| &*labels[0] == OTHER).unwrap().1.clone();
        assert_eq!(other, Figure::Number(2.0 * SERIES as f64));
    }

    #[test]
    fn histograms() {
        let metrics = Metrics::default();
        for ms in [1, 6, 6, 30, 20_000] {
            metrics.observe(Name::RequestHead, &["/"], f64::from(ms) / 1000.0);
        }
        let before = metrics.snapshot();
        let Figure::Histogram(histogram) = before.of(Name::RequestHead).next().unwrap().1.clone() else { panic!() };
        assert_eq!(histogram.buckets[..4], [1, 2, 0, 1]);
        assert_eq!((histogram.buckets.last(), histogram.count()), (Some(&1), 5));
        metrics.observe(Name::RequestHead, &["/"], 0.001);
        let since = metrics.snapshot().since(&before);
        let Figure::Histogram(delta) = since.of(Name::RequestHead).next().unwrap().1.clone() else { panic!() };
        assert_eq!(delta.count(), 1);
    }
}
