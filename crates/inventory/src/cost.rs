//! What code costs, as measured: the types. `profile`, `coverage` and `heap` read files into them, `attribute` joins
//! them with places of the code.

use crate::graph::Place;
use rustc_hash::FxHashMap;
use serde::Serialize;

/// What a unit was seen to cost. Everything that was not measured is absent, never zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    /// CPU time of the unit's own code, garbage collection and regular expressions it caused included, in µs.
    pub self_us: f64,
    /// The same with everything it calls.
    pub inclusive_us: f64,
    /// The inclusive time as a part of all time the process was busy, 0 to 1.
    pub share: f64,
    /// Garbage collection in the inclusive time, in µs.
    pub gc_us: f64,
    /// Regular expressions in the inclusive time, in µs.
    pub regex_us: f64,
    /// Exact, from coverage.
    pub calls: Option<u64>,
    /// Calls a second of the measurement.
    pub calls_per_second: Option<f64>,
    /// The inclusive time of a call, in µs.
    pub per_call_us: Option<f64>,
    /// Bytes allocated by the unit's own code, as sampled.
    pub allocated: Option<u64>,
}

/// The time of one place.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Time {
    pub self_us: f64,
    pub inclusive_us: f64,
    pub gc_us: f64,
    pub regex_us: f64,
}

/// All measurements of a run, by place.
#[derive(Debug, Default)]
pub struct Costs {
    /// Whether there is a CPU profile at all.
    pub profiled: bool,
    pub counted: bool,
    /// Wall time of the profile, in µs.
    pub duration_us: f64,
    /// Time the process was not idle, in µs.
    pub busy_us: f64,
    pub times: FxHashMap<Place, Time>,
    /// Time spent in a package, by the place of the project that called into it.
    pub packages: FxHashMap<(Place, String), f64>,
    pub calls: FxHashMap<Place, u64>,
    pub allocated: FxHashMap<Place, u64>,
    pub flame: Vec<Flame>,
}

/// A box of the flame graph: a call stack merged by function.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flame {
    pub name: String,
    /// File and line as shown to people; empty for what belongs to no file.
    pub at: String,
    /// Index of the caller's box; the first box is the whole and its own caller.
    pub parent: u32,
    pub us: f64,
    /// The package, empty for the project's own code.
    pub package: String,
}

impl Costs {
    /// What the process does around a route's own work for a request, in µs; zero when requests were not recorded. `handlers`
    /// are those that answer alone; whatever runs for every request (middleware, the framework) is around all of them.
    #[must_use]
    pub fn around_us(&self, route: Place, handlers: &[Place], requests: u64) -> f64 {
        let time = |place: &Place| self.times.get(place).map_or(0.0, |time| time.inclusive_us);
        let alone: f64 = handlers.iter().filter(|place| **place != route).map(time).sum::<f64>() + time(&route);
        if requests == 0 || !self.profiled {
            return 0.0;
        }
        (self.busy_us - alone).max(0.0) / requests as f64
    }

    /// What a place costs, if anything was measured.
    #[must_use]
    pub fn of(&self, place: Place) -> Option<Cost> {
        let (calls, allocated) = (self.calls.get(&place).copied(), self.allocated.get(&place).copied());
        if !self.profiled {
            return None;
        }
        let time = self.times.get(&place).copied().unwrap_or_default();
        Some(self.cost(time, calls, allocated))
    }

    /// What several places cost together: own time of each, as inclusive times overlap.
    #[must_use]
    pub fn of_all(&self, places: &[Place]) -> Option<Cost> {
        if !self.profiled {
            return None;
        }
        let mut sum = Time::default();
        for place in places {
            let time = self.times.get(place).copied().unwrap_or_default();
            let packages = self.packages.iter().filter(|((at, _), _)| at == place).map(|(_, us)| us).sum::<f64>();
            sum.self_us += time.self_us;
            sum.inclusive_us += time.self_us + packages;
            sum.gc_us += time.gc_us;
            sum.regex_us += time.regex_us;
        }
        Some(self.cost(sum, None, None))
    }

    /// What a place spends in a package.
    #[must_use]
    pub fn in_package(&self, place: Place, package: &str) -> Option<Cost> {
        if !self.profiled {
            return None;
        }
        let us = self.packages.get(&(place, package.to_owned())).copied().unwrap_or(0.0);
        let time = Time { inclusive_us: us, ..Time::default() };
        Some(self.cost(time, self.calls.get(&place).copied(), None))
    }

    fn cost(&self, time: Time, calls: Option<u64>, allocated: Option<u64>) -> Cost {
        let share = if self.busy_us > 0.0 { (time.inclusive_us / self.busy_us).clamp(0.0, 1.0) } else { 0.0 };
        let Time { self_us, inclusive_us, gc_us, regex_us } = time;
        let count = calls.map(|calls| calls as f64);
        let calls_per_second = count.filter(|_| self.duration_us > 0.0).map(|calls| calls * 1e6 / self.duration_us);
        let per_call_us = count.filter(|calls| *calls > 0.0).map(|calls| inclusive_us / calls);
        Cost { self_us, inclusive_us, share, gc_us, regex_us, calls, calls_per_second, per_call_us, allocated }
    }
}
