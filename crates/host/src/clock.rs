//! CPU time of single polls, without asking the kernel each time.
//!
//! The clock of a thread's CPU time costs a system call, and a request takes several polls. Wall time costs a tenth, and is
//! the same unless the thread was put aside in the middle. So most polls are timed by the wall and corrected by the share
//! of CPU in wall time that this thread's samples show; a poll that follows a long one is always measured, so that the time
//! of a guest that computes, and its limit, are exact.

use nix::time::{ClockId, clock_gettime};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// One poll in so many is a sample.
const SAMPLE: u32 = 16;
/// After a poll as long as this the next one is measured.
const LONG: Duration = Duration::from_micros(100);
/// No guess is above this: a guest gives its slice up before, and a machine that stood still is nobody's CPU time.
const MOST_GUESSED: Duration = Duration::from_millis(2);
/// Samples lose half of their weight when their wall time adds up to this.
const MEMORY: Duration = Duration::from_millis(50);

/// How long the poll that runs on this thread has been running, by the wall.
pub(crate) fn polled_for() -> Duration {
    STARTED.get().map_or(Duration::ZERO, |start| start.elapsed())
}

/// The polls of one instance.
#[derive(Default)]
pub(crate) struct Clock {
    /// The last poll was long.
    close: bool,
}

/// What the samples of one thread show.
#[derive(Clone, Copy, Default)]
struct Samples {
    polls: u32,
    wall: Duration,
    cpu: Duration,
}

thread_local! {
    static STARTED: Cell<Option<Instant>> = const { Cell::new(None) };
    static SAMPLES: Cell<Samples> = const { Cell::new(Samples { polls: 0, wall: Duration::ZERO, cpu: Duration::ZERO }) };
}

impl Clock {
    /// Runs one poll and returns the CPU time it took. It must not leave its thread.
    pub(crate) fn time<T>(&mut self, poll: impl FnOnce() -> T) -> (T, Duration) {
        let mut samples = SAMPLES.get();
        samples.polls = samples.polls.wrapping_add(1);
        let measured = self.close || samples.polls.is_multiple_of(SAMPLE);
        SAMPLES.set(samples);
        let before = measured.then(thread_cpu);
        let start = Instant::now();
        STARTED.set(Some(start));
        let value = poll();
        let wall = start.elapsed();
        self.close = wall >= LONG;
        let cpu = match before {
            Some(before) => {
                let cpu = thread_cpu().saturating_sub(before).min(wall);
                SAMPLES.set(SAMPLES.get().with(wall, cpu));
                cpu
            }
            None => samples.correct(wall).min(MOST_GUESSED),
        };
        (value, cpu)
    }
}

impl Samples {
    fn with(self, wall: Duration, cpu: Duration) -> Self {
        let (wall, cpu) = (self.wall + wall, self.cpu + cpu);
        if wall > MEMORY { Self { wall: wall / 2, cpu: cpu / 2, ..self } } else { Self { wall, cpu, ..self } }
    }

    /// The likely CPU time of a poll that took so long by the wall.
    fn correct(self, wall: Duration) -> Duration {
        if self.wall.is_zero() {
            return wall;
        }
        wall.mul_f64((self.cpu.as_secs_f64() / self.wall.as_secs_f64()).clamp(0.0, 1.0))
    }
}

/// CPU time of this thread.
fn thread_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::{Clock, Samples, thread_cpu};
    use std::time::Duration;

    fn compute(cpu: Duration) {
        let start = thread_cpu();
        while thread_cpu() - start < cpu {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn a_poll_after_a_long_one_is_measured() {
        let mut clock = Clock::default();
        clock.time(|| compute(Duration::from_millis(1)));
        let ((), cpu) = clock.time(|| std::thread::sleep(Duration::from_millis(20)));
        assert!(cpu < Duration::from_millis(10), "sleeping took {cpu:?} of CPU time");
        clock.time(|| compute(Duration::from_millis(1)));
        let ((), cpu) = clock.time(|| compute(Duration::from_millis(5)));
        assert!(cpu >= Duration::from_millis(5), "5 ms of computing took {cpu:?}");
    }

    #[test]
    fn a_thread_that_stood_still_has_not_computed() {
        let ((), cpu) = Clock::default().time(|| std::thread::sleep(Duration::from_millis(50)));
        assert!(cpu <= super::MOST_GUESSED, "{cpu:?}");
    }

    #[test]
    fn the_share_of_samples_corrects_the_wall() {
        let half = Samples::default().with(Duration::from_micros(200), Duration::from_micros(100));
        assert_eq!(half.correct(Duration::from_micros(30)), Duration::from_micros(15));
        assert_eq!(Samples::default().correct(Duration::from_micros(30)), Duration::from_micros(30));
    }

    #[test]
    fn old_samples_fade() {
        let mut samples = Samples::default().with(Duration::from_millis(40), Duration::ZERO);
        for _ in 0..20 {
            samples = samples.with(Duration::from_millis(30), Duration::from_millis(30));
        }
        assert!(samples.correct(Duration::from_micros(100)) > Duration::from_micros(95));
    }
}
