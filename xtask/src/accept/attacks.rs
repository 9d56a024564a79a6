//! `cargo xtask accept attacks [case…]`: hostile guests and hostile clients against one running host, a case each, and what a
//! neighbour notices of them. A row a case; fails when one fails.
//!
//! ```text
//!   start the app ─▶ probe alone ─▶ attack, probed meanwhile ─▶ recovered? ─▶ next case … ─▶ rows, or JSON
//! ```
//! Everything is seen from outside: answers, latencies at a fixed rate, /proc, `/status`. What depends on the machine's own
//! quiet, the neighbour's 99th percentile and `/livez` against their bars, is judged in the long form only.

mod app;
mod case;
mod cases;
mod client;
mod clients;
mod floods;
mod graft;
mod guests;
mod h2;
mod judge;
mod own;
mod probe;
pub mod soak;
mod table;
mod upstream;
mod vitals;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;

use self::app::{App, Prepared};
use self::case::{Attack, Scene};
use self::judge::Row;
use self::probe::Probe;
use self::vitals::Vitals;
use super::groups;
use crate::workspace::Workspace;

#[derive(Args)]
pub struct Options {
    /// The cases to run, by name or its beginning; all by default
    pub cases: Vec<String>,
    /// One second a case, and no judgement by latency
    #[arg(long)]
    pub quick: bool,
    /// Print the rows as JSON on standard output, everything else on standard error
    #[arg(long)]
    pub json: bool,
    /// The program to attack; latencies count for one built with --release [default: a debug build, made now]
    #[arg(long, value_name = "PATH")]
    pub binary: Option<PathBuf>,
    /// How long each attack lasts, in seconds
    #[arg(long, value_name = "SECONDS")]
    pub time: Option<f64>,
}

impl Options {
    /// All cases, as CI runs them.
    pub fn quick() -> Self {
        Self { cases: Vec::new(), quick: true, json: false, binary: None, time: None }
    }
}

/// How long things take.
struct Times {
    alone: Duration,
    beside: Duration,
    /// Until everything must be as before.
    recovery: Duration,
    /// Timeouts of the host may be waited for.
    long: bool,
}

impl Times {
    fn of(options: &Options) -> Self {
        let (alone, beside, recovery) = if options.quick { (0.1, 0.65, 15) } else { (3.0, 8.0, 45) };
        Self {
            alone: Duration::from_secs_f64(alone),
            beside: Duration::from_secs_f64(options.time.unwrap_or(beside)),
            recovery: Duration::from_secs(recovery),
            long: !options.quick && options.time.is_none(),
        }
    }
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    groups::end_on_signal()?;
    let chosen: Vec<&'static Attack> = cases::ALL.iter().filter(|attack| attack.is_named(&options.cases)).collect();
    let names = || cases::ALL.iter().map(|attack| attack.name).collect::<Vec<_>>().join(" ");
    ensure!(!chosen.is_empty(), "no such case; there are: {}", names());
    let mut prepared = app::prepare(workspace, options.binary.as_deref())?;
    let times = Times::of(options);
    let mut rows = Vec::new();
    let mut session = Session::start(&mut prepared)?;
    table::head(options.json, &session.start);
    for attack in chosen {
        let mut row = perform(&session, attack, &times);
        table::row(options.json, &row, !options.quick);
        let again = options.quick && !row.wrong().is_empty();
        if again || !row.is_past() {
            // What one case left behind is not held against the next.
            session.stop().map_or_else(|error| table::note(options.json, &error), drop);
            session = Session::start(&mut prepared)?;
        }
        if again {
            // A second is short on a machine that others use: the quick form fails when a case fails twice.
            row = perform(&session, attack, &times);
            table::row(options.json, &row, !options.quick);
        }
        rows.push(row);
    }
    let end = session.stop();
    table::finish(options, &rows, end)
}

/// A running host and its neighbours, and how it was when it was quiet.
struct Session {
    app: App,
    probe: Probe,
    start: Vitals,
}

impl Session {
    fn start(prepared: &mut Prepared) -> Result<Self> {
        let app = prepared.start()?;
        let probe = Probe::start(&app)?;
        probe.settle(Duration::from_secs(1))?;
        let start = Vitals::of(&app)?;
        Ok(Self { app, probe, start })
    }

    fn stop(self) -> Result<String> {
        self.probe.stop();
        self.app.stop()
    }
}

/// One case, from a quiet host to a quiet host.
fn perform(session: &Session, attack: &'static Attack, times: &Times) -> Row {
    let Session { app, probe, start } = session;
    let calm = Instant::now();
    std::thread::sleep(times.alone);
    let begin = Instant::now();
    let length = if times.long { times.beside.max(attack.at_least) } else { times.beside };
    let scene = Scene { app, end: begin + length };
    let watch = vitals::Watch::start(app.process());
    let got = (attack.run)(&scene);
    let end = Instant::now();
    let most = watch.most();
    let recovered = judge::recovered(app, attack, start, times.recovery);
    let alone = probe.window(calm, begin);
    let beside = probe.window(begin, end);
    Row { attack, got: got.and_then(|tally| attack.judge(tally)), alone, beside, most, cap: app.cap(start), recovered }
}
