//! Runs one situation many times: dice make counts, the product's `Judge` looks at them every five seconds.

use std::time::Duration;

use anyhow::{Context as _, Result};
use coracle_rollout::verdict::{Answer, Counts, Judge, Look, Settings, Tally, Thresholds};
use hdrhistogram::Histogram;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rand_distr::{Binomial, Distribution as _, LogNormal, Poisson};

use super::cases::{Case, Wrong};

/// Seconds between looks.
const LOOK: f64 = 5.0;
/// Latencies from which the thresholds are frozen, as many as the product waits for.
const BASELINE: usize = 1000;
/// Latencies that stand for all there could be.
const POOL: usize = 400_000;

/// What came of many runs.
pub struct Row {
    pub runs: usize,
    pub regressed: usize,
    pub proven: usize,
    /// Minutes from the moment it went wrong, of those that were caught, in order.
    pub caught_after: Vec<f64>,
    /// Minutes to the proof, in order.
    pub proven_after: Vec<f64>,
    /// Of those without an answer: how many said what is missing.
    pub estimated: usize,
}

/// Answers of one run.
struct Ended {
    regressed: Option<f64>,
    proven: Option<f64>,
    estimated: bool,
}

pub fn many(case: &Case, runs: usize) -> Result<Row> {
    let mut dice = StdRng::seed_from_u64(11);
    let pools = Pools::new(case, &mut dice)?;
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let ended: Result<Vec<Ended>> = std::thread::scope(|scope| {
        let work = |worker: usize| {
            let pools = &pools;
            scope.spawn(move || {
                (worker..runs).step_by(workers).map(|run| once(case, pools, run as u64)).collect::<Result<Vec<_>>>()
            })
        };
        let threads: Vec<_> = (0..workers).map(work).collect();
        let joined =
            threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow::anyhow!("a simulation failed"))?);
        joined.collect::<Result<Vec<_>>>().map(|parts| parts.into_iter().flatten().collect())
    });
    let ended = ended?;
    let sorted = |mut minutes: Vec<f64>| {
        minutes.sort_by(f64::total_cmp);
        minutes
    };
    let before = |run: &Ended| run.regressed.is_some_and(|at| at < case.from);
    Ok(Row {
        runs,
        regressed: ended.iter().filter(|run| run.regressed.is_some() && !before(run)).count(),
        proven: ended.iter().filter(|run| run.proven.is_some()).count(),
        caught_after: sorted(
            ended
                .iter()
                .filter_map(|run| run.regressed)
                .filter(|at| *at >= case.from)
                .map(|at| at - case.from)
                .collect(),
        ),
        proven_after: sorted(ended.iter().filter_map(|run| run.proven).collect()),
        estimated: ended.iter().filter(|run| run.estimated).count(),
    })
}

fn once(case: &Case, pools: &Pools, seed: u64) -> Result<Ended> {
    let dice = &mut StdRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let thresholds = pools.thresholds(dice)?;
    let mut judge = Judge::new(Settings::default());
    judge.freeze(thresholds);
    let good = Sides { errors: case.errors, traps: 0.0, slower: pools.good.exceed(&thresholds) };
    let bad = Sides { slower: pools.bad.exceed(&thresholds), ..good };
    let bad = match case.wrong {
        Wrong::Errors(times) => Sides { errors: (case.errors * times).min(1.0), ..bad },
        Wrong::Traps(rate) => Sides { errors: (case.errors + rate).min(1.0), traps: rate, ..bad },
        _ => bad,
    };
    let mut ended = Ended { regressed: None, proven: None, estimated: false };
    let looks = (case.minutes * 60.0 / LOOK) as u64;
    for at in 1..=looks {
        let seconds = at as f64 * LOOK;
        let share = case.shares.iter().rev().find(|(from, _)| from * 60.0 < seconds).map_or(0.0, |(_, share)| *share);
        let went_wrong = seconds > case.from * 60.0;
        let look = Look {
            new: if went_wrong { &bad } else { &good }.counts(case.total * share * LOOK, dice)?,
            old: good.counts(case.total * (1.0 - share) * LOOK, dice)?,
            shadow: Tally::default(),
        };
        let look = match case.wrong {
            Wrong::Mismatches(rate) => {
                Look { new: Counts::default(), shadow: shadow(look.new.requests, rate, dice)?, ..look }
            }
            _ => look,
        };
        judge.look(&look, Duration::from_secs_f64(seconds));
        let verdict = judge.verdict();
        match verdict.answer {
            Answer::Regressed => {
                ended.regressed = Some(seconds / 60.0);
                return Ok(ended);
            }
            Answer::NotWorse => ended.proven = ended.proven.or(Some(seconds / 60.0)),
            Answer::NotEnough => {
                ended.estimated = verdict.open().any(|open| open.needs.is_some_and(|needs| needs.requests.is_some()))
            }
        }
    }
    Ok(ended)
}

fn shadow(compared: u64, rate: f64, dice: &mut StdRng) -> Result<Tally> {
    Ok(Tally { n: compared, bad: draw(compared, rate, dice)? })
}

/// How one version behaves: rates of one request.
#[derive(Clone, Copy)]
struct Sides {
    errors: f64,
    traps: f64,
    slower: [f64; 4],
}

impl Sides {
    fn counts(&self, expected: f64, dice: &mut StdRng) -> Result<Counts> {
        let requests = if expected > 0.0 { Poisson::new(expected)?.sample(dice) as u64 } else { 0 };
        let errors = draw(requests, self.errors, dice)?;
        let traps = if self.traps > 0.0 { draw(errors, self.traps / self.errors, dice)? } else { 0 };
        let mut slower = [0; 4];
        let (mut left, mut before) = (requests, 1.0);
        for (count, rate) in slower.iter_mut().zip(self.slower) {
            // Who is over a threshold is over those before it.
            left = if before > 0.0 { draw(left, (rate / before).min(1.0), dice)? } else { 0 };
            (*count, before) = (left, rate);
        }
        Ok(Counts { requests, errors, traps, timed: requests, slower, ..Counts::default() })
    }
}

fn draw(n: u64, rate: f64, dice: &mut StdRng) -> Result<u64> {
    Ok(if rate <= 0.0 { 0 } else { Binomial::new(n, rate)?.sample(dice) })
}

/// Latencies of the old version, and of the new one where they differ.
struct Pools {
    good: Pool,
    bad: Pool,
}

/// In order, in milliseconds.
struct Pool(Vec<f64>);

impl Pools {
    /// A logarithmic normal distribution around 20 ms, and 1.5 % that take six times as long.
    fn new(case: &Case, dice: &mut StdRng) -> Result<Self> {
        let body = LogNormal::new(20.0_f64.ln(), 0.5)?;
        let (scale, tail) = match case.wrong {
            Wrong::Slower(times) => (times, 1.0),
            Wrong::Tail(times) => (1.0, times),
            _ => (1.0, 1.0),
        };
        let drawn: Vec<(f64, bool)> = (0..POOL).map(|_| (body.sample(dice), dice.random_bool(0.015))).collect();
        let pool = |scale: f64, tail: f64| {
            let mut all: Vec<f64> =
                drawn.iter().map(|(time, slow)| time * scale * if *slow { 6.0 * tail } else { 1.0 }).collect();
            all.sort_by(f64::total_cmp);
            Pool(all)
        };
        Ok(Self { good: pool(1.0, 1.0), bad: pool(scale, tail) })
    }

    fn thresholds(&self, dice: &mut StdRng) -> Result<Thresholds> {
        let mut baseline = Histogram::<u64>::new(3)?;
        for _ in 0..BASELINE {
            let at = dice.random_range(0..POOL);
            let latency = self.good.0.get(at).copied().unwrap_or_default();
            baseline.record((latency * 1000.0) as u64)?;
        }
        Thresholds::freeze(&baseline).context("the baseline is too small")
    }
}

impl Pool {
    fn exceed(&self, thresholds: &Thresholds) -> [f64; 4] {
        thresholds.milliseconds.map(|threshold| {
            let below = self.0.partition_point(|latency| *latency <= threshold);
            (self.0.len() - below) as f64 / self.0.len() as f64
        })
    }
}
