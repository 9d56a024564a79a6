//! `cargo xtask accept soak --for 1h`: load on several components, reloads every few seconds and all attacks by turns, on one
//! host for a long time. In the end: no request of the load or the neighbours was lost, and memory, descriptors and threads are
//! where they were.
//!
//! ```text
//!   rounds of half a minute:  wrk ─────────────────────────────────────────▶ counted
//!                             SIGHUP  SIGHUP  …   attack  attack  …          ─▶ quiet ─▶ vitals ─▶ a line
//! ```
//! A busy host may refuse (503) what the load asks for while an attack fills it; it may never break a request off.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use nix::sys::signal::Signal;

use super::app::{App, CALM, Prepared};
use super::case::{Attack, Scene};
use super::probe::Probe;
use super::vitals::Vitals;
use super::{app, cases};
use crate::accept::wrk::{self, Counted};
use crate::accept::{groups, reload};
use crate::workspace::Workspace;

#[derive(Args)]
pub struct Options {
    /// How long, such as 1h, 5m or 90s
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = time)]
    pub time: Duration,
    /// The program to try [default: a debug build, made now]
    #[arg(long, value_name = "PATH")]
    pub binary: Option<PathBuf>,
}

/// One round, if it is not the last.
const ROUND: Duration = Duration::from_secs(30);
/// How long each attack goes on.
const ATTACK: Duration = Duration::from_secs(1);
/// What comes and goes by itself: blocking threads, connections of the neighbours.
const LOOSE: u64 = 16;
/// Of the load; the neighbours come on top.
const CONNECTIONS: u32 = 16;

fn time(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = number.parse().map_err(|_| format!("{text:?} is no time, such as 1h, 5m or 90s"))?;
    match unit {
        "h" => Ok(Duration::from_secs(number * 3600)),
        "m" => Ok(Duration::from_secs(number * 60)),
        "s" | "" => Ok(Duration::from_secs(number)),
        _ => Err(format!("{unit:?} is no unit of time; say h, m or s")),
    }
}

/// What all rounds found.
#[derive(Default)]
struct Found {
    load: Counted,
    reloads: u32,
    attacks: u32,
    asked: usize,
    lost: Vec<String>,
    resident: Vec<u64>,
    last: Option<Vitals>,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    groups::end_on_signal()?;
    let mut prepared: Prepared = app::prepare(workspace, options.binary.as_deref())?;
    let app = prepared.start()?;
    let paths: Vec<String> = CALM.iter().map(|(name, _)| format!("/{name}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).chain(["/behind", "/neighbour"]).collect();
    let script = reload::script(&app.place, &paths)?;
    let probe = Probe::start(&app)?;
    probe.settle(Duration::from_secs(2))?;
    let start = Vitals::of(&app)?;
    println!("round  requests  refused  reloads  attacks  RSS MiB  descriptors  threads");
    let mut found = Found::default();
    let begin = Instant::now();
    let mut turn = cases::ALL.iter().filter(|attack| attack.keeps_to_requests()).cycle();
    for number in 1.. {
        let left = options.time.saturating_sub(begin.elapsed());
        if left < Duration::from_secs(5) {
            break;
        }
        let from = Instant::now();
        round(&app, &script, left.min(ROUND), &mut turn, &mut found)?;
        quiet(&app, &start)?;
        let window = probe.window(from, Instant::now());
        found.asked += window.asked();
        if window.lost() > 0 {
            found.lost.push(format!("{} in round {number}, the first: {}", window.lost(), window.first_loss()));
        }
        let now = Vitals::of(&app)?;
        found.resident.push(now.resident);
        let Counted { requests, refused, .. } = found.load;
        println!(
            "{number:>5} {requests:>9} {refused:>8} {:>8} {:>8} {:>8} {:>12} {:>8}",
            found.reloads,
            found.attacks,
            now.resident / 1024,
            now.descriptors,
            now.threads
        );
        found.last = Some(now);
    }
    probe.stop();
    let end = app.stop();
    let text = judge(&found, &start)?;
    println!("\n{text}\nSIGTERM: {}", end?);
    Ok(())
}

/// Load, and meanwhile reloads and attacks.
fn round(
    app: &App,
    script: &Path,
    time: Duration,
    turn: &mut impl Iterator<Item = &'static Attack>,
    found: &mut Found,
) -> Result<()> {
    let url = format!("http://{}", app.addr);
    let end = Instant::now() + time;
    let manifest = app.place.join("coracle.toml");
    let text = std::fs::read_to_string(&manifest)?;
    let counted = thread::scope(|scope| -> Result<Counted> {
        let load = scope.spawn(|| wrk::round_of(CONNECTIONS, &url, time, Some(script)));
        while Instant::now() + ATTACK * 2 < end {
            if let Some(attack) = turn.next() {
                let scene = Scene { app, end: Instant::now() + ATTACK };
                (attack.run)(&scene).with_context(|| format!("the attack {}", attack.name))?;
                found.attacks += 1;
            }
            // Something has changed each time, so that a component is made anew.
            let with = format!("[component.neighbour]\nenv = {{ ROUND = \"{}\" }}\n", found.reloads);
            let changed = text.replacen("[component.neighbour]\n", &with, 1);
            std::fs::write(&manifest, changed)?;
            app.signal(Signal::SIGHUP)?;
            found.reloads += 1;
        }
        std::fs::write(&manifest, &text)?;
        load.join().ok().context("the load's thread panicked")?
    })?;
    found.load.add(counted);
    Ok(())
}

/// Waits until nothing of a round is left.
fn quiet(app: &App, start: &Vitals) -> Result<()> {
    let begin = Instant::now();
    loop {
        let now = Vitals::of(app)?;
        if now.running == 0 && now.descriptors as u64 <= start.descriptors as u64 + LOOSE {
            return Ok(());
        }
        if begin.elapsed() > Duration::from_secs(60) {
            bail!("a minute after a round: {now:?}; at the start: {start:?}");
        }
        sleep(Duration::from_millis(50));
    }
}

fn judge(found: &Found, start: &Vitals) -> Result<String> {
    let Found { load, reloads, attacks, asked, lost, resident, last } = found;
    let mut text = format!(
        "{} requests of the load, {} refused, {} broken off; {asked} of the neighbours, {} lost; {reloads} reloads, {attacks} attacks",
        load.requests,
        load.refused,
        load.broken,
        lost.len(),
    );
    let last = last.as_ref().context("no round was run; give it more time")?;
    let (first, rest) = resident.split_at(resident.len().div_ceil(3));
    let most = |part: &[u64]| part.iter().copied().max().unwrap_or_default() / 1024;
    let _ = write!(
        text,
        "\nRSS at most {} MiB in the first third, {} MiB after it; descriptors {} → {}, threads {} → {}",
        most(first),
        most(rest),
        start.descriptors,
        last.descriptors,
        start.threads,
        last.threads
    );
    ensure!(load.broken == 0, "requests of the load were broken off: {text}");
    ensure!(lost.is_empty(), "requests of neighbours were lost: {}\n{text}", lost.join("; "));
    ensure!(most(rest) <= most(first) + most(first) / 10 + 16, "memory grows: {text}");
    ensure!(last.threads <= start.threads + LOOSE, "threads are left: {text}");
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(time("1h").unwrap(), Duration::from_secs(3600));
        assert_eq!(time("5m").unwrap(), Duration::from_secs(300));
        assert_eq!(time("90").unwrap(), Duration::from_secs(90));
        assert!(time("m").is_err() && time("1d").is_err());
    }

    #[test]
    fn what_grows_or_is_lost_fails() {
        let vitals = Vitals { resident: 0, descriptors: 50, threads: 10, running: 0, instances: 0 };
        let found = |resident: &[u64], broken: u64| Found {
            resident: resident.iter().map(|mib| mib * 1024).collect(),
            load: Counted { requests: 1, broken, ..Counted::default() },
            last: Some(vitals),
            ..Found::default()
        };
        assert!(judge(&found(&[100, 110, 112, 111, 113, 112], 0), &vitals).is_ok());
        assert!(judge(&found(&[100, 110, 120, 130, 140, 150], 0), &vitals).is_err());
        assert!(judge(&found(&[100, 110, 112, 111, 113, 112], 1), &vitals).is_err());
        assert!(judge(&Found::default(), &vitals).is_err());
    }
}
