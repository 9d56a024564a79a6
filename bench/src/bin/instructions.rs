//! Instructions a request, counted by callgrind: the same on a busy machine, so that a change in the request path shows
//! (docs/design/004-instruction-gate.md). Needs `valgrind`.
//!
//! ```text
//! this program ─ for each case, several times ─▶ valgrind ─▶ itself as worker: loads, warms up, and calls the one
//!                                                            function between whose entry and exit is counted
//! ```

use anyhow::{Context as _, Result, anyhow, ensure};
use clap::{Parser, Subcommand};
use coracle_bench::{Range, Rig, guest, print_table};
use coracle_host::{Engine, Settings};
use coracle_manifest::{Destination, Route, RouteTable, Routed, Span};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

#[derive(Parser)]
struct Options {
    /// How often each case is counted, each time in a new process.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Requests that are counted in each run.
    #[arg(long, default_value_t = 200)]
    requests: u32,
    /// Allocates each instance by itself instead of in the pool.
    #[arg(long)]
    on_demand: bool,
    /// A folder for callgrind's output, to be read with `callgrind_annotate`.
    #[arg(long)]
    keep: Option<PathBuf>,
    /// A file for all counts.
    #[arg(long)]
    json: Option<PathBuf>,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Subcommand)]
enum Role {
    #[command(hide = true)]
    Worker { case: usize },
}

struct Case {
    name: &'static str,
    work: Work,
}

/// What is counted.
enum Work {
    /// A GET that a guest answers, each of its instances so many of them.
    Guest { guest: &'static str, path: &'static str, reuse: u32 },
    /// The route of a request is looked up.
    Route,
}

/// With what takes them apart: a fresh instance against a reused one is instantiation, `kv` against `hello` a host call.
const CASES: [Case; 7] = [
    guest_case("p3 hello, fresh", "p3/hello", "/", 1),
    guest_case("p3 hello, reused", "p3/hello", "/", u32::MAX),
    guest_case("p2 hello, fresh", "p2/hello", "/", 1),
    guest_case("p2 hello, reused", "p2/hello", "/", u32::MAX),
    guest_case("p3 kv get, reused", "p3/kv", KEY, u32::MAX),
    guest_case("p2 kv get, reused", "p2/kv", KEY, u32::MAX),
    Case { name: "route among 100", work: Work::Route },
];

const fn guest_case(name: &'static str, guest: &'static str, path: &'static str, reuse: u32) -> Case {
    Case { name, work: Work::Guest { guest, path, reuse } }
}

const KEY: &str = "/s/bench/k/key";

/// Requests before counting begins: until then pages are touched and lists grow for the first time.
const WARM_UP: u32 = 50;

fn main() -> Result<()> {
    let options = Options::parse();
    match options.role {
        Some(Role::Worker { case }) => worker(&options, CASES.get(case).context("there is no such case")?),
        None => count_all(&options),
    }
}

/// Instructions in all, and those of code that belongs to no program file: what the guest was compiled to.
struct Count {
    all: f64,
    guest: f64,
}

fn count_all(options: &Options) -> Result<()> {
    let folder = options.keep.clone().unwrap_or_else(|| cache_dir().join("callgrind"));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let head = ["case", "instructions a request", "in the guest", "least", "most", "spread"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let mut json = Vec::new();
    for (index, case) in CASES.iter().enumerate() {
        let mut counts = Vec::new();
        for run in 0..options.runs {
            counts.push(count(options, index, &folder.join(format!("case-{index}-run-{run}.out")))?);
        }
        eprintln!("counted: {}", case.name);
        let range = Range::of(counts.iter().map(|count| count.all)).context("there was no run")?;
        let guest = Range::of(counts.iter().map(|count| count.guest)).context("there was no run")?;
        rows.push(vec![
            case.name.to_owned(),
            format!("{range:.0}"),
            format!("{guest:.0}"),
            format!("{:.0}", range.least),
            format!("{:.0}", range.most),
            format!("{:.2} %", range.spread()),
        ]);
        let runs: Vec<f64> = counts.iter().map(|count| count.all).collect();
        json.push(serde_json::json!({ "case": case.name, "instructions_per_request": runs, "in_guest": guest.median }));
    }
    print_table(&rows);
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::Value::from(json).to_string())
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

fn count(options: &Options, case: usize, out: &Path) -> Result<Count> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*counted_by_callgrind*"]);
    // The stacks of guests are allocated, and switched to, by the engine.
    command.args(["--max-stackframe=100000000000", "--separate-threads=no"]);
    command.arg(format!("--callgrind-out-file={}", out.display()));
    command.arg(std::env::current_exe()?).args(["--requests", &options.requests.to_string()]);
    if options.on_demand {
        command.arg("--on-demand");
    }
    command.args(["worker", &case.to_string()]);
    let done = command.output().context("valgrind does not start: install it (apt-get install valgrind)")?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "callgrind failed:\n{said}");
    let collected =
        said.lines().find_map(|line| line.split_once("Collected :")).ok_or_else(|| anyhow!("no count in:\n{said}"))?;
    let text = std::fs::read_to_string(out).with_context(|| format!("cannot read {}", out.display()))?;
    let requests = f64::from(options.requests);
    Ok(Count { all: collected.1.trim().parse::<f64>()? / requests, guest: outside_programs(&text) / requests })
}

/// The sum of costs outside of any known file in callgrind's output: `ob=` names the file that the lines below it belong
/// to, `cob=` that of a callee, and the line after `calls=` repeats what the callee has cost.
/// Format: <https://valgrind.org/docs/manual/cl-format.html>.
fn outside_programs(output: &str) -> f64 {
    let (mut outside, mut unknown, mut callee) = (false, None, false);
    let mut sum = 0.0;
    for line in output.lines() {
        if let Some((key @ ("ob" | "cob"), object)) = line.split_once('=') {
            // A name is written out once, behind its number.
            let number = object.split(' ').next().map(str::to_owned);
            if object.ends_with(" ???") {
                unknown.clone_from(&number);
            }
            if key == "ob" {
                outside = number == unknown;
            }
        } else if line.starts_with("calls=") {
            callee = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            let cost = line.split(' ').nth(1).and_then(|cost| cost.parse::<f64>().ok()).unwrap_or_default();
            sum += if outside && !callee { cost } else { 0.0 };
            callee = false;
        }
    }
    sum
}

fn worker(options: &Options, case: &Case) -> Result<()> {
    match case.work {
        Work::Guest { guest, path, reuse } => requests(options, guest, path, reuse),
        Work::Route => routes(options),
    }
}

fn requests(options: &Options, name: &str, path: &str, reuse: u32) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let settings = Settings {
        cache_dir: Some(cache_dir()),
        // Four places of 4 GiB a memory fit into what valgrind can reserve; a thousand don't.
        instances: 4,
        on_demand: options.on_demand,
        // Guests that are stopped by a clock are stopped elsewhere in each run.
        slice: Duration::from_hours(1),
        ..Settings::default()
    };
    let rig = runtime.block_on(async { Rig::load(&Engine::new(&settings)?, &guest(name)?, reuse).await })?;
    if path == KEY {
        runtime.block_on(rig.put_key(KEY))?;
    }
    let requests = |count: u32| {
        runtime.block_on(async {
            for _ in 0..count {
                rig.get(path).await?;
            }
            Ok(())
        })
    };
    requests(WARM_UP)?;
    counted_by_callgrind(&mut || requests(options.requests))
}

/// An app with a hundred routes, some of them for a host, a method, or with parameters; each request matches another one.
fn routes(options: &Options) -> Result<()> {
    let route = |index: usize| {
        let path = match index % 3 {
            0 => format!("/shop/part-{index}/*"),
            1 => format!("/shop/part-{index}/:item/price"),
            _ => format!("/about/page-{index}"),
        };
        Ok(Route {
            host: index.is_multiple_of(4).then(|| "shop.example.com".to_owned()),
            methods: if index.is_multiple_of(5) { vec!["GET".to_owned(), "POST".to_owned()] } else { Vec::new() },
            path: path.parse().map_err(|error| anyhow!("{path}: {error}"))?,
            to: Destination::Component("bench".to_owned()),
            rate: None,
            rollout: None,
            middleware: Vec::new(),
            fallback: None,
            span: Span::default(),
        })
    };
    let routes: Vec<Route> = (0..100).map(route).collect::<Result<_>>()?;
    let (table, conflicts) = RouteTable::new(&routes);
    ensure!(conflicts.is_empty(), "the routes conflict");
    let paths: Vec<String> = routes.iter().map(|route| route.path.to_string().replace([':', '*'], "x")).collect();
    let find = |count: u32| {
        for path in paths.iter().cycle().take(count as usize) {
            let found = std::hint::black_box(table.find("shop.example.com", "GET", path));
            ensure!(matches!(found, Routed::Found { .. }), "{path} has no route");
        }
        Ok(())
    };
    find(WARM_UP)?;
    counted_by_callgrind(&mut || find(options.requests))
}

/// Its name is what callgrind looks for. It must hold no code of its own, for what is inlined or nested here would have
/// its name, too.
#[inline(never)]
fn counted_by_callgrind(work: &mut dyn FnMut() -> Result<()>) -> Result<()> {
    work()
}

fn cache_dir() -> PathBuf {
    // Not the cache of `shards`: valgrind knows fewer of the processor's instructions, so other code is compiled.
    std::env::temp_dir().join(format!("coracle-instructions-{}", nix::unistd::geteuid()))
}

#[cfg(test)]
mod tests {
    use super::outside_programs;

    #[test]
    fn only_own_costs_outside_of_files_are_summed() {
        let output = "events: Ir\nob=(1) /bin/a\nfn=(1) main\n10 5\ncob=(2) ???\ncfn=(2) 0x1\ncalls=1 0\n10 100\n\
                      ob=(2)\nfn=(2)\n0 7\ncalls=1 0\n0 50\n+3 2\ncob=(1)\ncalls=1 0\n* 9\nob=(1)\nfn=(3)\n1 1\nob=(2)\nfn=(2)\n* 4\nsummary: 19\n";
        assert_eq!(outside_programs(output), 13.0);
    }
}
