//! Keeps the evidence of one rollout and gives the verdict. One task feeds it; it is saved with the log, so that a restart
//! goes on where it was.

use super::missing::{self, Traffic};
use super::rate::Rate;
use super::ratio::Ratio;
use super::{
    Answer, Counts, Finding, Look, Measure, Pair, Settings, THRESHOLDS, Tally, Threshold, Thresholds, Verdict,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Which part of alpha each kind of alarm has. The sum is 1.
const PARTS: [(Measure, f64); 7] = [
    (Measure::Errors, 0.3),
    (Measure::Latency, 0.3),
    (Measure::Traps, 0.08),
    (Measure::ClientErrors, 0.08),
    (Measure::Mismatches, 0.08),
    (Measure::SloErrors, 0.08),
    (Measure::SloLatency, 0.08),
];

/// Twice as many 4xx as before is no accident any more; what clients ask for varies more than what servers do.
const CLIENT_ERRORS_TOLERATED: f64 = 2.0;
/// How the evidence of the thresholds is weighted: a tail of slow answers shows at the last, everything slower at all.
const SLOW_WEIGHTS: [f64; THRESHOLDS] = [0.1, 0.1, 0.25, 0.55];
/// Traps of more than one request in 2 000.
const TRAPS_ALLOWED: f64 = 0.0005;
/// Answers that differ where the old version never differs from itself: more than one in 1 000.
const MISMATCHES_ALLOWED: f64 = 0.001;
/// Of each threshold: how many times as often the new version may exceed it and count as not slower, at most.
const PROVEN_SLOWER: [f64; THRESHOLDS] = [1.25, 1.5, 2.0, 3.0];
/// Or how often it may exceed it at all. By construction the old version exceeds them at 50 %, 10 %, 1 % and less.
const SLOW_FLOOR: [f64; THRESHOLDS] = [0.6, 0.15, 0.025, 0.015];
/// How long the traffic is averaged for estimates, in seconds.
const TRAFFIC_SECONDS: f64 = 60.0;

/// The evidence of one rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judge {
    pub settings: Settings,
    thresholds: Option<Thresholds>,
    errors: Ratio,
    errors_floor: Rate,
    traps: Ratio,
    traps_rate: Rate,
    client_errors: Ratio,
    slow: Vec<Ratio>,
    slow_floor: Vec<Rate>,
    mismatches: Rate,
    slo_errors: Option<Rate>,
    slo_latency: Option<Rate>,
    traffic: Traffic,
    at: f64,
}

impl Judge {
    /// No evidence yet.
    pub fn new(settings: Settings) -> Self {
        let ratio = || Ratio::new(settings.tolerated);
        Self {
            thresholds: None,
            errors: ratio(),
            errors_floor: Rate::new(settings.slo_errors.unwrap_or(settings.floor)),
            traps: ratio(),
            traps_rate: Rate::new(TRAPS_ALLOWED),
            client_errors: Ratio::new(settings.tolerated * CLIENT_ERRORS_TOLERATED),
            slow: (0..THRESHOLDS).map(|_| ratio()).collect(),
            slow_floor: SLOW_FLOOR.map(Rate::new).to_vec(),
            mismatches: Rate::new(MISMATCHES_ALLOWED),
            slo_errors: settings.slo_errors.map(Rate::new),
            slo_latency: settings.slo_p99.map(|_| Rate::new(0.01)),
            traffic: Traffic::default(),
            at: 0.0,
            settings,
        }
    }

    /// Latencies count from now on. The thresholds must not rest on requests that are counted later.
    pub fn freeze(&mut self, thresholds: Thresholds) {
        self.thresholds = Some(thresholds);
    }

    pub fn thresholds(&self) -> Option<&Thresholds> {
        self.thresholds.as_ref()
    }

    /// Takes in what happened since the last look. `at` is the time since the rollout began.
    pub fn look(&mut self, look: &Look, at: Duration) {
        let at = at.as_secs_f64().max(self.at);
        self.traffic.observe(look, at - self.at, TRAFFIC_SECONDS);
        self.at = at;
        let pair = |bad: fn(&Counts) -> u64| Pair {
            new: Tally { n: look.new.requests, bad: bad(&look.new) },
            old: Tally { n: look.old.requests, bad: bad(&look.old) },
        };
        let errors = pair(|counts| counts.errors);
        self.errors.observe(errors, at);
        self.errors_floor.observe(errors.new, at);
        let traps = pair(|counts| counts.traps);
        self.traps.observe(traps, at);
        self.traps_rate.observe(traps.new, at);
        self.client_errors.observe(pair(|counts| counts.client_errors), at);
        self.mismatches.observe(look.shadow, at);
        if let Some(rate) = &mut self.slo_errors {
            rate.observe(errors.new, at);
        }
        if let Some(rate) = &mut self.slo_latency {
            rate.observe(Tally { n: look.new.requests, bad: look.new.over_slo }, at);
        }
        if self.thresholds.is_some() {
            for (index, (ratio, rate)) in self.slow.iter_mut().zip(&mut self.slow_floor).enumerate() {
                let one =
                    |counts: &Counts| Tally { n: counts.timed, bad: counts.slower.get(index).copied().unwrap_or(0) };
                let seen = Pair { new: one(&look.new), old: one(&look.old) };
                ratio.observe(seen, at);
                rate.observe(seen.new, at);
            }
        }
    }

    /// How many pairs of answers were compared, and how many differed.
    pub fn compared(&self) -> Tally {
        self.mismatches.total
    }

    /// How many answers of the new version were counted.
    pub fn answered(&self) -> u64 {
        self.errors.total.new.n
    }

    /// What can be said now.
    pub fn verdict(&self) -> Verdict {
        let mut findings = vec![self.errors(), self.latency(), self.traps()];
        findings.push(self.alarm(Measure::ClientErrors, self.client_errors.e_value(), self.client_errors.total, None));
        if self.mismatches.total.n > 0 {
            let seen = Pair { new: self.mismatches.total, old: Tally::default() };
            findings.push(self.alarm(Measure::Mismatches, self.mismatches.e_value(), seen, Some(MISMATCHES_ALLOWED)));
        }
        for (measure, rate) in [(Measure::SloErrors, &self.slo_errors), (Measure::SloLatency, &self.slo_latency)] {
            if let Some(rate) = rate {
                let seen = Pair { new: rate.total, old: Tally::default() };
                findings.push(self.alarm(measure, rate.e_value(), seen, Some(rate.limit)));
            }
        }
        findings.extend(self.budget());
        let any = |answer: Answer| findings.iter().any(|finding| finding.answer == answer);
        let answer = match (any(Answer::Regressed), any(Answer::NotEnough)) {
            (true, _) => Answer::Regressed,
            (false, true) => Answer::NotEnough,
            (false, false) => Answer::NotWorse,
        };
        Verdict { answer, findings }
    }

    /// A measure that raises alarms and proves nothing.
    fn alarm(&self, measure: Measure, e_value: f64, seen: Pair, allowed: Option<f64>) -> Finding {
        let part = PARTS.iter().find(|(known, _)| *known == measure).map_or(1.0, |(_, part)| *part);
        let limit = 1.0 / (self.settings.alpha * part);
        let raised = e_value >= limit && seen.new.bad >= self.settings.least_events;
        let answer = if raised { Answer::Regressed } else { Answer::NotWorse };
        Finding { measure, answer, e_value, limit, seen, at_most: None, allowed, threshold: None, needs: None }
    }

    fn errors(&self) -> Finding {
        let mut found = self.alarm(Measure::Errors, self.errors.e_value(), self.errors.total, None);
        found.at_most = self.errors.upper_bound(self.settings.doubt);
        found.allowed = Some(self.errors_floor.limit);
        self.prove(&mut found, &self.errors, &self.errors_floor, self.settings.proven);
        found
    }

    fn traps(&self) -> Finding {
        let e_value = f64::midpoint(self.traps.e_value(), self.traps_rate.e_value());
        self.alarm(Measure::Traps, e_value, self.traps.total, Some(TRAPS_ALLOWED))
    }

    /// The thresholds together: their mean is evidence that needs no correction, and a proof must hold for each.
    fn latency(&self) -> Finding {
        let values: Vec<_> = self.slow.iter().map(Ratio::e_value).collect();
        let mean = values.iter().zip(SLOW_WEIGHTS).map(|(value, weight)| value * weight).sum();
        let worst = values.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(at, _)| at);
        let mut open: Option<Finding> = None;
        for (at, (ratio, rate)) in self.slow.iter().zip(&self.slow_floor).enumerate() {
            let mut one = self.alarm(Measure::Latency, mean, ratio.total, SLOW_FLOOR.get(at).copied());
            one.at_most = ratio.upper_bound(self.settings.doubt);
            let proven = PROVEN_SLOWER.get(at).copied().unwrap_or(1.25);
            self.prove(&mut one, ratio, rate, proven);
            one.threshold = self.threshold(at);
            let takes = |found: &Finding| found.needs.map_or(0, |needs| needs.requests.unwrap_or(u64::MAX));
            let longer = open.as_ref().is_none_or(|kept| takes(&one) > takes(kept));
            if one.answer == Answer::NotEnough && longer {
                open = Some(one);
            }
        }
        let seen = self.slow.get(worst).map(|ratio| ratio.total).unwrap_or_default();
        let mut found = self.alarm(Measure::Latency, mean, seen, None);
        found.threshold = self.threshold(worst);
        found.at_most = self.slow.get(worst).and_then(|ratio| ratio.upper_bound(self.settings.doubt));
        match open {
            Some(open) if found.answer != Answer::Regressed => open,
            _ => found,
        }
    }

    fn threshold(&self, index: usize) -> Option<Threshold> {
        let milliseconds = *self.thresholds.as_ref()?.milliseconds.get(index)?;
        Some(Threshold { index, milliseconds })
    }

    /// Not worse is proven by the ratio, or by the rate alone; each has half of the doubt.
    fn prove(&self, found: &mut Finding, ratio: &Ratio, rate: &Rate, bound: f64) {
        if found.answer == Answer::Regressed {
            return;
        }
        let enough = (2.0 / self.settings.doubt).ln();
        if ratio.log_below(bound) >= enough || rate.log_below() >= enough {
            found.answer = Answer::NotWorse;
            return;
        }
        found.answer = Answer::NotEnough;
        found.needs = Some(missing::needs(ratio, rate, bound, enough, &self.traffic));
    }

    fn budget(&self) -> Option<Finding> {
        let budget = self.settings.budget?;
        let seen = self.errors.total;
        let answer = if seen.new.bad >= budget { Answer::Regressed } else { Answer::NotWorse };
        let (e_value, limit) = (seen.new.bad as f64, budget as f64);
        let measure = Measure::Budget;
        Some(Finding {
            measure,
            answer,
            e_value,
            limit,
            seen,
            at_most: None,
            allowed: None,
            threshold: None,
            needs: None,
        })
    }
}
