//! Load by wrk at 256 connections, and the memory of a process meanwhile.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::groups::Group;

pub const CONNECTIONS: u32 = 256;

/// What wrk counted. Rounds add up.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Counted {
    pub requests: u64,
    /// Answers that are neither 2xx nor 3xx.
    pub refused: u64,
    /// Connections that failed, and answers that stayed away for 20 s.
    pub broken: u64,
    /// The 99th percentile as wrk writes it, of the last round.
    pub p99: String,
    pub took: Duration,
}

impl Counted {
    pub fn add(&mut self, round: Self) {
        self.requests += round.requests;
        self.refused += round.refused;
        self.broken += round.broken;
        self.p99 = round.p99;
        self.took += round.took;
    }

    /// Nothing failed.
    pub fn clean(&self) -> Result<String> {
        let per_second = self.requests as f64 / self.took.as_secs_f64().max(0.001);
        let text = format!("{} requests, {per_second:.0}/s, p99 {}", self.requests, self.p99);
        let Self { refused, broken, .. } = self;
        ensure!(refused + broken == 0, "{text}: {refused} answers not 2xx, {broken} broken connections");
        Ok(format!("{text}, none failed"))
    }
}

/// One round against an address, its paths chosen by a script or else the address itself.
pub fn round(url: &str, time: Duration, script: Option<&Path>) -> Result<Counted> {
    round_of(CONNECTIONS, url, time, script)
}

/// The same over so many connections.
pub fn round_of(connections: u32, url: &str, time: Duration, script: Option<&Path>) -> Result<Counted> {
    let mut wrk = Command::new("wrk");
    wrk.args(["--threads", "1", "--timeout", "20s", "--latency"]);
    wrk.args(["--connections", &connections.to_string(), "--duration", &format!("{}s", time.as_secs())]);
    if let Some(script) = script {
        wrk.arg("--script").arg(script);
    }
    let begin = Instant::now();
    let mut group = Group::start(wrk.arg(url).stdin(Stdio::null()).stdout(Stdio::piped()))?;
    let output = group.child.stdout.take().context("standard output is piped")?;
    let text = std::io::read_to_string(output)?;
    let code = group.wait(Duration::from_secs(60))?;
    ensure!(code == Some(0), "wrk ended with {code:?}: {text}");
    read(&text, begin.elapsed()).with_context(|| format!("wrk wrote {text:?}"))
}

fn read(text: &str, took: Duration) -> Result<Counted> {
    let mut counted = Counted { took, ..Counted::default() };
    // A round may end before the first answer on a slow machine: none is a count too.
    let mut counts = false;
    for line in text.lines().map(str::trim) {
        if let Some((requests, _)) = line.split_once(" requests in ") {
            counted.requests = requests.parse()?;
            counts = true;
        } else if let Some(refused) = line.strip_prefix("Non-2xx or 3xx responses: ") {
            counted.refused = refused.parse()?;
        } else if let Some(errors) = line.strip_prefix("Socket errors: ") {
            let counts = errors.split(", ").filter_map(|error| error.rsplit(' ').next());
            counted.broken = counts.map(str::parse::<u64>).sum::<Result<u64, _>>()?;
        } else if let Some(p99) = line.strip_prefix("99%") {
            counted.p99 = p99.trim().to_owned();
        }
    }
    ensure!(counts, "no requests were counted");
    Ok(counted)
}

/// Resident memory of a process, read ten times a second until it is dropped.
pub struct Memory {
    /// Its end ends the reading.
    _stop: Sender<()>,
    samples: Arc<Mutex<Vec<u64>>>,
}

impl Memory {
    pub fn watch(process: i32) -> Self {
        let (stop, stopped) = channel::<()>();
        let samples = Arc::default();
        let kept = Arc::clone(&samples);
        thread::spawn(move || {
            while let Some(resident) = resident(process) {
                lock(&kept).push(resident);
                if stopped.recv_timeout(Duration::from_millis(100)) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
        });
        Self { _stop: stop, samples }
    }

    /// Flat up to now.
    pub fn flat(&self) -> Result<String> {
        flat(&lock(&self.samples))
    }

    /// Never above so many MiB.
    pub fn at_most(&self, limit: u64) -> Result<String> {
        let most = lock(&self.samples).iter().copied().max().context("the process has ended")? / 1024;
        ensure!(most <= limit, "RSS reached {most} MiB, more than {limit} MiB");
        Ok(format!("RSS at most {most} MiB"))
    }
}

fn lock(samples: &Mutex<Vec<u64>>) -> MutexGuard<'_, Vec<u64>> {
    samples.lock().unwrap_or_else(PoisonError::into_inner)
}

/// In KiB.
fn resident(process: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Flat: what it reaches after the first third of the time is less than 10 % and 16 MiB above what it had reached by then.
fn flat(samples: &[u64]) -> Result<String> {
    ensure!(samples.len() >= 9, "{} samples of memory are too few; did the process end?", samples.len());
    let (first, rest) = samples.split_at(samples.len() / 3);
    let most = |part: &[u64]| part.iter().copied().max().unwrap_or_default();
    let (before, after) = (most(first), most(rest));
    let text = format!("RSS {} MiB, then at most {} MiB", before / 1024, after / 1024);
    ensure!(after < before + before / 10 + 16 * 1024, "not flat: {text}");
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_wrk_writes_is_counted() {
        let text = "Running 1s test @ http://127.0.0.1:1\n  Latency Distribution\n     50%    3.11ms\n     99%   10.34ms\n  \
            25034 requests in 1.10s, 3.10MB read\n  Socket errors: connect 1, read 20, write 0, timeout 300\n  \
            Non-2xx or 3xx responses: 7\nRequests/sec:  22743.92\n";
        let took = Duration::from_secs(1);
        let mut counted = read(text, took).unwrap();
        let expected = Counted { requests: 25034, refused: 7, broken: 321, p99: "10.34ms".to_owned(), took };
        assert_eq!(counted, expected);
        assert!(counted.clean().is_err());
        counted.add(expected);
        assert_eq!((counted.requests, counted.broken), (50068, 642));
        assert_eq!(read("  0 requests in 1.04s, 0.00B read\n", took).unwrap().requests, 0);
        assert!(read("unable to connect to 127.0.0.1:1 Connection refused", took).is_err());
    }

    #[test]
    fn memory_is_flat_when_it_stays_near_its_first_third() {
        let mib = |from: u64, step: u64| (0..30).map(|i| (from + i * step) * 1024).collect::<Vec<_>>();
        assert!(flat(&mib(100, 0)).is_ok());
        assert!(flat(&mib(100, 1)).is_ok());
        assert!(flat(&mib(100, 2)).is_err());
        assert!(flat(&[1; 8]).is_err());
    }
}
