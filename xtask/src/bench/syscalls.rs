//! System calls an answer, counted by strace on one connection that asks again and again. Calls that hang on the clock
//! (tickers, timers) are among them, and strace makes everything slow: they weigh more here than they do in use.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};

use super::load::Request;
use super::server::Server;
use crate::accept::groups::Group;
use crate::tools;

pub fn count(server: &Server, request: &Request, folder: &Path, time: Duration) -> Result<Vec<(String, f64)>> {
    ensure!(tools::has("strace"), "strace is missing. On Debian: `sudo apt-get install strace`");
    request.load(server, folder, 1, Duration::from_secs(1))?;
    let table = folder.join("strace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-c", "-o"]).arg(&table).args(["-p", &server.process().to_string()]);
    let mut group = Group::start(strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()))?;
    // It says so once for each thread; the last may come a moment after the first.
    let errors = group.child.stderr.take().context("standard error is piped")?;
    let mut lines = BufReader::new(errors).lines();
    let first = lines.next().context("strace said nothing")??;
    ensure!(first.contains("attached"), "strace said: {first}");
    let drain = std::thread::spawn(move || lines.map_while(Result::ok).count());
    let answers = request.answers(server, folder, time);
    kill(group.pid(), Signal::SIGINT).context("strace can't be ended")?;
    group.wait(Duration::from_secs(20))?;
    let _ = drain.join();
    let text = std::fs::read_to_string(&table).with_context(|| format!("cannot read {}", table.display()))?;
    per_answer(&text, answers?).with_context(|| format!("strace wrote {text:?}"))
}

/// The calls that come up at least once in a hundred answers, most frequent first; the first is the sum of all.
fn per_answer(text: &str, answers: f64) -> Result<Vec<(String, f64)>> {
    let mut calls: Vec<(String, f64)> = Vec::new();
    for line in text.lines() {
        // % time, seconds, usecs/call, calls, maybe errors, name
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (Some(share), Some(count), Some(name)) = (fields.first(), fields.get(3), fields.last()) else { continue };
        if let (Ok(_), Ok(count)) = (share.parse::<f64>(), count.parse::<f64>()) {
            let name = if *name == "total" { "all" } else { name };
            calls.push((name.to_owned(), count / answers));
        }
    }
    ensure!(!calls.is_empty(), "no call was counted");
    calls.retain(|(_, count)| *count >= 0.01);
    calls.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(calls)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn calls_are_counted_by_answer() {
        let text = "% time     seconds  usecs/call     calls    errors syscall\n------ ----------- ----------- --------- --------- ----------------\n \
            60.00    0.100000           5       200        10 epoll_wait\n 40.00    0.050000           5       100           read\n  0.00    0.000000           0         0           brk\n\
            ------ ----------- ----------- --------- --------- ----------------\n100.00    0.150000           5       300        10 total\n";
        let calls = per_answer(text, 100.0).unwrap();
        assert_eq!(calls, [("all".to_owned(), 3.0), ("epoll_wait".to_owned(), 2.0), ("read".to_owned(), 1.0)]);
        assert!(per_answer("", 1.0).is_err());
    }
}
