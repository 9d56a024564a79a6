//! `cargo xtask bench gate`: instructions a request, counted by callgrind in a release build, held against
//! bench/instructions.json (docs/design/004-instruction-gate.md). More than 2 % above or below fails; so does a baseline
//! that other compilers or guests have made, for then nothing can be compared. `--bless` writes it anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};

use super::origin::said;
use super::peers::run_to_end;
use super::results::Range;
use super::tables;
use crate::tools;
use crate::workspace::Workspace;

/// Percent by which a count may differ from the baseline.
const TOLERATED: f64 = 2.0;

#[derive(Args)]
pub struct Options {
    /// Write the counts to bench/instructions.json instead of comparing
    #[arg(long)]
    pub bless: bool,
    /// Count in a build that shares its dependencies with the tests: other numbers than a release's, in minutes less
    #[arg(long)]
    pub quick: bool,
    /// Pass, and say so, where nothing can be compared because other versions made the code or the guests
    #[arg(long, conflicts_with = "bless")]
    pub if_comparable: bool,
    /// A folder for callgrind's output, to be read with `callgrind_annotate`
    #[arg(long)]
    pub keep: Option<PathBuf>,
}

/// What bench/instructions.json holds.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Baseline {
    /// Versions of what makes and counts the code, and the digests of the guests.
    made_with: BTreeMap<String, String>,
    /// The median of a few runs, a case, in a release build.
    instructions: BTreeMap<String, f64>,
    /// The same in the build of `--quick`.
    quick: BTreeMap<String, f64>,
}

impl Baseline {
    fn cases(&mut self, quick: bool) -> &mut BTreeMap<String, f64> {
        if quick { &mut self.quick } else { &mut self.instructions }
    }
}

/// One case as `instructions --json` writes it.
#[derive(Deserialize)]
struct Counted {
    case: String,
    instructions_per_request: Vec<f64>,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    ensure!(tools::has("valgrind"), "valgrind is missing. On Debian: `sudo apt-get install valgrind`");
    let file = workspace.root.join("bench/instructions.json");
    let own = std::env::current_exe().context("this program can't be found")?;
    run_to_end(Command::new(own).args(["guests", "p3", "p2"]).current_dir(&workspace.root))?;
    let made_with = made_with(workspace)?;
    let text = fs::read_to_string(&file).context("there is no bench/instructions.json")?;
    let mut baseline: Baseline = serde_json::from_str(&text).with_context(|| file.display().to_string())?;
    if !options.bless {
        // Before minutes are spent on it.
        match comparable(&baseline.made_with, &made_with) {
            Err(error) if options.if_comparable => {
                println!("NOT COMPARED: {error:#}");
                return Ok(());
            }
            compared => compared?,
        }
    }
    let counted = count(workspace, options)?;
    let (table, failures) = compare(baseline.cases(options.quick), &counted);
    println!("{table}");
    if options.bless {
        if baseline.made_with != made_with {
            // What was counted of other things is no baseline for these.
            baseline = Baseline { made_with, ..Baseline::default() };
        }
        *baseline.cases(options.quick) = counted;
        fs::write(&file, serde_json::to_string_pretty(&baseline)? + "\n").context("the baseline can't be written")?;
        println!("written: bench/instructions.json");
        return Ok(());
    }
    ensure!(
        failures.is_empty(),
        "{}. Which functions have grown is said by `cargo xtask bench gate --keep DIR` and `callgrind_annotate`; if it must \
         be so, or if it became less, `cargo xtask bench gate --bless` in the same commit",
        failures.join("; ")
    );
    Ok(())
}

fn count(workspace: &Workspace, options: &Options) -> Result<BTreeMap<String, f64>> {
    let mut cargo = Command::new("cargo");
    // With coracle, so that what both depend on is built with the features it has in use.
    cargo.args(["build", "--locked", "--package", "coracle", "--package", "coracle-bench", "--bin", "instructions"]);
    let build = if options.quick { "debug" } else { "release" };
    match options.quick {
        true => cargo.args(["--config", "profile.dev.opt-level=2"]),
        false => cargo.arg("--release"),
    };
    run_to_end(cargo.current_dir(&workspace.root))?;
    let json = workspace.target.join("bench/instructions.json");
    fs::create_dir_all(workspace.target.join("bench"))?;
    let mut instructions = Command::new(workspace.target.join(build).join("instructions"));
    instructions.arg("--json").arg(&json);
    if let Some(keep) = &options.keep {
        instructions.arg("--keep").arg(keep);
    }
    run_to_end(&mut instructions)?;
    let text = fs::read_to_string(&json).with_context(|| format!("cannot read {}", json.display()))?;
    let counted: Vec<Counted> = serde_json::from_str(&text).context("the counts are not as expected")?;
    let median = |counted: Counted| {
        let range = Range::of(&counted.instructions_per_request).context("nothing was counted")?;
        Ok((counted.case, range.median.round()))
    };
    counted.into_iter().map(median).collect()
}

fn made_with(workspace: &Workspace) -> Result<BTreeMap<String, String>> {
    let mut versions = BTreeMap::new();
    versions.insert("rustc".to_owned(), said(Path::new("rustc"), &["--version"])?);
    versions.insert("valgrind".to_owned(), said(Path::new("valgrind"), &["--version"])?);
    let lock = fs::read_to_string(workspace.root.join("Cargo.lock")).context("there is no Cargo.lock")?;
    versions.insert("wasmtime".to_owned(), locked(&lock, "wasmtime").context("Cargo.lock has no wasmtime")?);
    // Guests are compiled for the processor at hand.
    let processors = fs::read_to_string("/proc/cpuinfo").context("no processor is described")?;
    versions.insert("processor".to_owned(), processor(&processors));
    for guest in ["p3/hello", "p2/hello", "p3/kv", "p2/kv"] {
        let file = workspace.target.join("guests").join(format!("{guest}.wasm")).display().to_string();
        let digest = said(Path::new("sha256sum"), &[&file])?;
        let digest = digest.split(' ').next().filter(|digest| digest.len() == 64);
        let digest = digest.with_context(|| format!("sha256sum says no digest of {file}"))?;
        versions.insert(guest.to_owned(), format!("sha256:{digest}"));
    }
    Ok(versions)
}

/// The kind of the first processor in a `/proc/cpuinfo`.
fn processor(text: &str) -> String {
    let field = |name: &str| {
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        fields
            .filter(|(key, _)| key.trim() == name)
            .map(|(_, value)| value.trim().to_owned())
            .next()
            .unwrap_or_default()
    };
    ["model name", "cpu family", "model"].map(field).join(", ")
}

/// The version of a package in a Cargo.lock.
fn locked(lock: &str, package: &str) -> Option<String> {
    let lock: toml::Table = lock.parse().ok()?;
    let packages = lock.get("package")?.as_array()?;
    let found = packages.iter().find(|it| it.get("name").and_then(toml::Value::as_str) == Some(package))?;
    found.get("version")?.as_str().map(str::to_owned)
}

fn comparable(baseline: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Result<()> {
    let names = baseline.keys().chain(now.keys()).collect::<std::collections::BTreeSet<_>>();
    let absent = "nothing".to_owned();
    let differ = names.into_iter().filter(|name| baseline.get(*name) != now.get(*name)).map(|name| {
        let (then, now) = (baseline.get(name).unwrap_or(&absent), now.get(name).unwrap_or(&absent));
        format!("{name} was {then} and is {now}")
    });
    let differ: Vec<String> = differ.collect();
    ensure!(
        differ.is_empty(),
        "can't compare with bench/instructions.json: {}. Use what it names, or make a new baseline in a commit that changes \
         nothing else: `cargo xtask bench gate --bless`",
        differ.join("; ")
    );
    Ok(())
}

/// A table, and a sentence for each case that differs too much.
fn compare(baseline: &BTreeMap<String, f64>, counted: &BTreeMap<String, f64>) -> (String, Vec<String>) {
    let mut table = vec![["case", "instructions", "baseline", "change"].map(str::to_owned).to_vec()];
    let mut failures = Vec::new();
    for (case, count) in counted {
        let before = baseline.get(case).copied();
        let change = before.map(|before| (count / before - 1.0) * 100.0);
        table.push(vec![
            case.clone(),
            format!("{count:.0}"),
            before.map_or("none".to_owned(), |before| format!("{before:.0}")),
            change.map_or(String::new(), |change| format!("{change:+.2} %")),
        ]);
        match change {
            Some(change) if change.abs() <= TOLERATED => {}
            Some(change) if change > 0.0 => failures.push(format!("{case}: {change:.1} % more than the baseline")),
            Some(change) => failures.push(format!("{case}: {:.1} % less than the baseline, lower it", -change)),
            None => failures.push(format!("{case} is not in the baseline")),
        }
    }
    let gone = baseline.keys().filter(|case| !counted.contains_key(*case));
    failures.extend(gone.map(|case| format!("{case} is counted no more")));
    (tables::markdown(&table), failures)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn counts(cases: &[(&str, f64)]) -> BTreeMap<String, f64> {
        cases.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn two_percent_are_tolerated_in_both_directions() {
        let baseline = counts(&[("a", 1000.0), ("b", 1000.0), ("c", 1000.0), ("d", 1000.0), ("gone", 1.0)]);
        let now = counts(&[("a", 1019.0), ("b", 1021.0), ("c", 981.0), ("d", 970.0), ("new", 1.0)]);
        let (_, failures) = compare(&baseline, &now);
        let expected = [
            "b: 2.1 % more than the baseline",
            "d: 3.0 % less than the baseline, lower it",
            "new is not in the baseline",
            "gone is counted no more",
        ];
        assert_eq!(failures, expected);
        assert!(compare(&baseline, &baseline).1.is_empty());
    }

    #[test]
    fn nothing_is_compared_with_what_others_have_made() {
        let with = |version: &str| BTreeMap::from([("rustc".to_owned(), version.to_owned())]);
        assert!(comparable(&with("1"), &with("1")).is_ok());
        let error = comparable(&with("1"), &with("2")).unwrap_err().to_string();
        assert!(error.contains("rustc was 1 and is 2"), "{error}");
        assert!(comparable(&with("1"), &BTreeMap::new()).is_err());
    }

    #[test]
    fn the_first_processor_is_named() {
        let text =
            "processor\t: 0\ncpu family\t: 6\nmodel\t\t: 143\nmodel name\t: Some CPU\n\nprocessor\t: 1\nmodel\t\t: 7\n";
        assert_eq!(processor(text), "Some CPU, 6, 143");
    }

    #[test]
    fn versions_are_read_from_the_lock_file() {
        let lock = "version = 4\n[[package]]\nname = \"a\"\nversion = \"1.2.3\"\n";
        assert_eq!(locked(lock, "a").unwrap(), "1.2.3");
        assert_eq!(locked(lock, "b"), None);
    }
}
