//! Keeps requests from a version that keeps failing. Pure state: `now` is passed in.
//!
//! ```text
//! Closed ── streak of failures, or too few successes in the window ──▶ Open (backoff) ── time is up ──▶ HalfOpen (one probe)
//!   ▲                                                                    ▲  doubled                          │
//!   └───────────────────────────── probe succeeds ───────────────────────┴────── probe fails ────────────────┘
//! ```
//! Two signals, after linkerd's: a streak sees a dead version at once, a ratio sees one that fails half the time. 429 says
//! "too much", not "broken": it counts for the ratio and not for the streak.

use std::time::{Duration, Instant};

/// When to open, and for how long.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// So many failures in a row.
    pub streak: u32,
    /// Less than this share of the window succeeded, 0 to 1,
    pub least_success: f64,
    /// if the window has so many requests.
    pub least_requests: u32,
    pub window: Duration,
    /// The first time; doubled each time a probe fails, up to `longest`.
    pub backoff: Duration,
    pub longest: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            streak: 7,
            least_success: 0.5,
            least_requests: 20,
            window: Duration::from_secs(10),
            backoff: Duration::from_secs(1),
            longest: Duration::from_secs(60),
        }
    }
}

/// How a request went, as far as a breaker cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Success,
    /// 429, or a full queue.
    TooMuch,
    Failure,
}

/// Whether a request may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    Yes,
    /// It may, and its outcome decides whether the breaker closes.
    Probe,
    No,
}

/// What a report has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Opened,
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Closed,
    Open {
        until: Instant,
        backoff: Duration,
    },
    /// A probe is under way since `since`; one that never reports doesn't block for ever.
    HalfOpen {
        since: Instant,
        backoff: Duration,
    },
}

/// Slices of the window.
const SLICES: usize = 10;

/// The breaker of one version.
#[derive(Debug, Clone)]
pub struct Breaker {
    settings: Settings,
    state: State,
    streak: u32,
    /// Successes and others by slice of the window, with the slice's number.
    slices: [(u64, u32, u32); SLICES],
    began: Instant,
}

impl Breaker {
    pub fn new(settings: Settings, now: Instant) -> Self {
        Self { settings, state: State::Closed, streak: 0, slices: [(0, 0, 0); SLICES], began: now }
    }

    /// Asks for one request.
    pub fn pass(&mut self, now: Instant) -> Pass {
        match self.state {
            State::Closed => Pass::Yes,
            State::Open { until, .. } if now < until => Pass::No,
            State::Open { backoff, .. } => {
                self.state = State::HalfOpen { since: now, backoff };
                Pass::Probe
            }
            State::HalfOpen { since, backoff } if now.saturating_duration_since(since) >= self.settings.longest => {
                self.state = State::HalfOpen { since: now, backoff };
                Pass::Probe
            }
            State::HalfOpen { .. } => Pass::No,
        }
    }

    pub fn is_open(&self) -> bool {
        self.state != State::Closed
    }

    /// Tells how a request went that was let pass.
    pub fn report(&mut self, outcome: Outcome, now: Instant) -> Option<Change> {
        match self.state {
            State::HalfOpen { backoff, .. } => match outcome {
                Outcome::Success => {
                    *self = Self::new(self.settings.clone(), now);
                    Some(Change::Closed)
                }
                Outcome::TooMuch | Outcome::Failure => {
                    self.open((backoff * 2).min(self.settings.longest), now);
                    None
                }
            },
            // Requests that were under way when it opened tell nothing new.
            State::Open { .. } => None,
            State::Closed => {
                self.count(outcome, now);
                if self.streak >= self.settings.streak || self.fails_too_often(now) {
                    self.open(self.settings.backoff, now);
                    return Some(Change::Opened);
                }
                None
            }
        }
    }

    fn open(&mut self, backoff: Duration, now: Instant) {
        self.state = State::Open { until: now + backoff, backoff };
        self.streak = 0;
        self.slices = [(0, 0, 0); SLICES];
    }

    fn slice(&self, now: Instant) -> u64 {
        let each = (self.settings.window / SLICES as u32).as_nanos().max(1);
        // From 1, so that an unused slice isn't the first.
        (now.saturating_duration_since(self.began).as_nanos() / each) as u64 + 1
    }

    fn count(&mut self, outcome: Outcome, now: Instant) {
        self.streak = match outcome {
            Outcome::Success => 0,
            Outcome::TooMuch => self.streak,
            Outcome::Failure => self.streak + 1,
        };
        let number = self.slice(now);
        let Some(slice) = self.slices.get_mut(number as usize % SLICES) else { return };
        if slice.0 != number {
            *slice = (number, 0, 0);
        }
        match outcome {
            Outcome::Success => slice.1 += 1,
            Outcome::TooMuch | Outcome::Failure => slice.2 += 1,
        }
    }

    fn fails_too_often(&self, now: Instant) -> bool {
        let oldest = self.slice(now).saturating_sub(SLICES as u64 - 1);
        let recent = self.slices.iter().filter(|slice| slice.0 >= oldest.max(1));
        let (good, bad) = recent.fold((0, 0), |(good, bad), slice| (good + slice.1, bad + slice.2));
        let all = good + bad;
        all >= self.settings.least_requests && f64::from(good) < f64::from(all) * self.settings.least_success
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Failure, Success, TooMuch};

    fn breaker() -> (Breaker, Instant) {
        let now = Instant::now();
        (Breaker::new(Settings::default(), now), now)
    }

    #[test]
    fn a_streak_opens_it_and_a_probe_closes_it() {
        let (mut breaker, now) = breaker();
        let changes: Vec<_> = (0..7).filter_map(|_| breaker.report(Failure, now)).collect();
        assert_eq!((changes, breaker.pass(now)), (vec![Change::Opened], Pass::No));
        let later = now + Duration::from_secs(1);
        assert_eq!((breaker.pass(later), breaker.pass(later)), (Pass::Probe, Pass::No), "one probe at a time");
        assert_eq!(breaker.report(Success, later), Some(Change::Closed));
        assert_eq!(breaker.pass(later), Pass::Yes);
    }

    #[test]
    fn a_failed_probe_doubles_the_wait_up_to_the_longest() {
        let (mut breaker, mut now) = breaker();
        for _ in 0..7 {
            breaker.report(Failure, now);
        }
        let mut waits = Vec::new();
        for _ in 0..8 {
            let began = now;
            while breaker.pass(now) != Pass::Probe {
                now += Duration::from_millis(100);
            }
            waits.push((now - began).as_secs());
            breaker.report(Failure, now);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn half_failing_opens_it_only_above_the_floor_and_within_the_window() {
        let (mut breaker, now) = breaker();
        for at in 0..9 {
            let now = now + Duration::from_millis(at);
            breaker.report(Success, now);
            breaker.report(Failure, now);
        }
        assert!(!breaker.is_open(), "18 requests are below the floor");
        assert_eq!(breaker.report(Failure, now), None);
        assert_eq!(breaker.report(Failure, now), Some(Change::Opened));
        let (mut breaker, now) = self::breaker();
        for at in 0..60 {
            let outcome = if at % 2 == 0 { Failure } else { Success };
            assert_eq!(breaker.report(outcome, now + Duration::from_secs(at)), None, "10 in a window of 10 s");
        }
    }

    #[test]
    fn too_much_is_no_streak() {
        let (mut breaker, now) = breaker();
        for _ in 0..19 {
            assert_eq!(breaker.report(TooMuch, now), None);
        }
        assert_eq!(breaker.report(TooMuch, now), Some(Change::Opened), "but counts for the ratio");
    }

    #[test]
    fn a_probe_that_never_reports_does_not_block_for_ever() {
        let (mut breaker, now) = breaker();
        for _ in 0..7 {
            breaker.report(Failure, now);
        }
        let now = now + Duration::from_secs(1);
        assert_eq!(breaker.pass(now), Pass::Probe);
        assert_eq!(breaker.pass(now + Duration::from_secs(59)), Pass::No);
        assert_eq!(breaker.pass(now + Duration::from_secs(61)), Pass::Probe);
    }
}
