//! jco with StarlingMonkey: JavaScript and TypeScript to WASI 0.2 components.
//!
//! Installed by `npm ci` from a lock file that is part of this crate, so that each machine gets the same. Install scripts
//! don't run: none is needed, and 150 packages are many to trust. preview2-shim is held at 0.26.0 because 0.26.1 breaks
//! `jco componentize`. Called by `guest.rs` and `doctor.rs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache::Cache;
use crate::error::{Error, io};
use crate::hash::Hash;
use crate::process::{LONG, on_path, query, run};
use crate::progress::Progress;

const PACKAGE: &str = include_str!("../jco/package.json");
const LOCK: &str = include_str!("../jco/package-lock.json");
/// In package.json too; a test compares them.
const VERSION: &str = "1.35.0";
/// The oldest Node.js that runs jco.
const NODE: u32 = 20;

/// An installed jco.
#[derive(Debug, Clone)]
pub struct Jco {
    dir: PathBuf,
}

impl Jco {
    /// Names what is installed; differs whenever the output may differ.
    pub fn key() -> String {
        let mut hash = Hash::new();
        hash.text(PACKAGE).text(LOCK);
        format!("jco-{VERSION}-{}", hash.short())
    }

    pub fn find(cache: &Cache) -> Option<Self> {
        let dir = cache.toolchains().join(Self::key());
        dir.is_dir().then_some(Self { dir })
    }

    pub fn ensure(cache: &Cache, progress: Progress) -> Result<Self, Error> {
        if let Some(found) = Self::find(cache) {
            return Ok(found);
        }
        check_node()?;
        let dir = cache.entry(&cache.toolchains(), &Self::key(), progress, |dir| {
            for (name, text) in [("package.json", PACKAGE), ("package-lock.json", LOCK)] {
                let file = dir.join(name);
                fs::write(&file, text).map_err(io("write", &file))?;
            }
            progress.step(&format!("installing jco {VERSION} from npm"), || install_packages(dir))
        })?;
        Ok(Self { dir })
    }

    /// Makes `out` of the module `entry` (.js or .ts, bundled with what it imports) for the only world of `wit`.
    pub(crate) fn componentize(&self, entry: &Path, wit: &Path, out: &Path) -> Result<(), Error> {
        let mut node = Command::new("node");
        node.arg(self.dir.join("node_modules/.bin/jco")).arg("componentize").arg(entry);
        node.arg("--wit").arg(wit).arg("--out").arg(out).arg("--bundle");
        node.current_dir(entry.parent().unwrap_or(Path::new(".")));
        run(&mut node, LONG).map(drop)
    }
}

/// Node.js and npm, new enough.
pub(crate) fn check_node() -> Result<(), Error> {
    let missing = |what: &str| Error::Missing {
        what: what.to_owned(),
        fix: format!("install Node.js {NODE} or newer with npm, e.g. `apt-get install nodejs npm` or from nodejs.org"),
    };
    let version = query("node", &["--version"]).ok_or_else(|| missing("node"))?;
    let major = version.trim_start_matches('v').split('.').next().and_then(|number| number.parse::<u32>().ok());
    if major.is_none_or(|major| major < NODE) {
        return Err(missing(&format!("a Node.js newer than {version}")));
    }
    if on_path("npm") { Ok(()) } else { Err(missing("npm")) }
}

/// Installs exactly what the lock file in `dir` says.
pub(crate) fn install_packages(dir: &Path) -> Result<(), Error> {
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev"]).current_dir(dir);
    run(&mut npm, LONG).map(drop)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_lock_file_pins_what_we_say_and_names_no_registry() {
        let package: serde_json::Value = serde_json::from_str(PACKAGE).unwrap();
        let lock: serde_json::Value = serde_json::from_str(LOCK).unwrap();
        let packages = lock.get("packages").unwrap().as_object().unwrap();
        let locked =
            |name: &str| packages.get(&format!("node_modules/{name}")).and_then(|entry| entry.get("version")).unwrap();
        assert_eq!(package.pointer("/dependencies/@bytecodealliance~1jco").unwrap(), VERSION);
        assert_eq!(locked("@bytecodealliance/jco"), VERSION);
        assert_eq!(locked("@bytecodealliance/preview2-shim"), "0.26.0");
        assert!(packages.values().all(|entry| entry.get("resolved").is_none()));
    }
}
