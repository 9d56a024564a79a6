//! What a move would gain: an interval of CPU time saved, from constants that were measured (`data/constants.json`, made
//! by the example `calibrate`).
//!
//! The trap this model keeps people out of: JavaScript that computes gets slower, not faster, as a JavaScript component.

use crate::cost::Cost;
use crate::crates::Work;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// Two ends, the lower first.
pub type Interval = [f64; 2];

/// The measured constants.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constants {
    pub version: String,
    pub measured_on: String,
    /// How many times faster than V8 a Rust component does a kind of work.
    pub speedup: FxHashMap<Work, Interval>,
    /// The same for packages that were measured themselves against their crates.
    pub packages: FxHashMap<String, Interval>,
    /// How many times slower than V8 a JavaScript component is.
    pub javascript_component_slowdown: Interval,
    /// A call of a component that Coracle's front door makes anyway, in µs.
    pub call_us: Interval,
    /// A call from a Node process to a component, in µs: request, response, and the event loop on both sides.
    pub hop_us: Interval,
    /// Moving one KiB in or out, in µs.
    pub per_kib_us: Interval,
}

static CONSTANTS: LazyLock<Constants> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../data/constants.json")).expect("the committed constants are read by a test")
});

/// The constants of this build.
#[must_use]
pub fn constants() -> &'static Constants {
    &CONSTANTS
}

/// How many times faster than V8 a Rust component does the work of a package, or else work of a kind.
#[must_use]
pub fn speedup(work: Work, package: Option<&str>) -> Interval {
    if let Some(measured) = package.and_then(|package| constants().packages.get(package)) {
        return *measured;
    }
    constants().speedup.get(&work).copied().unwrap_or([0.5, 1.5])
}

/// How many times faster the whole gets when its parts do.
fn mixed(work: Interval, rest: Interval, part: f64) -> Interval {
    let part = part.clamp(0.0, 1.0);
    let whole = |at: usize| -> f64 {
        let pick = |pair: Interval| pair.get(at).copied().unwrap_or(1.0);
        1.0 / (part / pick(work) + (1.0 - part) / pick(rest))
    };
    [whole(0), whole(1)]
}

/// What kind of work is to be moved, and whose.
#[derive(Clone, Copy, Debug)]
pub struct Task<'t> {
    pub work: Work,
    pub package: Option<&'t str>,
    /// What Node does around it for a request, in µs: HTTP, the framework, middleware. Zero for what is no route.
    pub around_us: f64,
    /// The part of the time that is work of this kind, 0 to 1; the rest is glue.
    pub part: f64,
}

/// What the work becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Becomes {
    Rust,
    JavascriptComponent,
}

/// How it is called then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Called {
    /// By the front door, in place of Node: no request more than before.
    ByTheFrontDoor,
    /// By the Node process, over a connection: a request more for each call.
    ByNode,
}

/// The part of what Node does around a route that is saved when the route moves whole. Middleware may have to move along.
const AROUND: Interval = [0.5, 1.0];

/// What is expected of a move.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gain {
    /// CPU time saved by each call, in µs; negative when it costs more.
    pub per_call_us: Interval,
    /// The same as a part of the process's busy time, −∞ to 1.
    pub of_busy: Interval,
    /// The gain of the work alone, without what is saved around it: what speaks for moving this rather than anything else.
    pub of_work: Interval,
    /// Saved around the work, in µs a call; part of `per_call_us`.
    pub around_us: Interval,
    /// What crosses the boundary costs, in µs a call; part of `per_call_us`.
    pub boundary_us: Interval,
    pub speedup: Interval,
    pub work: Work,
    pub becomes: Becomes,
    pub called: Called,
    /// The sum in words.
    pub formula: String,
}

/// The gain of moving what costs `cost`; absent when the time of a call isn't known. `bytes` in and out of a call.
#[must_use]
pub fn gain(cost: &Cost, task: Task<'_>, becomes: Becomes, called: Called, bytes: Interval) -> Option<Gain> {
    let Task { work, package, around_us, part } = task;
    let time = cost.per_call_us?;
    let constants = constants();
    let speedup = match becomes {
        Becomes::Rust => mixed(speedup(work, package), speedup(Work::Glue, None), part),
        Becomes::JavascriptComponent => {
            let [low, high] = constants.javascript_component_slowdown;
            [1.0 / high, 1.0 / low]
        }
    };
    let call = if called == Called::ByNode { constants.hop_us } else { constants.call_us };
    let moving = |at: usize| -> f64 {
        let pick = |pair: Interval| pair.get(at).copied().unwrap_or(0.0);
        pick(call) + pick(constants.per_kib_us) * pick(bytes) / 1024.0
    };
    let boundary_us = [moving(0), moving(1)];
    let [slow, fast] = speedup;
    let [cheap, dear] = boundary_us;
    let work_us = [time - time / slow - dear, time - time / fast - cheap];
    // A request that Node never sees costs it nothing; how much of that the replacement must do too is not known.
    let around_us = match called {
        Called::ByTheFrontDoor => [AROUND[0] * around_us, AROUND[1] * around_us],
        Called::ByNode => [0.0, 0.0],
    };
    let per_call_us = [work_us[0] + around_us[0], work_us[1] + around_us[1]];
    // The part of the busy time that these calls are, times the part of a call that is saved.
    let of_all = |saved: f64| if time > 0.0 { cost.share * saved / time } else { 0.0 };
    let (of_busy, of_work) = (per_call_us.map(of_all), work_us.map(of_all));
    let around = match around_us {
        [_, high] if high <= 0.0 => String::new(),
        [low, high] => format!(" + {low:.0} to {high:.0} µs that Node does around it"),
    };
    let formula = format!(
        "{time:.0} µs a call in Node − {:.0} to {:.0} µs as {} − {cheap:.0} to {dear:.0} µs at the boundary{around}",
        time / fast,
        time / slow,
        match becomes {
            Becomes::Rust => "Rust",
            Becomes::JavascriptComponent => "a JavaScript component",
        },
    );
    Some(Gain { per_call_us, of_busy, of_work, around_us, boundary_us, speedup, work, becomes, called, formula })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn cost(per_call_us: f64, share: f64) -> Cost {
        Cost { share, per_call_us: Some(per_call_us), ..Cost::default() }
    }

    #[test]
    fn computing_javascript_as_a_javascript_component_loses() {
        let gain = gain(
            &cost(5_000.0, 0.5),
            Task { work: Work::Numeric, package: None, around_us: 0.0, part: 1.0 },
            Becomes::JavascriptComponent,
            Called::ByTheFrontDoor,
            [0.0, 0.0],
        );
        let [_, best] = gain.unwrap().per_call_us;
        assert!(best < -5_000.0, "{best}");
    }

    #[test]
    fn a_cheap_call_is_not_worth_a_hop() {
        let gain = gain(
            &cost(3.0, 0.3),
            Task { work: Work::Text, package: None, around_us: 0.0, part: 1.0 },
            Becomes::Rust,
            Called::ByNode,
            [100.0, 100.0],
        )
        .unwrap();
        let [_, best] = gain.per_call_us;
        assert!(best < 0.0, "{gain:?}");
    }

    #[test]
    fn a_route_that_moves_whole_takes_along_what_node_does_around_it() {
        let of = |called, around_us| {
            let task = Task { work: Work::Text, package: None, around_us, part: 1.0 };
            gain(&cost(1_000.0, 0.5), task, Becomes::Rust, called, [0.0, 0.0]).unwrap()
        };
        let (bare, whole) = (of(Called::ByTheFrontDoor, 0.0), of(Called::ByTheFrontDoor, 600.0));
        assert!((whole.of_busy[0] - bare.of_busy[0] - 0.15).abs() < 1e-9, "{whole:?}");
        assert!((whole.of_busy[1] - bare.of_busy[1] - 0.30).abs() < 1e-9, "{whole:?}");
        assert_eq!(whole.of_work, bare.of_busy);
        assert_eq!(of(Called::ByNode, 600.0).around_us, [0.0, 0.0]);
    }

    #[test]
    fn without_a_time_there_is_no_gain() {
        let cost = Cost { share: 0.9, ..Cost::default() };
        assert_eq!(
            gain(
                &cost,
                Task { work: Work::Text, package: None, around_us: 0.0, part: 1.0 },
                Becomes::Rust,
                Called::ByNode,
                [0.0, 0.0]
            ),
            None
        );
    }

    #[test]
    fn every_kind_of_work_has_constants() {
        for work in [
            Work::Numeric,
            Work::Bytes,
            Work::Text,
            Work::Regex,
            Work::Json,
            Work::Crypto,
            Work::Compress,
            Work::Markdown,
            Work::Schema,
            Work::Template,
            Work::Native,
            Work::Glue,
        ] {
            let [low, high] = constants().speedup.get(&work).copied().unwrap();
            assert!(0.0 < low && low <= high, "{work:?}");
        }
    }
}
