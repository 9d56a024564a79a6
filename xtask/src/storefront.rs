//! `cargo xtask storefront`: builds examples/storefront and serves it with this checkout's coracle.
//!
//! Components come from coracle-toolchain, so that it also works where rustup has no WebAssembly target; they are put where the
//! example's own build commands put them. What is up to date is left alone. Arguments go to `coracle up`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use coracle_toolchain::{Cache, Guest, Progress, build, seconds};
use walkdir::WalkDir;

use crate::place::place;
use crate::workspace::Workspace;

/// Each component's folder, and where coracle.toml looks for it.
const COMPONENTS: [(&str, &str); 2] = [
    ("components/price", "components/price/target/wasm32-wasip2/release/price.wasm"),
    ("components/describe", "components/describe/dist/describe.wasm"),
];

pub fn run(workspace: &Workspace, build_only: bool, arguments: &[String]) -> Result<()> {
    let begin = Instant::now();
    let shop = workspace.root.join("examples/storefront");
    let cache = Cache::find()?;
    for (folder, to) in COMPONENTS {
        let built = build(&cache, &Guest::detect(&shop.join(folder))?, Progress::Shown)?;
        let component = built.first().with_context(|| format!("{folder} made no component"))?;
        place(&component.wasm, &shop.join(to))?;
        println!("{folder}: {}", if component.cached { "cached" } else { "built" });
    }
    front_end(&shop)?;
    println!("storefront is built after {}", seconds(begin.elapsed()));
    if build_only {
        return Ok(());
    }
    serve(workspace, &shop, arguments)
}

/// Packages of the server, and the pages Vite makes.
fn front_end(shop: &Path) -> Result<()> {
    let lock = shop.join("package-lock.json");
    // npm writes this file when it is done.
    if modified(&shop.join("node_modules/.package-lock.json")) < modified(&lock) {
        npm(shop, &["ci", "--no-audit", "--no-fund"])?;
    }
    let newest = [shop.join("web"), lock].iter().filter_map(|path| newest(path)).max();
    if modified(&shop.join("web/dist/index.html")) < newest {
        npm(shop, &["run", "build"])?;
    }
    Ok(())
}

/// When the file was last written; none, which is before all times, when it isn't there.
fn modified(file: &Path) -> Option<SystemTime> {
    file.metadata().and_then(|meta| meta.modified()).ok()
}

/// The last time a source below `dir` was written.
fn newest(dir: &Path) -> Option<SystemTime> {
    let sources = WalkDir::new(dir).into_iter().filter_entry(|entry| entry.file_name() != "dist");
    sources.flatten().filter(|entry| entry.file_type().is_file()).filter_map(|entry| modified(entry.path())).max()
}

fn npm(shop: &Path, arguments: &[&str]) -> Result<()> {
    let shown = format!("npm {}", arguments.join(" "));
    println!("{shown}");
    let status = Command::new("npm").args(arguments).current_dir(shop).status();
    let status = status.with_context(|| format!("cannot start `{shown}`: install Node.js with npm"))?;
    ensure!(status.success(), "`{shown}` failed in {} ({status})", shop.display());
    Ok(())
}

/// Builds coracle and becomes `coracle up`, so that signals reach it.
fn serve(workspace: &Workspace, shop: &Path, arguments: &[String]) -> Result<()> {
    let status =
        Command::new("cargo").args(["build", "--package", "coracle", "--locked"]).current_dir(&workspace.root).status();
    ensure!(status.context("cannot start cargo")?.success(), "`cargo build --package coracle` failed");
    let program: PathBuf = workspace.target.join("debug/coracle");
    let mut coracle = Command::new(&program);
    coracle.arg("up").args(arguments).current_dir(shop);
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        // Returns only when it failed.
        Err(coracle.exec()).with_context(|| format!("cannot start {}", program.display()))
    }
    #[cfg(not(unix))]
    {
        let status = coracle.status().with_context(|| format!("cannot start {}", program.display()))?;
        ensure!(status.success(), "coracle ended with {status}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_missing_is_older_than_everything() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("dist")).unwrap();
        assert_eq!(newest(dir.path()), None);
        std::fs::write(dir.path().join("dist/out.js"), "").unwrap();
        assert_eq!(newest(dir.path()), None);
        std::fs::write(dir.path().join("in.ts"), "").unwrap();
        assert!(modified(&dir.path().join("dist/index.html")) < newest(dir.path()));
    }
}
