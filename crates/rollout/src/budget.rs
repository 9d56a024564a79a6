//! How many requests may be tried a second time: a share of what comes in, over a window, and always a few. Without it a
//! version that fails everything doubles the load on the one that still works. The figures are those of the Gateway API.
//! Pure state: `now` is passed in.

use std::time::{Duration, Instant};

/// How much may be retried.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Of the requests of the window, 0 to 1.
    pub share: f64,
    pub window: Duration,
    /// So many a second may always be retried.
    pub least_a_second: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { share: 0.2, window: Duration::from_secs(10), least_a_second: 10.0 }
    }
}

const SLICES: usize = 10;

/// The budget of one route.
#[derive(Debug, Clone)]
pub struct Budget {
    settings: Settings,
    /// Requests and retries by slice of the window, with the slice's number.
    slices: [(u64, u32, u32); SLICES],
    began: Instant,
}

impl Budget {
    pub fn new(settings: Settings, now: Instant) -> Self {
        Self { settings, slices: [(0, 0, 0); SLICES], began: now }
    }

    /// A request has come in.
    pub fn deposit(&mut self, now: Instant) {
        if let Some(slice) = self.slice(now) {
            slice.1 += 1;
        }
    }

    /// True when one may be tried again; it is spent then.
    pub fn withdraw(&mut self, now: Instant) -> bool {
        let number = self.number(now);
        let oldest = number.saturating_sub(SLICES as u64 - 1).max(1);
        let recent = self.slices.iter().filter(|slice| slice.0 >= oldest);
        let (requests, retries) = recent.fold((0, 0), |(all, again), slice| (all + slice.1, again + slice.2));
        let always = self.settings.least_a_second * self.settings.window.as_secs_f64();
        let allowed = (f64::from(requests) * self.settings.share).max(always);
        let granted = f64::from(retries) < allowed;
        if granted && let Some(slice) = self.slice(now) {
            slice.2 += 1;
        }
        granted
    }

    fn number(&self, now: Instant) -> u64 {
        let each = (self.settings.window / SLICES as u32).as_nanos().max(1);
        (now.saturating_duration_since(self.began).as_nanos() / each) as u64 + 1
    }

    fn slice(&mut self, now: Instant) -> Option<&mut (u64, u32, u32)> {
        let number = self.number(now);
        let slice = self.slices.get_mut(number as usize % SLICES)?;
        if slice.0 != number {
            *slice = (number, 0, 0);
        }
        Some(slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_the_window_and_always_a_few() {
        let now = Instant::now();
        let mut budget = Budget::new(Settings::default(), now);
        let granted = |budget: &mut Budget, now| (0..10_000).filter(|_| budget.withdraw(now)).count();
        assert_eq!(granted(&mut budget, now), 100, "10 a second, over 10 s");
        let later = now + Duration::from_secs(30);
        for _ in 0..5000 {
            budget.deposit(later);
        }
        assert_eq!(granted(&mut budget, later), 1000);
        assert_eq!(granted(&mut budget, later + Duration::from_secs(5)), 0, "still the same window");
        assert_eq!(granted(&mut budget, later + Duration::from_secs(10)), 100, "the next one");
    }
}
