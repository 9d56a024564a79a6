//! Measuring on a machine that does other things too: wait until it is quiet, see who has worked meanwhile, and repeat.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

use super::proc;

/// Percent of the machine's time that others may take before a measurement is repeated.
const TOLERATED: f64 = 5.0;
/// Longer measurements are not repeated.
const LONG: Duration = Duration::from_secs(15);
/// How often at most a measurement is made; the least disturbed of them counts.
const ATTEMPTS: usize = 3;

/// The figures of the least disturbed of a few attempts, with what others took of the machine, in percent. What the
/// processes of those numbers took, and children that were waited for, is not others'.
pub fn measured(
    patience: Duration,
    own: &[i32],
    measure: impl Fn() -> Result<Vec<(String, f64)>>,
) -> Result<Vec<(String, f64)>> {
    let ours = || Ok::<_, anyhow::Error>(own.iter().map(|process| proc::cpu(*process)).sum::<f64>() + children()?);
    let mut best: Option<(f64, Vec<(String, f64)>)> = None;
    for _ in 0..ATTEMPTS {
        wait(patience);
        let begin = Instant::now();
        let before = (ours()?, proc::machine());
        let figures = measure()?;
        let after = (ours()?, proc::machine());
        let (busy, all) = (after.1.0 - before.1.0, after.1.1 - before.1.1);
        let others = ((busy - (after.0 - before.0)) / all * 100.0).max(0.0);
        if best.as_ref().is_none_or(|(least, _)| others < *least) {
            best = Some((others, figures));
        }
        // What takes long has been disturbed by turns, and would be again.
        if others <= TOLERATED || begin.elapsed() > LONG {
            break;
        }
    }
    let (others, mut figures) = best.context("there was no attempt")?;
    figures.push(("others %".to_owned(), others));
    Ok(figures)
}

/// Until the machine has been nearly idle for a moment, or patience ends.
fn wait(patience: Duration) {
    let begin = Instant::now();
    loop {
        let before = proc::machine();
        sleep(Duration::from_millis(200));
        let after = proc::machine();
        let busy = (after.0 - before.0) / (after.1 - before.1).max(0.001);
        if busy < 0.08 || begin.elapsed() >= patience {
            return;
        }
    }
}

/// CPU time of children that were waited for, in seconds.
fn children() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("the times of children can't be read")?;
    Ok((usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 / 1e6)
}
