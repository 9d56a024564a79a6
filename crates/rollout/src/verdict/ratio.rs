//! Does the new version do something bad more often than the old one? An e-process over pairs of counts: a number that grows
//! with evidence and, while the new version is no worse, exceeds x in fewer than one of x rollouts, however often one looks.
//!
//! In each interval `n` requests were answered and `bad` of them were bad, on both sides. With a ratio r of the rates, a bad
//! one is the new version's with probability p(r) = n_new·r / (n_new·r + n_old). The evidence for r₁ against r₀ is the product
//! of ((p(r₁)/p(r₀))^bad_new)·((1−p(r₁))/(1−p(r₀)))^bad_old. Its mean is at most 1 while the true ratio is at most r₀: with
//! a = p(r₁)/p(r₀) and d = (1−p(r₁))/(1−p(r₀)) each request contributes 1 + q·(a−1) ≤ exp(q·(a−1)), and the exponents cancel
//! at r₀. So it holds for frequent events too, and while shares change (Lindon & Malek, NeurIPS 2022, arXiv 2205.14762).
//!
//! Two additions. A mixture over when the trouble began, so that a leak that shows after an hour isn't drowned by the good
//! hour before it (`mixture`). And the same test turned round, which bounds the ratio from above.

use super::Pair;
use serde::{Deserialize, Serialize};

/// Worse by so much: what the test looks for.
pub const WORSE: [f64; 7] = [1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0];
/// How the evidence for each is weighted. A version that is a little worse does a little harm, and shows it only after so many
/// requests that chance has had as many occasions: it takes more to say so.
const WEIGHTS: [f64; 7] = [0.03, 0.05, 0.12, 0.2, 0.2, 0.2, 0.2];
/// Better than a bound by so much: what a proof of the bound looks for.
const BETTER: [f64; 6] = [1.25, 1.5, 2.0, 3.0, 5.0, 10.0];
/// The bounds that can be proven.
pub const BOUNDS: [f64; 16] = [1.05, 1.1, 1.15, 1.2, 1.25, 1.3, 1.4, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0, 10.0, 20.0];
/// A new start at least so many seconds after the last one, and later more rarely.
const START_SECONDS: f64 = 300.0;

/// Evidence about the ratio of two rates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ratio {
    /// The ratio that is tolerated.
    tolerated: f64,
    starts: Vec<Start>,
    /// For each bound, the log evidence of each of `BETTER` against it.
    bounds: Vec<[f64; BETTER.len()]>,
    pub total: Pair,
}

/// Evidence since one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    /// Seconds since the rollout began.
    at: f64,
    log: [f64; WORSE.len()],
}

impl Ratio {
    /// No evidence yet. `tolerated` is the ratio up to which nothing is wrong.
    pub fn new(tolerated: f64) -> Self {
        let first = Start { at: 0.0, log: [0.0; WORSE.len()] };
        let bounds = vec![[0.0; BETTER.len()]; BOUNDS.len()];
        Self { tolerated, starts: vec![first], bounds, total: Pair::default() }
    }

    /// Takes in one interval that ended `at` seconds after the beginning.
    pub fn observe(&mut self, seen: Pair, at: f64) {
        self.total.add(seen);
        if seen.new.n == 0 || seen.old.n == 0 || seen.new.bad + seen.old.bad == 0 {
            return;
        }
        let last = self.starts.last().map_or(0.0, |start| start.at);
        if at - last >= START_SECONDS.max(at / 16.0) {
            self.starts.push(Start { at, log: [0.0; WORSE.len()] });
        }
        let steps = WORSE.map(|worse| step(seen, self.tolerated, self.tolerated * worse));
        for start in &mut self.starts {
            for (log, step) in start.log.iter_mut().zip(steps) {
                *log += step;
            }
        }
        for (bound, logs) in BOUNDS.iter().zip(&mut self.bounds) {
            for (log, better) in logs.iter_mut().zip(BETTER) {
                *log += step(seen, *bound, bound / better);
            }
        }
    }

    /// How much speaks for "worse than tolerated".
    pub fn e_value(&self) -> f64 {
        let weighted = |start: &Start| start.log.iter().zip(WEIGHTS).map(|(log, weight)| weight * exp(*log)).sum();
        mixture(self.starts.iter().map(weighted))
    }

    /// The smallest bound that the ratio is proven to stay under.
    pub fn upper_bound(&self, alpha: f64) -> Option<f64> {
        let proven = self.bounds.iter().rev().take_while(|logs| mean_exp(*logs) >= 1.0 / alpha).count();
        (proven > 0).then(|| BOUNDS.get(BOUNDS.len() - proven).copied()).flatten()
    }

    /// The log of the evidence that the ratio is below `bound`, rounded down to one that can be proven.
    pub fn log_below(&self, bound: f64) -> f64 {
        let at = BOUNDS.iter().rposition(|known| *known <= bound + 1e-9).unwrap_or(0);
        self.bounds.get(at).map_or(0.0, |logs| mean_exp(logs).ln())
    }

    /// What the ratio seems to be; `None` without an event on the old side.
    pub fn seems(&self) -> Option<f64> {
        (self.total.old.bad > 0 && self.total.new.n > 0).then(|| self.total.new.rate() / self.total.old.rate())
    }
}

/// The log evidence that one interval gives for the ratio `worse` against `base`.
fn step(seen: Pair, base: f64, worse: f64) -> f64 {
    let (new, old) = (seen.new.n as f64, seen.old.n as f64);
    // ln(p1/p0) and ln((1-p1)/(1-p0)), without the cancellation.
    let total = ((new * base + old) / (new * worse + old)).ln();
    seen.new.bad as f64 * ((worse / base).ln() + total) + seen.old.bad as f64 * total
}

/// The mean of e-values is an e-value.
pub(super) fn mean_exp(logs: &[f64]) -> f64 {
    let sum: f64 = logs.iter().copied().map(exp).sum();
    sum / logs.len().max(1) as f64
}

/// Kept finite.
fn exp(log: f64) -> f64 {
    log.clamp(-700.0, 600.0).exp()
}

/// The weight of the first start; the k-th after it has a part 1/(k(k+1)) of the rest.
const FIRST: f64 = 0.95;

/// Evidence from several starts; what is left stands for "it never began".
pub(super) fn mixture(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut left) = (0.0, 1.0);
    for (at, value) in values.enumerate() {
        let weight = if at == 0 { FIRST } else { (1.0 - FIRST) / (at as f64 * (at + 1) as f64) };
        sum += weight * value;
        left -= weight;
    }
    sum + left.max(0.0)
}
