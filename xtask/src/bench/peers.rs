//! `cargo xtask bench peers`: builds and installs the contenders, measures them by turns, prints tables, writes the JSON.
//!
//! In each round each contender is started anew, asked once whether its answer is right, warmed up, measured and ended, and
//! the rounds follow each other: what changes on the machine meanwhile meets all of them. A measurement begins when the
//! machine is quiet, and is repeated when others have worked meanwhile; which one counts is decided by that alone, never
//! by its result. Only numbers of one section are comparable.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};

use super::cases::{Case, Method, plan};
use super::contender::{Contender, Peer, Places, Ports};
use super::density;
use super::install;
use super::load::Request;
use super::quiet;
use super::results::{Results, Row, Section};
use super::server::Server;
use super::{node, origin, start, syscalls, tables};
use crate::accept::groups;
use crate::tools;
use crate::workspace::Workspace;

#[derive(Args)]
pub struct Options {
    /// The cases; all by default
    pub cases: Vec<Case>,
    /// Only these peers, separated by commas
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<Peer>,
    /// Only contenders whose name holds this text, e.g. "p3, fresh"
    #[arg(long)]
    pub matching: Option<String>,
    /// Short rounds; the numbers go to the target directory instead of bench/results
    #[arg(long)]
    pub quick: bool,
    /// How often each contender is measured [default: 5, with --quick 3]
    #[arg(long)]
    pub rounds: Option<usize>,
    /// How long each time [default: 4, with --quick 2]
    #[arg(long)]
    pub seconds: Option<u64>,
    /// Coracle's shards [default: one a core]
    #[arg(long)]
    pub shards: Option<u16>,
    /// Measure this program as Coracle instead of a release build
    #[arg(long)]
    pub binary: Option<PathBuf>,
    /// Build nothing: measure the programs that are there
    #[arg(long)]
    pub no_build: bool,
    /// How long to wait before each measurement until the machine is quiet, in seconds [default: 20, with --quick 5]
    #[arg(long)]
    pub patience: Option<u64>,
}

/// Longer than this no measurement takes, however slow the contender.
const SLOWEST: Duration = Duration::from_secs(60);

/// What the measurements of one call have in common.
pub struct Bench {
    pub places: Places,
    /// For whatever contenders write.
    scratch: PathBuf,
    rounds: usize,
    pub time: Duration,
    patience: Duration,
    sizes: density::Sizes,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    groups::end_on_signal()?;
    tools::system()?;
    let default = |asked: Option<u64>, quick, whole| asked.unwrap_or(if options.quick { quick } else { whole });
    let bench = Bench {
        scratch: workspace.target.join("bench"),
        rounds: options.rounds.unwrap_or(if options.quick { 3 } else { 5 }),
        time: Duration::from_secs(default(options.seconds, 2, 4)),
        patience: Duration::from_secs(default(options.patience, 5, 20)),
        sizes: if options.quick { density::QUICK } else { density::WHOLE },
        places: prepare(workspace, options)?,
    };
    let file = if options.quick {
        bench.scratch.join("peers-quick.json")
    } else {
        workspace.root.join("bench/results/peers.json")
    };
    let cases = Case::value_variants().iter().copied();
    for case in cases.filter(|case| options.cases.is_empty() || options.cases.contains(case)) {
        let section =
            Section { origin: origin::find(&bench.places, !options.no_build)?, rows: bench.measure(case, options)? };
        println!("\n{}\n{}", case.name(), tables::of(&section));
        // Read again each time: another call may have written meanwhile.
        let mut results = Results::read(&file)?;
        results.sections.insert(case.name(), section);
        results.write(&file)?;
    }
    println!("written: {}", file.display());
    Ok(())
}

fn prepare(workspace: &Workspace, options: &Options) -> Result<Places> {
    const PROGRAMS: [&str; 3] = ["coracle", "hyper-hello", "open-loop"];
    if !options.no_build {
        // Together, so that both need the same features of what they depend on.
        let mut cargo = Command::new("cargo");
        cargo.args(["build", "--release", "--locked", "--package", "coracle", "--package", "coracle-bench"]);
        cargo.args(PROGRAMS.iter().flat_map(|program| ["--bin", program])).current_dir(&workspace.root);
        run_to_end(&mut cargo)?;
        let own = std::env::current_exe().context("this program can't be found")?;
        run_to_end(Command::new(own).arg("guests").current_dir(&workspace.root))?;
    }
    let built = workspace.target.join("bench/bin");
    std::fs::create_dir_all(&built).with_context(|| format!("cannot create {}", built.display()))?;
    for program in PROGRAMS {
        let from = workspace.target.join("release").join(program);
        let from = options.binary.clone().filter(|_| program == "coracle").unwrap_or(from);
        if options.no_build && !from.exists() {
            continue;
        }
        // Beside it and renamed: a copy of before may still run.
        let fresh = built.join(format!("{program}.new"));
        std::fs::copy(&from, &fresh).with_context(|| format!("cannot copy {}", from.display()))?;
        std::fs::rename(&fresh, built.join(program))?;
    }
    Ok(Places {
        root: workspace.root.clone(),
        built,
        guests: workspace.target.join("guests"),
        node: node::prepare(workspace)?,
        wasmtime: install::program(&install::WASMTIME)?,
        wash: install::program(&install::WASH)?,
    })
}

/// Fails when the command does.
pub fn run_to_end(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}").replace('"', "");
    let status = command.status().with_context(|| format!("cannot start `{shown}`"))?;
    ensure!(status.success(), "`{shown}` failed ({status})");
    Ok(())
}

impl Bench {
    fn measure(&self, case: Case, options: &Options) -> Result<Vec<Row>> {
        let plan = plan(case, &self.places)?;
        let loads = match &plan.method {
            Method::Connections(numbers) => numbers.iter().map(|number| Load::Connections(*number)).collect(),
            Method::Rates(rates) => rates.iter().map(|rate| Load::Rate(*rate)).collect(),
            Method::Start => vec![Load::Start],
            Method::Density => vec![Load::Density],
            Method::Syscalls => vec![Load::Syscalls],
        };
        let upstream = plan.upstream.then(|| self.upstream()).transpose()?;
        let port = upstream.as_ref().map(|server| server.port);
        let mut request = plan.request;
        request.path = request.path.replace("UPSTREAM", &port.unwrap_or_default().to_string());
        let mut entries = Vec::new();
        for load in loads {
            for mut contender in plan.contenders.iter().cloned() {
                contender.shards = contender.shards.or(options.shards.filter(|_| contender.peer == Peer::Coracle));
                let asked = options.only.is_empty() || options.only.contains(&contender.peer);
                if asked && options.matching.as_ref().is_none_or(|text| contender.name().contains(text)) {
                    let (peer, variant) = (contender.peer.name().to_owned(), contender.variant());
                    let row = Row { peer, variant, load: load.name(), figures: BTreeMap::new() };
                    entries.push((contender, load, row));
                }
            }
        }
        let rounds = if matches!(plan.method, Method::Syscalls) { 1 } else { self.rounds };
        for round in 1..=rounds {
            for (contender, load, row) in &mut entries {
                let figures = self.figures(contender, &request, *load, upstream.as_ref());
                let figures = figures.with_context(|| format!("{} in {}", contender.name(), case.name()))?;
                let shown: Vec<String> = figures.iter().take(2).map(|(name, it)| format!("{it:>9.1} {name}")).collect();
                eprintln!(
                    "{} {round}/{rounds}: {:28} {:16} {}",
                    case.name(),
                    contender.name(),
                    row.load,
                    shown.join(" ")
                );
                let figures: Vec<(&str, f64)> = figures.iter().map(|(name, value)| (name.as_str(), *value)).collect();
                row.add(&figures);
            }
        }
        Ok(entries.into_iter().map(|(.., row)| row).collect())
    }

    /// Those of one contender in one round; the most telling first.
    fn figures(
        &self,
        contender: &Contender,
        request: &Request,
        load: Load,
        beside: Option<&Server>,
    ) -> Result<Vec<(String, f64)>> {
        let folder = self.scratch.join(contender.name().replace([',', ' '], "-"));
        if matches!(load, Load::Start) {
            return start::measure(&self.places, contender, &folder);
        }
        if matches!(load, Load::Density) {
            return density::measure(&self.places, contender, &folder, self.sizes);
        }
        let upstream = beside.map(|server| server.port);
        let server = Server::start(&folder, |own| contender.command(&self.places, &folder, Ports { own, upstream }))?;
        let request = &Request { path: contender.path.unwrap_or(&request.path).to_owned(), ..request.clone() };
        let own: Vec<i32> = std::iter::once(&server).chain(beside).map(Server::process).collect();
        let asked = || {
            let begin = Instant::now();
            request.check(&server, &folder)?;
            let once = begin.elapsed();
            match load {
                Load::Connections(connections) => {
                    // Where one answer takes seconds, there must be some to count.
                    let time = self.time.max((once * connections * 2).min(SLOWEST));
                    if once < Duration::from_millis(500) {
                        request.load(&server, &folder, connections, Duration::from_secs(1))?;
                    }
                    let measure = || request.load(&server, &folder, connections, time);
                    quiet::measured(self.patience, &own, measure)
                }
                Load::Rate(rate) => {
                    request.load(&server, &folder, 32, Duration::from_secs(1))?;
                    let generator = self.places.built.join("open-loop");
                    let measure = || request.at_rate(&server, &generator, rate, self.time);
                    quiet::measured(self.patience, &own, measure)
                }
                Load::Syscalls | Load::Start | Load::Density => syscalls::count(&server, request, &folder, self.time),
            }
        };
        asked().with_context(|| format!("its output ends with:\n{}", server.log()))
    }

    /// hyper's hello, to be asked by guests.
    fn upstream(&self) -> Result<Server> {
        let folder = self.scratch.join("upstream");
        let hello = Contender::native(Peer::Hyper, "hyper-hello");
        Server::start(&folder, |own| hello.command(&self.places, &folder, Ports { own, upstream: None }))
    }
}

/// What one row of a section is measured under.
#[derive(Debug, Clone, Copy)]
enum Load {
    Connections(u32),
    Rate(u32),
    Start,
    Density,
    Syscalls,
}

impl Load {
    fn name(self) -> String {
        match self {
            Self::Connections(1) | Self::Syscalls => "1 connection".to_owned(),
            Self::Connections(number) => format!("{number} connections"),
            Self::Rate(rate) => format!("{rate}/s"),
            Self::Start | Self::Density => String::new(),
        }
    }
}
