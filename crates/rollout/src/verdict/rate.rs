//! Is a rate above a fixed limit? The same kind of evidence as `ratio.rs`, with nothing to compare to: for promises (SLO),
//! for what should never happen (traps), and for shadows. The evidence for q₁ against q₀ is the product of q₁/q₀ for each bad
//! request and (1−q₁)/(1−q₀) for each good one.

use super::Tally;
use super::ratio::{mean_exp, mixture};
use serde::{Deserialize, Serialize};

/// Above the limit by so much; capped below certainty.
const ABOVE: [f64; 6] = [1.5, 2.0, 4.0, 10.0, 40.0, 200.0];
/// Below the limit by so much; the last stands for "never".
const BELOW: [f64; 5] = [0.75, 0.5, 0.25, 0.1, 0.0];
const START_SECONDS: f64 = 300.0;

/// Evidence about one rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// 0 to 1, without both.
    pub limit: f64,
    starts: Vec<Start>,
    below: [f64; BELOW.len()],
    pub total: Tally,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    at: f64,
    log: [f64; ABOVE.len()],
}

impl Rate {
    /// No evidence yet.
    pub fn new(limit: f64) -> Self {
        let first = Start { at: 0.0, log: [0.0; ABOVE.len()] };
        Self { limit: limit.clamp(1e-6, 0.99), starts: vec![first], below: [0.0; BELOW.len()], total: Tally::default() }
    }

    /// Takes in one interval that ended `at` seconds after the beginning.
    pub fn observe(&mut self, seen: Tally, at: f64) {
        if seen.n == 0 {
            return;
        }
        self.total.add(seen);
        let last = self.starts.last().map_or(0.0, |start| start.at);
        if at - last >= START_SECONDS.max(at / 16.0) {
            self.starts.push(Start { at, log: [0.0; ABOVE.len()] });
        }
        let steps = ABOVE.map(|times| step(seen, self.limit, (self.limit * times).min(0.9_f64.max(self.limit))));
        for start in &mut self.starts {
            for (log, step) in start.log.iter_mut().zip(steps) {
                *log += step;
            }
        }
        for (log, times) in self.below.iter_mut().zip(BELOW) {
            *log += step(seen, self.limit, self.limit * times);
        }
    }

    /// How much speaks for "above the limit".
    pub fn e_value(&self) -> f64 {
        mixture(self.starts.iter().map(|start| mean_exp(&start.log)))
    }

    /// The log of the evidence that the rate is below the limit.
    pub fn log_below(&self) -> f64 {
        mean_exp(&self.below).ln()
    }
}

fn step(seen: Tally, base: f64, other: f64) -> f64 {
    let bad = if seen.bad == 0 { 0.0 } else { seen.bad as f64 * (other.max(1e-300) / base).ln() };
    let good = seen.n.saturating_sub(seen.bad) as f64 * ((1.0 - other) / (1.0 - base)).ln();
    bad + good
}
