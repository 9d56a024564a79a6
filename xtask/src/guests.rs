//! `cargo xtask guests [set…]`: builds the test guests and puts them at `<target>/guests/<set>/<name>.wasm`.
//!
//! The work is coracle-toolchain's; here guests are discovered and results linked. A guest whose source is gone disappears
//! from the target directory too, so that no test runs against a ghost. Tests find guests through coracle-testkit.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use coracle_toolchain::{Cache, Guest, Progress, Target, build, seconds};

use crate::place;
use crate::workspace::Workspace;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Set {
    /// Rust, WASI 0.3
    P3,
    /// Rust, WASI 0.2
    P2,
    /// Rust, with names and line tables
    Named,
    /// Rust, the last release candidate of WASI 0.3
    Rc,
    /// JavaScript and TypeScript, WASI 0.2
    Js,
    /// Python, WASI 0.3
    Py,
}

impl Set {
    pub const ALL: [Self; 6] = [Self::P3, Self::P2, Self::Named, Self::Rc, Self::Js, Self::Py];

    /// The folder's name, under `guests/` as in the target directory.
    pub fn name(self) -> &'static str {
        match self {
            Self::P3 => "p3",
            Self::P2 => "p2",
            Self::Named => "named",
            Self::Rc => "rc",
            Self::Js => "js",
            Self::Py => "py",
        }
    }
}

pub fn run(workspace: &Workspace, sets: &[Set]) -> Result<()> {
    let begin = Instant::now();
    let sets: BTreeSet<Set> = if sets.is_empty() { Set::ALL.into() } else { sets.iter().copied().collect() };
    let cache = Cache::find()?;
    let mut failed = Vec::new();
    let mut count = 0;
    for set in sets {
        match build_set(workspace, &cache, set) {
            Ok(built) => count += built,
            // The other sets need other compilers: show all that is wrong at once.
            Err(error) => failed.push(format!("guests/{}: {error:#}", set.name())),
        }
    }
    if !failed.is_empty() {
        bail!("{}", failed.join("\n\n"));
    }
    println!("{count} guests in {} after {}", workspace.target.join("guests").display(), seconds(begin.elapsed()));
    Ok(())
}

/// Builds and places one set; returns how many guests it has.
fn build_set(workspace: &Workspace, cache: &Cache, set: Set) -> Result<usize> {
    let place = workspace.target.join("guests").join(set.name());
    fs::create_dir_all(&place).with_context(|| format!("cannot create {}", place.display()))?;
    let mut names = BTreeSet::new();
    for guest in sources(&workspace.root, set)? {
        for built in build(cache, &guest, Progress::Shown)? {
            place::place(&built.wasm, &place.join(format!("{}.wasm", built.name)))?;
            let size = fs::metadata(&built.wasm).map_or(0, |meta| meta.len());
            let state = if built.cached { "cached" } else { "built" };
            println!("{:24} {:>9} KiB  {state}", format!("{}/{}", set.name(), built.name), size.div_ceil(1024));
            names.insert(built.name);
        }
    }
    sweep(&place, &names)?;
    Ok(names.len())
}

/// The set's guests: one package for Rust, a folder each for the others. A set that isn't there is empty.
pub fn sources(root: &Path, set: Set) -> Result<Vec<Guest>> {
    let dir = root.join("guests").join(set.name());
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    match set {
        Set::P3 | Set::P2 | Set::Named | Set::Rc => Ok(vec![Guest::Rust { dir, target: Target::Wasip2 }]),
        Set::Js => Ok(folders(&dir)?.into_iter().map(|dir| Guest::JavaScript { dir }).collect()),
        Set::Py => Ok(folders(&dir)?.into_iter().map(|dir| Guest::Python { dir }).collect()),
    }
}

/// The names of the set's guests, read from the sources alone.
pub fn names(root: &Path, set: Set) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for guest in sources(root, set)? {
        match guest {
            Guest::Rust { dir, .. } => names.extend(examples(&dir)?),
            other => names.push(other.name()),
        }
    }
    Ok(names)
}

fn examples(dir: &Path) -> Result<Vec<String>> {
    let examples = dir.join("examples");
    if !examples.is_dir() {
        return Ok(Vec::new());
    }
    let files = entries(&examples)?.into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs"));
    Ok(files.filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect())
}

/// The folders of guests: those that hold sources at the top, so that a shared `wit` or `node_modules` isn't taken for one.
fn folders(dir: &Path) -> Result<Vec<PathBuf>> {
    Ok(entries(dir)?.into_iter().filter(|path| path.is_dir() && Guest::detect(path).is_ok()).collect())
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let read = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut paths: Vec<PathBuf> = read.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

/// Removes guests that no longer have a source.
fn sweep(place: &Path, names: &BTreeSet<String>) -> Result<()> {
    for path in entries(place)? {
        let known = path.file_stem().is_some_and(|stem| names.contains(stem.to_string_lossy().as_ref()));
        if path.extension().is_some_and(|end| end == "wasm") && !known {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn touch(root: &Path, name: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }

    #[test]
    fn guests_are_named_by_their_files_and_folders() {
        let root = tempfile::tempdir().unwrap();
        for file in ["p3/Cargo.toml", "p3/examples/b.rs", "p3/examples/a.rs", "js/hello/hello.ts", "js/wit/world.wit"] {
            touch(&root.path().join("guests"), file);
        }
        assert_eq!(names(root.path(), Set::P3).unwrap(), ["a", "b"]);
        assert_eq!(names(root.path(), Set::Js).unwrap(), ["hello"]);
        assert!(names(root.path(), Set::Py).unwrap().is_empty());
    }

    #[test]
    fn a_guest_goes_with_its_source() {
        let root = tempfile::tempdir().unwrap();
        for file in ["one.wasm", "two.wasm"] {
            touch(root.path(), file);
        }
        sweep(root.path(), &["one".to_owned()].into()).unwrap();
        assert_eq!(entries(root.path()).unwrap(), [root.path().join("one.wasm")]);
    }
}
