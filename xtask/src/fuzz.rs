//! `cargo xtask fuzz TARGET`: builds a target of `fuzz/` with the stable compiler and runs libFuzzer on it.
//!
//! cargo-fuzz wants a nightly compiler for sanitizers; coverage, which is all that libFuzzer needs, is a pass of LLVM that every
//! compiler has. It is switched on for our own crates: this program is cargo's `RUSTC_WRAPPER` meanwhile. What is found lies in
//! `<target>/fuzz/TARGET/`, and running the same command with `--input FILE` shows it again.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use crate::workspace::Workspace;

/// Set while this program stands before the compiler.
const WRAPPING: &str = "CORACLE_FUZZ_RUSTC";
/// As cargo-fuzz switches coverage on, without a sanitizer.
const COVERAGE: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

#[derive(clap::Args)]
pub struct Options {
    target: Target,
    /// Stop after so many runs; without it, when something is found
    #[arg(long)]
    runs: Option<u64>,
    /// Run this input only
    #[arg(long)]
    input: Option<PathBuf>,
    /// Further options of libFuzzer, such as -max_total_time=60
    #[arg(last = true)]
    more: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Target {
    /// The admission of components
    Artifact,
    /// The inventory of a Node project
    Inventory,
    /// The check of a manifest
    Manifest,
    /// The pool, driven by random schedules; needs `cargo xtask guests p3`
    Pool,
    /// The route of a request
    Route,
}

impl Target {
    fn name(self) -> &'static str {
        match self {
            Self::Artifact => "artifact",
            Self::Inventory => "inventory",
            Self::Manifest => "manifest",
            Self::Pool => "pool",
            Self::Route => "route",
        }
    }

    /// Where inputs to begin with lie in the checkout.
    fn seeds(self) -> &'static [&'static str] {
        match self {
            Self::Artifact => &["crates/artifact/tests/fixtures"],
            Self::Inventory => &["crates/inventory/tests/corpus"],
            Self::Manifest => &["crates/manifest/tests/good", "crates/manifest/tests/broken"],
            Self::Pool | Self::Route => &[],
        }
    }

    /// Bytes of an input: what is longer only takes longer.
    fn longest(self) -> u32 {
        match self {
            Self::Artifact | Self::Inventory | Self::Manifest => 4096,
            Self::Route => 512,
            Self::Pool => 99,
        }
    }
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let (target, name) = (options.target, options.target.name());
    let fuzz = workspace.root.join("fuzz");
    let output = workspace.target.join("fuzz");
    let mut build = Command::new("cargo");
    build.args(["build", "--locked", "--bin", name, "--manifest-path"]).arg(fuzz.join("Cargo.toml"));
    build.arg("--target-dir").arg(&output).env("RUSTC_WRAPPER", std::env::current_exe()?).env(WRAPPING, "1");
    if matches!(target, Target::Pool) {
        build.args(["--features", "pool"]);
    }
    ensure!(build.status().context("cargo does not start")?.success(), "fuzz target {name} does not build");
    let found = output.join(name);
    let corpus = found.join("corpus");
    std::fs::create_dir_all(&corpus).with_context(|| format!("cannot create {}", corpus.display()))?;
    let mut fuzzer = Command::new(output.join("debug").join(name));
    fuzzer.arg(format!("-artifact_prefix={}/", found.display())).arg("-rss_limit_mb=4096").arg("-timeout=60");
    fuzzer.env("CORACLE_GUESTS", workspace.target.join("guests"));
    match &options.input {
        Some(input) => drop(fuzzer.arg(input)),
        None => {
            // Long inputs from the beginning: a schedule with no visit finds nothing.
            fuzzer.arg(format!("-max_len={}", target.longest())).arg("-len_control=0");
            fuzzer.args(options.runs.map(|runs| format!("-runs={runs}"))).args(&options.more).arg(&corpus);
            fuzzer.args(target.seeds().iter().map(|folder| workspace.root.join(folder)));
        }
    }
    let status = fuzzer.status().with_context(|| format!("{name} does not start"))?;
    ensure!(status.success(), "{name}: found something, see above; the input is in {}", found.display());
    Ok(())
}

/// Stands before the compiler when this program was started for that: runs it, with coverage for our own crates.
pub fn wrap() -> Option<ExitCode> {
    std::env::var_os(WRAPPING)?;
    let mut arguments = std::env::args_os().skip(1);
    let mut compiler = Command::new(arguments.next()?);
    let arguments: Vec<OsString> = arguments.collect();
    compiler.args(&arguments).env_remove(WRAPPING);
    if std::env::var_os("CARGO_MANIFEST_DIR").is_some_and(|dir| is_ours(Path::new(&dir))) {
        compiler.args(COVERAGE);
    }
    let code = compiler.status().ok()?.code().unwrap_or(1);
    Some(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// Packages of the registry lie elsewhere; a build script has no fuzzer to report to, and none of ours has one.
fn is_ours(package: &Path) -> bool {
    let fuzz = Path::new("fuzz");
    package.ends_with(fuzz) || package.parent().is_some_and(|folder| folder.ends_with("crates"))
}

#[cfg(test)]
mod tests {
    use super::is_ours;
    use std::path::Path;

    #[test]
    fn our_own_crates_are_covered_and_no_others() {
        assert!(is_ours(Path::new("/src/coracle/crates/host")));
        assert!(is_ours(Path::new("/src/coracle/fuzz")));
        assert!(!is_ours(Path::new("/cargo/registry/src/index/libfuzzer-sys-0.4.13")));
    }
}
