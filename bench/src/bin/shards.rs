//! Are shards better threads or processes? Requests a second and CPU time a request of one thread, of several threads in
//! one process, and of as many processes, side by side (docs/design/001-shards.md).
//!
//! ```text
//! this program ─ for each round, case and layout ─▶ itself as worker, once or several times at the same moment
//!                                    ready ◀─ warm     go ─▶ requests until the time is up     counts ◀─
//! ```

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use clap::{Parser, Subcommand};
use coracle_bench::{Range, Rig, guest, print_table};
use coracle_host::{Engine, Settings};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};
use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Barrier;
use std::time::{Duration, Instant};

#[derive(Parser)]
struct Options {
    /// Rounds over all cases and layouts; tables show the median of them.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds that each layout runs in each round.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Threads or processes to compare with one.
    #[arg(long, default_value_t = 2)]
    shards: usize,
    /// A file for all single measurements.
    #[arg(long)]
    json: Option<PathBuf>,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Subcommand)]
enum Role {
    #[command(hide = true)]
    Worker(Work),
}

/// What one worker process does.
#[derive(clap::Args, Clone)]
struct Work {
    /// The component; without one the thread only computes.
    #[arg(long)]
    file: Option<PathBuf>,
    #[arg(long, default_value = "/")]
    path: String,
    #[arg(long)]
    reuse: u32,
    #[arg(long)]
    keep_resident: usize,
    #[arg(long)]
    threads: usize,
    #[arg(long)]
    seconds: f64,
}

fn main() -> Result<()> {
    let options = Options::parse();
    match &options.role {
        Some(Role::Worker(work)) => worker(work),
        None => compare(&options),
    }
}

struct Case {
    name: String,
    work: Work,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    One,
    Threads,
    Processes,
}

const LAYOUTS: [Layout; 3] = [Layout::One, Layout::Threads, Layout::Processes];

impl Layout {
    fn name(self) -> &'static str {
        match self {
            Self::One => "1 thread",
            Self::Threads => "threads",
            Self::Processes => "processes",
        }
    }
}

/// One layout in one round.
struct Sample {
    round: usize,
    case: usize,
    layout: Layout,
    /// Requests a second, all workers together.
    rate: f64,
    /// Microseconds of CPU a request.
    user: f64,
    system: f64,
}

fn compare(options: &Options) -> Result<()> {
    let cases = cases(options)?;
    let mut samples = Vec::new();
    for round in 0..options.rounds {
        for (index, case) in cases.iter().enumerate() {
            // The layouts of a case run one after the other, so that other load on the machine meets them alike.
            for turn in 0..LAYOUTS.len() {
                let Some(&layout) = LAYOUTS.get((turn + round) % LAYOUTS.len()) else { continue };
                let (rate, user, system) = measure(&case.work, layout, options.shards)?;
                samples.push(Sample { round, case: index, layout, rate, user, system });
            }
            eprintln!("round {} of {}: {}", round + 1, options.rounds, case.name);
        }
    }
    print_table(&table(&cases, &samples, options.shards));
    if let Some(file) = &options.json {
        std::fs::write(file, json(&cases, &samples).to_string())
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

fn cases(options: &Options) -> Result<Vec<Case>> {
    const KEEP: usize = 16 << 20;
    let case = |name: &str, request: Option<(&str, &str)>, reuse: u32, keep_resident: usize| -> Result<Case> {
        let (file, path) = match request {
            Some((name, path)) => (Some(guest(name)?), path),
            None => (None, "/"),
        };
        let work = Work { file, path: path.to_owned(), reuse, keep_resident, threads: 1, seconds: options.seconds };
        Ok(Case { name: name.to_owned(), work })
    };
    let mut cases = vec![
        case("no guest, only computing", None, 1, 0)?,
        case("p3 hello, reused", Some(("p3/hello", "/")), u32::MAX, KEEP)?,
        case("p2 hello, reused", Some(("p2/hello", "/")), u32::MAX, KEEP)?,
    ];
    // `alloc` grows its memory by a megabyte and writes to all of it: two mprotects and 256 dirty pages a request.
    for (name, guest, path) in
        [("p3 hello", "p3/hello", "/"), ("p2 hello", "p2/hello", "/"), ("p3 alloc", "p3/alloc", "/?mb=1")]
    {
        cases.push(case(&format!("{name}, fresh, pages given back"), Some((guest, path)), 1, 0)?);
        cases.push(case(&format!("{name}, fresh, pages kept"), Some((guest, path)), 1, KEEP)?);
    }
    Ok(cases)
}

/// Requests a second, and microseconds of user and system CPU a request.
fn measure(work: &Work, layout: Layout, shards: usize) -> Result<(f64, f64, f64)> {
    let (processes, threads) = match layout {
        Layout::One => (1, 1),
        Layout::Threads => (1, shards),
        Layout::Processes => (shards, 1),
    };
    let started: Result<Vec<_>> = (0..processes).map(|_| start(&Work { threads, ..work.clone() })).collect();
    let mut workers = started?;
    for (_, output) in &mut workers {
        ensure!(line(output)? == "ready", "a worker did not get ready");
    }
    for (child, _) in &mut workers {
        child.stdin.take().context("a worker has a standard input")?.write_all(b"go\n")?;
    }
    let (mut rate, mut requests, mut user, mut system) = (0.0, 0.0, 0.0, 0.0);
    for (child, output) in &mut workers {
        let counts: Vec<f64> = line(output)?.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let &[count, seconds, in_user, in_system] = counts.as_slice() else { bail!("a worker said something else") };
        ensure!(child.wait()?.success(), "a worker failed");
        rate += count / seconds;
        requests += count;
        user += in_user;
        system += in_system;
    }
    Ok((rate, user / requests, system / requests))
}

fn start(work: &Work) -> Result<(Child, BufReader<ChildStdout>)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("worker").args(["--reuse", &work.reuse.to_string()]);
    command.args(["--keep-resident", &work.keep_resident.to_string()]);
    command.args(["--path", &work.path]);
    command.args(["--threads", &work.threads.to_string(), "--seconds", &work.seconds.to_string()]);
    if let Some(file) = &work.file {
        command.arg("--file").arg(file);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().context("a worker has a standard output")?;
    Ok((child, BufReader::new(output)))
}

fn line(output: &mut BufReader<ChildStdout>) -> Result<String> {
    let mut line = String::new();
    output.read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

fn worker(work: &Work) -> Result<()> {
    let runtime = runtime()?;
    let rig = match &work.file {
        Some(file) => Some(runtime.block_on(load(file, work))?),
        None => None,
    };
    let barrier = Barrier::new(work.threads + 1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..work.threads).map(|_| scope.spawn(|| thread(rig.as_ref(), work, &barrier))).collect();
        barrier.wait();
        println!("ready");
        std::io::stdin().read_line(&mut String::new())?;
        let (start, before) = (Instant::now(), getrusage(UsageWho::RUSAGE_SELF)?);
        barrier.wait();
        let mut requests = 0;
        for thread in threads {
            requests += thread.join().map_err(|_| anyhow!("a thread panicked"))??;
        }
        let (seconds, after) = (start.elapsed().as_secs_f64(), getrusage(UsageWho::RUSAGE_SELF)?);
        let spent = |of: TimeVal, until: TimeVal| (until - of).num_microseconds();
        let user = spent(before.user_time(), after.user_time());
        let system = spent(before.system_time(), after.system_time());
        println!("{requests} {seconds} {user} {system}");
        Ok(())
    })
}

async fn load(file: &Path, work: &Work) -> Result<Rig> {
    let cache_dir = std::env::temp_dir().join(format!("coracle-bench-{}", nix::unistd::geteuid()));
    let settings = Settings { cache_dir: Some(cache_dir), keep_resident: work.keep_resident, ..Settings::default() };
    Rig::load(&Engine::new(&settings)?, file, work.reuse).await
}

/// One shard: a runtime of its own and one request after the other. Waits twice, when it is warm and for the start.
fn thread(rig: Option<&Rig>, work: &Work, barrier: &Barrier) -> Result<u64> {
    let runtime = runtime()?;
    // A failure must not keep the others waiting at the barrier.
    let warm = (0..50).try_for_each(|_| request(&runtime, rig, &work.path));
    barrier.wait();
    barrier.wait();
    warm?;
    let end = Instant::now() + Duration::from_secs_f64(work.seconds);
    let mut requests = 0;
    while Instant::now() < end {
        request(&runtime, rig, &work.path)?;
        requests += 1;
    }
    if let Some(rig) = rig {
        runtime.block_on(rig.drained());
    }
    Ok(requests)
}

fn request(runtime: &tokio::runtime::Runtime, rig: Option<&Rig>, path: &str) -> Result<()> {
    match rig {
        Some(rig) => runtime.block_on(rig.get(path)),
        None => {
            black_box((0..50_000_u64).fold(1, |sum: u64, next| black_box(sum.wrapping_mul(31).wrapping_add(next))));
            Ok(())
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

fn table(cases: &[Case], samples: &[Sample], shards: usize) -> Vec<Vec<String>> {
    let head = ["case", "1 thread", "THREADS", "PROCESSES", "THREADS ÷ 1", "PROCESSES ÷ 1"];
    let name = |text: &str| {
        text.replace("THREADS", &format!("{shards} threads")).replace("PROCESSES", &format!("{shards} processes"))
    };
    let mut rows = vec![head.map(name).to_vec()];
    for (index, case) in cases.iter().enumerate() {
        let of = |layout: Layout| samples.iter().filter(move |sample| sample.case == index && sample.layout == layout);
        let mut row = vec![case.name.clone()];
        for layout in LAYOUTS {
            let part = |value: fn(&Sample) -> f64| Range::of(of(layout).map(value));
            if let (Some(rate), Some(user), Some(system)) = (part(|s| s.rate), part(|s| s.user), part(|s| s.system)) {
                row.push(format!("{rate:.0}/s, {user:.1} + {system:.1} µs"));
            }
        }
        for layout in [Layout::Threads, Layout::Processes] {
            // A round's own single thread is what its shards are held against.
            if let Some(ratio) = Range::of(of(layout).zip(of(Layout::One)).map(|(some, one)| some.rate / one.rate)) {
                row.push(format!("**{ratio:.2}** ({:.2}–{:.2})", ratio.least, ratio.most));
            }
        }
        rows.push(row);
    }
    rows
}

fn json(cases: &[Case], samples: &[Sample]) -> serde_json::Value {
    let sample = |sample: &Sample| {
        serde_json::json!({
            "round": sample.round,
            "case": cases.get(sample.case).map(|case| &case.name),
            "layout": sample.layout.name(),
            "requests_per_second": sample.rate,
            "user_us": sample.user,
            "system_us": sample.system,
        })
    };
    samples.iter().map(sample).collect()
}
