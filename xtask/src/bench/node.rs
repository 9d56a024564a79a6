//! Node's side of the comparison: a copy of bench/node outside the checkout, with its packages, with the work of the
//! TypeScript guest without its types, and with the photograph that everybody makes smaller.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::peers::run_to_end;
use crate::workspace::Workspace;

pub fn prepare(workspace: &Workspace) -> Result<PathBuf> {
    let node = workspace.target.join("bench/node");
    fs::create_dir_all(&node).with_context(|| format!("cannot create {}", node.display()))?;
    let sources = workspace.root.join("bench/node");
    let locked = |folder: &Path| fs::read(folder.join("package-lock.json")).ok();
    let installed = locked(&node) == locked(&sources) && node.join("node_modules/.package-lock.json").is_file();
    for entry in fs::read_dir(&sources).context("bench/node is missing")?.flatten() {
        if entry.path().is_file() {
            fs::copy(entry.path(), node.join(entry.file_name()))?;
        }
    }
    if !installed {
        run_to_end(Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&node))?;
    }
    let work = workspace.root.join("guests/js/bench_work/work.ts");
    let mut esbuild = Command::new(node.join("node_modules/.bin/esbuild"));
    esbuild.arg(work).args(["--outfile=work.js", "--format=esm", "--platform=node", "--target=node20"]);
    run_to_end(esbuild.arg("--log-level=warning").current_dir(&node))?;
    run_to_end(Command::new("node").args(["photo.mjs", "photo.jpg"]).current_dir(&node))?;
    Ok(node)
}
