//! Building a guest, once per state of its sources.
//!
//! `build` hashes the sources and the toolchain's key; if `<cache>/guests/<hash>/` exists its components are the answer and
//! no compiler starts. Else the language's builder makes them in a directory that becomes the entry. Checkouts stay clean:
//! JavaScript and Python are built from a copy, Rust into the cache's own target directory.
//!
//! Called by `cargo xtask guests` and by whatever builds an app's components.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cache::Cache;
use crate::cargo;
use crate::error::{Error, io};
use crate::hash::{Hash, source_files};
use crate::jco::{self, Jco};
use crate::progress::Progress;
use crate::python::ComponentizePy;
use crate::rust::RustWasm;
use crate::target::Target;
use crate::wit;

/// Sources that become one component, or several for a Rust package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guest {
    /// A cargo package: every `cdylib` among its examples, or else its library.
    Rust { dir: PathBuf, target: Target },
    /// A folder with `<folder's name>`, `index` or `main`, `.ts` or `.js`, also below `src`. It may have a `wit` folder, and a
    /// package.json with a lock file whose packages are bundled.
    JavaScript { dir: PathBuf },
    /// A folder with `app.py`, and maybe a `wit` folder.
    Python { dir: PathBuf },
}

/// A component that is there.
#[derive(Debug, Clone)]
pub struct Built {
    /// The example's, package's or folder's name.
    pub name: String,
    /// Inside the cache; not to be written.
    pub wasm: PathBuf,
    /// Whether no compiler had to run.
    pub cached: bool,
}

impl Guest {
    /// Tells the language by what lies in `dir`.
    pub fn detect(dir: &Path) -> Result<Self, Error> {
        let dir = dir.to_path_buf();
        if dir.join("Cargo.toml").is_file() {
            return Ok(Self::Rust { dir, target: Target::Wasip2 });
        }
        if script(&dir).is_ok() {
            return Ok(Self::JavaScript { dir });
        }
        if dir.join("app.py").is_file() {
            return Ok(Self::Python { dir });
        }
        let problem = "no guest is here: it holds neither Cargo.toml nor app.py nor index.ts or index.js".to_owned();
        Err(Error::Source { path: dir, problem })
    }

    pub fn dir(&self) -> &Path {
        match self {
            Self::Rust { dir, .. } | Self::JavaScript { dir } | Self::Python { dir } => dir,
        }
    }

    /// The folder's name, which is a script's component's name too.
    pub fn name(&self) -> String {
        self.dir().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// The guest's components, built if their sources have no entry in the cache yet; sorted by name.
///
/// Installs the toolchain it needs. Errors carry the compiler's output and the command.
pub fn build(cache: &Cache, guest: &Guest, progress: Progress) -> Result<Vec<Built>, Error> {
    let rust = match guest {
        Guest::Rust { target, .. } => Some(RustWasm::ensure(cache, *target, progress)?),
        Guest::JavaScript { .. } | Guest::Python { .. } => None,
    };
    let hash = source_hash(guest, rust.as_ref())?;
    let cached = cache.guests().join(&hash).is_dir();
    let entry = cache.entry(&cache.guests(), &hash, progress, |out| match (guest, &rust) {
        (Guest::Rust { dir, .. }, Some(rust)) => {
            let label = format!("compiling {} for {}", dir.display(), rust.target().triple());
            progress.step(&label, || cargo::build(cache, dir, rust, out))
        }
        (Guest::Python { dir }, _) => python(cache, dir, &guest.name(), out, progress),
        (Guest::JavaScript { dir } | Guest::Rust { dir, .. }, _) => {
            javascript(cache, dir, &guest.name(), out, progress)
        }
    })?;
    components(&entry, cached)
}

/// The name of the guest's entry: the state of its sources, seen by the toolchain that would build it.
fn source_hash(guest: &Guest, rust: Option<&RustWasm>) -> Result<String, Error> {
    let mut hash = Hash::new();
    hash.text(&guest.name());
    match guest {
        Guest::Rust { dir, .. } => {
            hash.text(rust.map_or("", RustWasm::key));
            for input in cargo::inputs(dir)? {
                hash.path(&input)?;
            }
        }
        Guest::JavaScript { dir } => hash.text(&Jco::key()).text(&wit::JAVASCRIPT.text()).path(dir)?,
        Guest::Python { dir } => hash.text(&ComponentizePy::key()).text(&wit::PYTHON.text()).path(dir)?,
    }
    Ok(hash.long())
}

fn components(entry: &Path, cached: bool) -> Result<Vec<Built>, Error> {
    let mut built: Vec<Built> = source_files(entry)?
        .into_iter()
        .filter_map(|(name, wasm)| Some(Built { name: name.strip_suffix(".wasm")?.to_owned(), wasm, cached }))
        .collect();
    built.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(built)
}

fn javascript(cache: &Cache, dir: &Path, name: &str, out: &Path, progress: Progress) -> Result<(), Error> {
    let jco = Jco::ensure(cache, progress)?;
    let work = Work::copy_of(cache, dir)?;
    let wit = wit::JAVASCRIPT.place(&work.dir)?;
    if work.dir.join("package-lock.json").is_file() {
        progress.step(&format!("npm ci for {}", dir.display()), || jco::install_packages(&work.dir))?;
    }
    let entry = script(&work.dir)?;
    progress.step(&format!("componentizing {}", dir.display()), || {
        jco.componentize(&entry, &wit, &out.join(format!("{name}.wasm")))
    })
}

fn python(cache: &Cache, dir: &Path, name: &str, out: &Path, progress: Progress) -> Result<(), Error> {
    let tool = ComponentizePy::ensure(cache, progress)?;
    let work = Work::copy_of(cache, dir)?;
    let wit = wit::PYTHON.place(&work.dir)?;
    progress.step(&format!("componentizing {}", dir.display()), || {
        tool.componentize(&work.dir, "app", &wit, &out.join(format!("{name}.wasm")))
    })
}

/// The module a JavaScript guest starts from. The copy a guest is built from has the folder's name too.
fn script(dir: &Path) -> Result<PathBuf, Error> {
    let own = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut candidates = Vec::new();
    for folder in [dir.to_path_buf(), dir.join("src")] {
        for stem in [own.as_str(), "index", "main"] {
            for extension in ["ts", "js"] {
                candidates.push(folder.join(format!("{stem}.{extension}")));
            }
        }
    }
    candidates.into_iter().find(|file| file.is_file()).ok_or_else(|| Error::Source {
        path: dir.to_owned(),
        problem: format!("holds no {own}.ts, index.ts or main.ts (or .js), nor does its src folder"),
    })
}

/// A temporary directory with a folder that holds the sources, named as theirs; removed when dropped.
struct Work {
    dir: PathBuf,
    _removed_when_dropped: tempfile::TempDir,
}

impl Work {
    fn copy_of(cache: &Cache, dir: &Path) -> Result<Self, Error> {
        let scratch = tempfile::Builder::new().prefix(".work-").tempdir_in(cache.guests());
        let scratch = scratch.map_err(io("create a directory in", &cache.guests()))?;
        let copy = scratch.path().join(dir.file_name().unwrap_or("guest".as_ref()));
        for (name, file) in source_files(dir)? {
            let to = copy.join(name);
            let parent = to.parent().unwrap_or(&copy);
            fs::create_dir_all(parent).map_err(io("create", parent))?;
            fs::copy(&file, &to).map_err(io("copy to", &to))?;
        }
        Ok(Self { dir: copy, _removed_when_dropped: scratch })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_language_is_told_by_what_lies_there() {
        let root = tempfile::tempdir().unwrap();
        let detect = |name: &str, file: &str| {
            let dir = root.path().join(name);
            let file = dir.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
            (Guest::detect(&dir), dir)
        };
        let (found, dir) = detect("price", "Cargo.toml");
        assert_eq!(found.unwrap(), Guest::Rust { dir, target: Target::Wasip2 });
        for (name, file) in [("hello", "hello.ts"), ("echo", "index.js"), ("deep", "src/index.ts")] {
            let (found, dir) = detect(name, file);
            assert_eq!(found.unwrap(), Guest::JavaScript { dir });
        }
        let (found, dir) = detect("snake", "app.py");
        assert_eq!(found.unwrap(), Guest::Python { dir });
        let error = detect("other", "README.md").0.unwrap_err().to_string();
        assert!(error.contains("no guest is here"), "{error}");
    }

    #[test]
    fn a_cached_guest_needs_no_compiler() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::at(root.path().join("cache"));
        let dir = root.path().join("snake");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("app.py"), "pass").unwrap();
        let guest = Guest::Python { dir: dir.clone() };
        let hash = source_hash(&guest, None).unwrap();
        let made = cache.entry(&cache.guests(), &hash, Progress::Quiet, |out| {
            fs::write(out.join("snake.wasm"), "x").map_err(io("write", out))
        });
        made.unwrap();
        let built = build(&cache, &guest, Progress::Quiet).unwrap();
        assert_eq!(built.len(), 1);
        assert!(built.iter().all(|component| component.cached && component.name == "snake"));
        fs::write(dir.join("app.py"), "changed").unwrap();
        assert_ne!(hash, source_hash(&guest, None).unwrap());
    }
}
