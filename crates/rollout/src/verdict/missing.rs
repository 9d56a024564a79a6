//! What a proof still takes: how many requests of the new version, and how long that is at today's traffic. An estimate, by
//! how fast the evidence would grow if both versions were equally good.

use super::rate::Rate;
use super::ratio::Ratio;
use super::{Look, Tally};
use serde::{Deserialize, Serialize};

/// What is missing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// Further requests of the new version; `None` when it looks worse than what is to be proven, so that more of the same
    /// won't prove it.
    pub requests: Option<u64>,
    /// How long that takes as things go; `None` when the new version has no requests.
    pub minutes: Option<f64>,
}

/// Requests a second, lately.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    new: f64,
    old: f64,
    seconds: f64,
}

impl Traffic {
    /// Averages over about `over` seconds, and over what there is before that.
    pub fn observe(&mut self, look: &Look, seconds: f64, over: f64) {
        if seconds <= 0.0 {
            return;
        }
        self.seconds = (self.seconds + seconds).min(over);
        let share = (seconds / self.seconds).min(1.0);
        self.new += share * (look.new.requests as f64 / seconds - self.new);
        self.old += share * (look.old.requests as f64 / seconds - self.old);
    }
}

/// The quicker of two ways: by the ratio to the old version, or by the rate alone.
pub fn needs(ratio: &Ratio, rate: &Rate, bound: f64, enough: f64, traffic: &Traffic) -> Needs {
    let by_ratio = ratio_drift(ratio, bound, traffic).map(|drift| (enough - ratio.log_below(bound)).max(0.0) / drift);
    let by_rate = rate_drift(rate).map(|drift| (enough - rate.log_below()).max(0.0) / drift);
    let least = match (by_ratio, by_rate) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    let requests = least.map(|requests| (requests.ceil() as u64).max(1));
    let a_minute = traffic.new * 60.0;
    let minutes = requests.filter(|_| a_minute > 0.0).map(|requests| requests as f64 / a_minute);
    Needs { requests, minutes }
}

/// How much each request of the new version adds to the evidence for "below `bound`", if the ratio is 1.
fn ratio_drift(ratio: &Ratio, bound: f64, traffic: &Traffic) -> Option<f64> {
    if traffic.new <= 0.0 || traffic.old <= 0.0 || ratio.total.new.n == 0 {
        return None;
    }
    let looks_worse = ratio.seems().is_some_and(|seems| seems > bound) && ratio.total.new.bad >= 5;
    if looks_worse {
        return None;
    }
    let old_each = traffic.old / traffic.new;
    let events = pooled(ratio.total.new, ratio.total.old) * (1.0 + old_each);
    let (truth, against) = (1.0 / (1.0 + old_each), bound / (bound + old_each));
    let drift = events * divergence(truth, against);
    (drift > 1e-9).then_some(drift)
}

fn rate_drift(rate: &Rate) -> Option<f64> {
    let seems = rate.total.rate();
    let drift = divergence(seems, rate.limit);
    (seems < rate.limit * 0.95 && drift > 1e-9).then_some(drift)
}

/// Of both, with half an event more, so that "none yet" isn't "never".
fn pooled(new: Tally, old: Tally) -> f64 {
    (new.bad + old.bad) as f64 / ((new.n + old.n) as f64).max(1.0) + 0.5 / ((new.n + old.n) as f64).max(100.0)
}

/// Kullback-Leibler divergence of two coins.
fn divergence(truth: f64, against: f64) -> f64 {
    let part = |p: f64, q: f64| if p <= 0.0 { 0.0 } else { p * (p / q).ln() };
    part(truth, against) + part(1.0 - truth, 1.0 - against)
}
