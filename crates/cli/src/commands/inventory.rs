//! `coracle inventory`: reads a Node project, optionally records a run of it, and prints or writes what is worth moving.
//!
//! Options in, one call of the library, reports out. What needs a process is here and in `record`: the library starts none.

mod record;

use crate::args::{Inventory as Options, Recording};
use crate::exit::{Exit, Failure};
use crate::output;
use anyhow::Context as _;
use coracle_inventory::{Inventory, Progress, report, since};
use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::Command;

pub fn run(options: &Options) -> Result<Exit, Failure> {
    if !options.path.is_dir() {
        let text = format!("{} is no directory; name one that holds a package.json", options.path.display());
        return Err(Failure::usage(text));
    }
    for report in &options.report {
        form(report)?;
    }
    let mut read = library_options(options)?;
    // Held until the end: the recorded files are in it.
    let mut _recorded = None;
    if !options.recording.command.is_empty() {
        let recorded = record::record(&options.path, &settings(&options.recording)).map_err(Failure::mend)?;
        read.profiles.extend(recorded.profiles.iter().cloned());
        read.coverage.push(recorded.coverage.clone());
        read.heaps.extend(recorded.heaps.iter().cloned());
        read.requests.extend(recorded.requests.iter().cloned());
        _recorded = Some(recorded);
    }
    let mut inventory = coracle_inventory::run(&read, &progress());
    if let Some(revision) = &options.since {
        let changed = changed(&options.path, revision).map_err(Failure::mend)?;
        since::keep(&mut inventory, &changed);
    }
    for path in &options.report {
        let text = form(path)?(&inventory);
        std::fs::write(path, text)
            .with_context(|| format!("the report {} can't be written", path.display()))
            .map_err(Failure::mend)?;
        output::remark(&format!("wrote {}\n", path.display()));
    }
    if options.json {
        output::result(&format!("{}\n", report::json(&inventory)))?;
    } else {
        output::result(&report::table(&inventory, options.top))?;
    }
    Ok(Exit::Ok)
}

fn library_options(options: &Options) -> Result<coracle_inventory::Options, Failure> {
    let given = &options.measurements;
    let measured = match &given.measured {
        Some(path) => measured(path).map_err(Failure::mend)?,
        None => BTreeMap::new(),
    };
    Ok(coracle_inventory::Options {
        root: options.path.clone(),
        entries: options.entry.clone(),
        profiles: given.profile.clone(),
        coverage: given.coverage.clone(),
        heaps: given.heap.clone(),
        requests: Vec::new(),
        cache: if options.no_cache { None } else { cache(&options.path) },
        measured,
    })
}

fn settings(recording: &Recording) -> record::Settings {
    record::Settings { command: recording.command.clone(), drive: recording.drive.clone(), length: recording.length }
}

/// How a report is written, by its name.
fn form(path: &Path) -> Result<fn(&Inventory) -> String, Failure> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => Ok(report::html),
        Some("json") => Ok(report::json),
        Some("md") => Ok(report::markdown),
        Some("sarif") => Ok(report::sarif),
        _ => {
            let text = format!("the form of {} is not known; name it .html, .json, .md or .sarif", path.display());
            Err(Failure::usage(text))
        }
    }
}

/// Where the facts of a project are kept: in Coracle's cache, a file for each project.
fn cache(root: &Path) -> Option<PathBuf> {
    let dir = std::env::var_os("CORACLE_CACHE").map(PathBuf::from).or_else(|| {
        let base = std::env::var_os("XDG_CACHE_HOME").filter(|base| !base.is_empty()).map(PathBuf::from);
        let base = base.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
        Some(base.join("coracle"))
    })?;
    Some(dir.join("inventory").join(coracle_inventory::cache::Cache::name(root)))
}

fn measured(path: &Path) -> anyhow::Result<BTreeMap<String, f64>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} can't be read", path.display()))?;
    serde_json::from_str(&text).with_context(|| {
        format!("{} is not a table of gains, such as {{ \"route:server.js:GET /md\": 0.12 }}", path.display())
    })
}

/// What git says has changed.
fn changed(root: &Path, revision: &str) -> anyhow::Result<since::Changed> {
    let git = Command::new("git")
        .arg("-C")
        .arg(root)
        .args([
            "diff",
            "--unified=0",
            "--no-color",
            "--no-ext-diff",
            "--relative",
            "--end-of-options",
            revision,
            "--",
            ".",
        ])
        .output()
        .context("git can't be started, which --since needs")?;
    if !git.status.success() {
        let said = String::from_utf8_lossy(&git.stderr);
        anyhow::bail!("git has no difference to {revision:?}: {}", said.lines().next().unwrap_or_default());
    }
    Ok(since::changed(&String::from_utf8_lossy(&git.stdout)))
}

/// Tells how far the reading is, on a terminal only.
fn progress() -> impl Fn(Progress) + Sync {
    let shown = std::io::stderr().is_terminal();
    move |progress: Progress| {
        if shown {
            let Progress { files, waiting, lines } = progress;
            let end = if waiting == 0 { "\r\x1b[K" } else { "" };
            output::remark(&format!("\r\x1b[Kread {files} files, {lines} lines; {waiting} waiting{end}"));
        }
    }
}
