//! `cargo xtask bench peers`: builds and installs the contenders, measures them by turns, prints tables, writes the JSON.
//!
//! In each round each contender is started anew, asked once whether its answer is right, warmed up, measured and ended, and
//! the rounds follow each other: what changes on the machine meanwhile meets all of them. Only numbers of one section are
//! comparable.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};

use super::contender::{Contender, Peer, Places, Program, Reuse};
use super::install;
use super::load::{Expect, Request};
use super::results::{Origin, Results, Row, Section};
use super::server::Server;
use super::tables;
use crate::accept::groups;
use crate::tools;
use crate::workspace::Workspace;

#[derive(Args)]
pub struct Options {
    /// The cases; all by default
    pub cases: Vec<Case>,
    /// Only these contenders, separated by commas
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
    /// How long each time [default: 5, with --quick 2]
    #[arg(long)]
    pub seconds: Option<u64>,
    /// Coracle's shards [default: one a core]
    #[arg(long)]
    pub shards: Option<u16>,
    /// Build nothing: measure the programs that are there
    #[arg(long)]
    pub no_build: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Case {
    /// `hello`, WASI 0.2 and 0.3, fresh and reused, 32 connections
    Hello,
}

/// What the measurements of one call have in common.
struct Bench {
    places: Places,
    /// For whatever contenders write.
    scratch: PathBuf,
    rounds: usize,
    time: Duration,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    groups::end_on_signal()?;
    tools::system()?;
    let places = prepare(workspace, options)?;
    let bench = Bench {
        scratch: workspace.target.join("bench"),
        rounds: options.rounds.unwrap_or(if options.quick { 3 } else { 5 }),
        time: Duration::from_secs(options.seconds.unwrap_or(if options.quick { 2 } else { 5 })),
        places,
    };
    let file = if options.quick {
        bench.scratch.join("peers-quick.json")
    } else {
        workspace.root.join("bench/results/peers.json")
    };
    let mut results = Results::read(&file)?;
    let cases = Case::value_variants().iter().copied();
    for case in cases.filter(|case| options.cases.is_empty() || options.cases.contains(case)) {
        let section = Section { origin: origin(&bench.places)?, rows: bench.measure(case, options)? };
        println!("\n{}\n{}", name(case), tables::throughput(&section));
        results.sections.insert(name(case), section);
        results.write(&file)?;
    }
    println!("written: {}", file.display());
    Ok(())
}

fn name(case: Case) -> String {
    case.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn prepare(workspace: &Workspace, options: &Options) -> Result<Places> {
    let release = workspace.target.join("release");
    if !options.no_build {
        // Together, so that both need the same features of what they depend on.
        let mut cargo = Command::new("cargo");
        cargo.args(["build", "--release", "--locked", "--package", "coracle", "--package", "coracle-bench"]);
        run_to_end(cargo.args(["--bin", "coracle", "--bin", "hyper-hello"]).current_dir(&workspace.root))?;
        let own = std::env::current_exe().context("this program can't be found")?;
        run_to_end(Command::new(own).args(["guests", "p3", "p2"]).current_dir(&workspace.root))?;
    }
    Ok(Places {
        root: workspace.root.clone(),
        release,
        guests: workspace.target.join("guests"),
        wasmtime: install::program(&install::WASMTIME)?,
        wash: install::program(&install::WASH)?,
    })
}

fn run_to_end(command: &mut Command) -> Result<()> {
    let shown = format!("{:?}", command).replace('"', "");
    let status = command.status().with_context(|| format!("cannot start `{shown}`"))?;
    ensure!(status.success(), "`{shown}` failed ({status})");
    Ok(())
}

impl Bench {
    fn measure(&self, case: Case, options: &Options) -> Result<Vec<Row>> {
        let (request, contenders) = match case {
            Case::Hello => (hello_request(), hello()),
        };
        let mut rows: Vec<(Contender, Row)> = Vec::new();
        for mut contender in contenders {
            contender.shards = options.shards;
            let row = Row { contender: contender.name(), connections: 32, samples: Vec::new() };
            let asked = options.only.is_empty() || options.only.contains(&contender.peer);
            if asked && options.matching.as_ref().is_none_or(|text| row.contender.contains(text)) {
                rows.push((contender, row));
            }
        }
        for round in 1..=self.rounds {
            for (contender, row) in &mut rows {
                let sample = self.sample(contender, &request, row.connections);
                let sample = sample.with_context(|| format!("{} in {}", row.contender, name(case)))?;
                eprintln!(
                    "{} {round}/{}: {:32} {:>8.0}/s {:>7.1} µs",
                    name(case),
                    self.rounds,
                    row.contender,
                    sample.requests_per_second,
                    sample.cpu_us
                );
                row.samples.push(sample);
            }
        }
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    fn sample(&self, contender: &Contender, request: &Request, connections: u32) -> Result<super::results::Sample> {
        let folder = self.scratch.join(contender.name().replace([',', ' '], "-"));
        let server = Server::start(&folder, |port| {
            contender.furnish(&self.places, &folder, port)?;
            Ok(contender.command(&self.places, port))
        })?;
        let asked = |server: &Server| {
            request.check(server, &folder)?;
            request.load(server, &folder, connections, Duration::from_secs(1))?;
            request.load(server, &folder, connections, self.time)
        };
        asked(&server).with_context(|| format!("its output ends with:\n{}", server.log()))
    }
}

fn hello_request() -> Request {
    Request { path: "/".to_owned(), headers: vec![], body: None, expect: Expect::Exactly(b"hello\n".to_vec()) }
}

fn hello() -> Vec<Contender> {
    let mut contenders = vec![
        Contender { peer: Peer::Hyper, program: Program::Native("hyper-hello"), shards: None },
        Contender { peer: Peer::Node, program: Program::Script("hello.mjs"), shards: None },
    ];
    for guest in ["p3/hello", "p2/hello"] {
        for reuse in [Reuse::Reused, Reuse::Fresh] {
            contenders.extend([Peer::Wasmtime, Peer::Coracle].map(|peer| Contender::guest(peer, guest, reuse)));
        }
        contenders.push(Contender::guest(Peer::Wash, guest, Reuse::Fresh));
    }
    contenders
}

fn origin(places: &Places) -> Result<Origin> {
    let said = |program: &Path, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).stdin(std::process::Stdio::null()).output();
        let output = output.with_context(|| format!("cannot start {}", program.display()))?;
        Ok::<_, anyhow::Error>(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let mut versions = BTreeMap::new();
    versions.insert("coracle".to_owned(), said(&places.release.join("coracle"), &["--version"])?);
    versions.insert("wasmtime serve".to_owned(), said(&places.wasmtime, &["--version"])?);
    versions.insert("wash dev".to_owned(), said(&places.wash, &["--version"])?);
    versions.insert("node".to_owned(), said(Path::new("node"), &["--version"])?);
    versions.insert("rustc".to_owned(), said(Path::new("rustc"), &["--version"])?);
    versions.insert("load".to_owned(), said(Path::new("wrk"), &["-v"])?.lines().next().unwrap_or_default().to_owned());
    let git = |arguments: &[&str]| {
        let all: Vec<&str> = [&["-C", places.root.to_str().unwrap_or(".")], arguments].concat();
        said(Path::new("git"), &all)
    };
    let changed = if git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty() { "" } else { ", changed" };
    Ok(Origin {
        command: format!("cargo xtask {}", std::env::args().skip(1).collect::<Vec<_>>().join(" ")),
        date: said(Path::new("date"), &["--utc", "+%Y-%m-%d %H:%M UTC"])?,
        revision: git(&["rev-parse", "--short=10", "HEAD"])? + changed,
        machine: machine(&said(Path::new("uname"), &["-sr"])?),
        versions,
    })
}

fn machine(kernel: &str) -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models = cpus.lines().filter_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let models: Vec<&str> = models.map(|(_, model)| model).collect();
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib: u64 = memory.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or_default();
    format!("{} × {}, {} GiB, {kernel}", models.len(), models.first().unwrap_or(&"CPU"), kib.div_ceil(1 << 20))
}
