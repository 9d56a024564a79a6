//! Is the new version worse, proven not to be, or is there not enough to tell? Pure: counts in, an answer out.
//!
//! ```text
//! Look (counts since the last one, both versions) ─▶ Judge ─▶ Verdict { Regressed | NotWorse | NotEnough } ─ explain.rs ─▶ words
//!                    ratio.rs: new against old      rate.rs: new against a fixed limit
//! ```
//! It may look as often as it likes, and shares may change between looks: false alarms over a whole rollout stay under
//! `Settings::alpha`. Each kind of trouble has a part of that to itself.

mod explain;
mod judge;
mod missing;
pub mod rate;
pub mod ratio;

pub use explain::{Names, explain};
pub use judge::Judge;
pub use missing::Needs;

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Requests, and how many of them were bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    pub n: u64,
    pub bad: u64,
}

/// The same of both versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    pub new: Tally,
    pub old: Tally,
}

/// How many thresholds of latency there are: the old version's p50, p90, p99 and twice its p99.
pub const THRESHOLDS: usize = 4;

/// What one version did since the last look, each key counted a few times a minute at most (`cap.rs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    pub requests: u64,
    /// Failures and 5xx, traps included.
    pub errors: u64,
    pub traps: u64,
    /// 4xx.
    pub client_errors: u64,
    /// Those whose latency was measured, and how many took longer than each threshold; 0 until there are thresholds.
    pub timed: u64,
    pub slower: [u64; THRESHOLDS],
    /// How many took longer than `slo.p99`.
    pub over_slo: u64,
}

/// What happened since the last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    pub new: Counts,
    pub old: Counts,
    /// Answers of both versions that were compared, and how many differed.
    pub shadow: Tally,
}

/// What counts as worse, and as proven.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// How often a good version may be rolled back at most, over the whole rollout: 0.0075. In simulations it is 0.0005 to 0.0025.
    pub alpha: f64,
    /// How often a bad version may be called proven at most: 0.01.
    pub doubt: f64,
    /// A ratio of rates up to which nothing is wrong: 1.05. A twentieth more is nothing that a user notices.
    pub tolerated: f64,
    /// "Not worse" is proven when the new version fails at most so many times as often: 2.
    pub proven: f64,
    /// Or when it fails at most this often, 0 to 1: 0.005.
    pub floor: f64,
    pub slo_errors: Option<f64>,
    pub slo_p99: Option<Duration>,
    /// So many bad requests of the new version are too many, whatever else.
    pub budget: Option<u64>,
    /// No alarm rests on fewer events.
    pub least_events: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            alpha: 0.0075,
            doubt: 0.01,
            tolerated: 1.05,
            proven: 2.0,
            floor: 0.005,
            slo_errors: None,
            slo_p99: None,
            budget: None,
            least_events: 5,
        }
    }
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    Errors,
    Traps,
    Latency,
    ClientErrors,
    Mismatches,
    SloErrors,
    SloLatency,
    Budget,
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    Regressed,
    NotWorse,
    NotEnough,
}

/// The answer with all it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    pub answer: Answer,
    pub findings: Vec<Finding>,
}

/// What one measure says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    pub measure: Measure,
    /// Of the measure alone. Measures that only raise alarms are `NotWorse` as long as they don't.
    pub answer: Answer,
    /// How much speaks for "worse"; from `limit` on it is an alarm.
    pub e_value: f64,
    pub limit: f64,
    pub seen: Pair,
    /// The largest ratio of new to old that is still possible, but for `doubt`.
    pub at_most: Option<f64>,
    /// The rate that may not be exceeded, where the measure has one.
    pub allowed: Option<f64>,
    /// For latencies: which threshold (0 = p50 …) shows it most.
    pub threshold: Option<Threshold>,
    /// What a proof still takes.
    pub needs: Option<Needs>,
}

/// A latency frozen from the old version before the new one had requests.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    pub index: usize,
    pub milliseconds: f64,
}

/// The latencies to compare with: p50, p90, p99 and twice p99 of the old version.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    pub milliseconds: [f64; THRESHOLDS],
}

impl Tally {
    pub fn add(&mut self, more: Self) {
        self.n += more.n;
        self.bad += more.bad;
    }

    /// 0 to 1; 0 of nothing.
    pub fn rate(self) -> f64 {
        self.bad as f64 / self.n.max(1) as f64
    }
}

impl Pair {
    pub fn add(&mut self, more: Self) {
        self.new.add(more.new);
        self.old.add(more.old);
    }
}

impl Counts {
    pub fn add(&mut self, more: &Self) {
        self.requests += more.requests;
        self.errors += more.errors;
        self.traps += more.traps;
        self.client_errors += more.client_errors;
        self.timed += more.timed;
        self.over_slo += more.over_slo;
        for (sum, one) in self.slower.iter_mut().zip(more.slower) {
            *sum += one;
        }
    }
}

impl Look {
    pub fn add(&mut self, more: &Self) {
        self.new.add(&more.new);
        self.old.add(&more.old);
        self.shadow.add(more.shadow);
    }
}

/// Nobody notices answers that are slower but still below this, in milliseconds: a component that takes one millisecond where
/// Node took half of one is no reason to go back.
const NOTICED: f64 = 5.0;

impl Thresholds {
    /// From the latencies of the old version, in milliseconds; `None` with fewer than `LEAST`.
    pub fn freeze(baseline: &hdrhistogram::Histogram<u64>) -> Option<Self> {
        if baseline.len() < Self::LEAST {
            return None;
        }
        // The histogram counts microseconds.
        let at = |quantile: f64| baseline.value_at_quantile(quantile) as f64 / 1000.0;
        Some(Self { milliseconds: [at(0.5), at(0.9), at(0.99), 2.0 * at(0.99)].map(|one| one.max(NOTICED)) })
    }

    /// So many latencies make a p99 worth the name.
    pub const LEAST: u64 = 200;

    /// How many thresholds a latency exceeds: it is over the first so many, for they grow.
    pub fn exceeded(&self, latency: Duration) -> [bool; THRESHOLDS] {
        let milliseconds = latency.as_secs_f64() * 1000.0;
        self.milliseconds.map(|threshold| milliseconds > threshold)
    }
}

impl Measure {
    /// A few words for a line in a list.
    pub fn word(self) -> &'static str {
        match self {
            Self::Errors => "more failures",
            Self::Traps => "crashes of the component",
            Self::Latency => "slower answers",
            Self::ClientErrors => "more answers that blame the client",
            Self::Mismatches => "different answers",
            Self::SloErrors => "more failures than promised",
            Self::SloLatency => "slower answers than promised",
            Self::Budget => "the budget of failures is used up",
        }
    }
}

impl Verdict {
    /// What raised the alarm.
    pub fn alarms(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.answer == Answer::Regressed)
    }

    /// What isn't proven yet.
    pub fn open(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.answer == Answer::NotEnough)
    }
}
