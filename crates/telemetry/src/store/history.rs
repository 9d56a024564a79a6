//! Figures of the last minutes, for sparklines: what each route and component did in each interval.
//!
//! Whoever owns the clock calls [`History::tick`] with a snapshot of the metrics; the difference to the one before is one point.

use crate::metrics::names::{Kind, Name};
use crate::metrics::{Figure, Histogram, Snapshot};
use crate::span::nanos;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Points that are kept: ten minutes of five seconds.
const POINTS: usize = 120;

/// The last points, and the snapshot they go on from.
#[derive(Debug, Default)]
pub struct History(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<Snapshot>,
    points: VecDeque<Point>,
}

/// One interval.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// Its end, in milliseconds since 1970.
    pub time: u64,
    pub seconds: f64,
    pub routes: BTreeMap<Box<str>, Red>,
    pub components: BTreeMap<Box<str>, Use>,
}

/// Rate, errors, duration of a route.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Red {
    pub requests: u64,
    /// With a status of 500 or more, or no answer.
    pub errors: u64,
    /// In seconds.
    pub p50: Option<f64>,
    pub p95: Option<f64>,
    pub p99: Option<f64>,
}

/// What a component used.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Use {
    pub cpu_seconds: f64,
    pub memory_bytes: f64,
    pub instances: f64,
    pub created: f64,
}

impl History {
    /// Adds a point.
    pub fn tick(&self, now: Snapshot) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = &state.last {
            let point = Point::of(&now.since(last), &now);
            state.points.push_back(point);
            if state.points.len() > POINTS {
                state.points.pop_front();
            }
        }
        state.last = Some(now);
    }

    /// All points, the oldest first.
    #[must_use]
    pub fn points(&self) -> Vec<Point> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).points.iter().cloned().collect()
    }

    /// What has happened since the last point, and since the start.
    #[must_use]
    pub fn totals(now: &Snapshot) -> BTreeMap<Box<str>, Red> {
        red(now)
    }
}

impl Point {
    fn of(delta: &Snapshot, now: &Snapshot) -> Self {
        let seconds = delta.time.duration_since(delta.began).unwrap_or_default().as_secs_f64();
        let mut components: BTreeMap<Box<str>, Use> = BTreeMap::new();
        let mut each = |from: &Snapshot, name: Name, set: fn(&mut Use, f64)| {
            for (labels, figure) in from.of(name) {
                let value = match figure {
                    Figure::Number(n) => *n,
                    Figure::Histogram(histogram) => histogram.sum,
                };
                if let Some(component) = labels.first() {
                    set(components.entry(component.clone()).or_default(), value);
                }
            }
        };
        each(delta, Name::CpuRequest, |of, n| of.cpu_seconds += n);
        each(delta, Name::Created, |of, n| of.created += n);
        each(now, Name::Memory, |of, n| of.memory_bytes = n);
        each(now, Name::Live, |of, n| of.instances = n);
        Self { time: nanos(now.time) / 1_000_000, seconds, routes: red(delta), components }
    }
}

fn red(snapshot: &Snapshot) -> BTreeMap<Box<str>, Red> {
    let Kind::Histogram(bounds) = Name::RequestDuration.metric().kind else { return BTreeMap::new() };
    let mut routes: BTreeMap<Box<str>, (Histogram, u64)> = BTreeMap::new();
    for (labels, figure) in snapshot.of(Name::RequestDuration) {
        let (Figure::Histogram(histogram), [_, route, status, error]) = (figure, &**labels) else { continue };
        let (sum, errors) = routes.entry(route.clone()).or_insert_with(|| (Histogram::new(bounds), 0));
        sum.add(histogram);
        let failed = status.starts_with('5') || (status.is_empty() && &**error != "client_gone");
        *errors += if failed { histogram.count() } else { 0 };
    }
    let of = |(route, (histogram, errors)): (Box<str>, (Histogram, u64))| {
        let quantile = |share| histogram.quantile(bounds, share);
        let red =
            Red { requests: histogram.count(), errors, p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99) };
        (route, red)
    };
    routes.into_iter().map(of).filter(|(_, red)| red.requests > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::History;
    use crate::metrics::Metrics;
    use crate::metrics::names::Name;

    #[test]
    fn a_point_is_what_was_added() {
        let (metrics, history) = (Metrics::default(), History::default());
        let count = |status: &str, seconds: f64| {
            metrics.observe(Name::RequestDuration, &["GET", "/x", status, ""], seconds);
        };
        count("200", 0.004);
        history.tick(metrics.snapshot());
        assert!(history.points().is_empty());
        count("200", 0.004);
        count("503", 0.9);
        metrics.observe(Name::CpuRequest, &["a"], 0.25);
        history.tick(metrics.snapshot());
        let points = history.points();
        let red = &points[0].routes["/x"];
        assert_eq!((red.requests, red.errors), (2, 1));
        assert!(red.p99.unwrap() > 0.75 && red.p50.unwrap() <= 0.005);
        assert_eq!(points[0].components["a"].cpu_seconds, 0.25);
        history.tick(metrics.snapshot());
        assert!(history.points()[1].routes.is_empty(), "nothing came");
    }
}
