//! What is shown while something takes long: a spinner with the elapsed time on a terminal, else a line at the start
//! of each step and one at its end. Always on standard error; standard output belongs to the result.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Where steps are announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A spinner on a terminal, lines elsewhere.
    Shown,
    /// Nothing at all: for callers that print a report of their own.
    Quiet,
}

impl Progress {
    /// Runs `work` as a step called `label`, e.g. "installing jco 1.35.0".
    pub(crate) fn step<T, E>(self, label: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let spinner = self.begin(label);
        let begin = Instant::now();
        let result = work();
        if let Some(spinner) = spinner {
            spinner.finish_and_clear();
        }
        let end = if result.is_ok() { "done" } else { "failed" };
        self.say(&format!("{label}: {end} after {}", seconds(begin.elapsed())));
        result
    }

    /// One line, at once.
    pub(crate) fn say(self, line: &str) {
        if self == Self::Shown {
            // A closed standard error must not end a build.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }

    fn begin(self, label: &str) -> Option<ProgressBar> {
        if self == Self::Quiet {
            return None;
        }
        if !std::io::stderr().is_terminal() {
            self.say(&format!("{label} …"));
            return None;
        }
        let spinner = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} … {elapsed}") {
            spinner.set_style(style);
        }
        spinner.set_message(label.to_owned());
        spinner.enable_steady_tick(Duration::from_millis(120));
        Some(spinner)
    }
}

/// "0.4 s", "12 s", "3 min 5 s".
pub fn seconds(time: Duration) -> String {
    let whole = time.as_secs();
    match whole {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..120 => format!("{whole} s"),
        _ => format!("{} min {} s", whole / 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        for (millis, text) in [(420, "0.4 s"), (12_000, "12 s"), (185_000, "3 min 5 s")] {
            assert_eq!(seconds(Duration::from_millis(millis)), text);
        }
    }
}
