//! Where numbers come from: the command, the day, the state of the sources, the machine, and the versions of all programs.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::contender::Places;
use super::results::Origin;

/// `built` says whether the programs were made of the sources just now; else nobody knows which state they are.
pub fn find(places: &Places, built: bool) -> Result<Origin> {
    let first = |text: String| text.lines().next().unwrap_or_default().to_owned();
    let mut versions = BTreeMap::new();
    for (name, program, argument) in [
        ("Coracle", places.built.join("coracle").as_path(), "--version"),
        ("wasmtime serve", &places.wasmtime, "--version"),
        ("wash dev", &places.wash, "--version"),
        ("Node", Path::new("node"), "--version"),
        ("rustc", Path::new("rustc"), "--version"),
        ("wrk", Path::new("wrk"), "-v"),
    ] {
        versions.insert(name.to_owned(), first(said(program, &[argument])?));
    }
    let root = places.root.display().to_string();
    let git = |arguments: &[&str]| said(Path::new("git"), &[&["-C", &root], arguments].concat());
    let changed = if git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty() { "" } else { " and changes" };
    Ok(Origin {
        command: format!("cargo xtask {}", std::env::args().skip(1).collect::<Vec<_>>().join(" ")),
        date: said(Path::new("date"), &["--utc", "+%Y-%m-%d %H:%M UTC"])?,
        revision: if built {
            git(&["rev-parse", "--short=10", "HEAD"])? + changed
        } else {
            "an earlier build, state unknown".to_owned()
        },
        machine: machine(&said(Path::new("uname"), &["-sr"])?),
        versions,
    })
}

/// Standard output, without the end of its last line. The status doesn't matter: wrk ends with 1 after its version.
pub fn said(program: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot start {}", program.display()))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn machine(kernel: &str) -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models = cpus.lines().filter_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let models: Vec<&str> = models.map(|(_, model)| model).collect();
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib: u64 = memory.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or_default();
    format!("{} × {}, {} GiB, {kernel}", models.len(), models.first().unwrap_or(&"CPU"), kib.div_ceil(1 << 20))
}
