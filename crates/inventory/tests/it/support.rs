//! A project in a temporary directory, and look-ups in its inventory.

use coracle_inventory::unit::Unit;
use coracle_inventory::{Inventory, Options, run};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub struct Project {
    pub dir: TempDir,
}

impl Project {
    /// Files by path and text. A path that begins with `node_modules/` and ends in `/` is a package with an empty index.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let project = Self { dir: tempfile::tempdir().unwrap() };
        for (path, text) in files {
            project.write(path, text);
        }
        project
    }

    pub fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A package that exports a function with some members.
    pub fn package(&self, name: &str, version: &str) {
        let dir = format!("node_modules/{name}");
        self.write(
            &format!("{dir}/package.json"),
            &format!(r#"{{"name":"{name}","version":"{version}","main":"index.js"}}"#),
        );
        self.write(&format!("{dir}/index.js"), "module.exports = function () { return {}; };\n");
    }

    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    pub fn options(&self) -> Options {
        Options { root: self.root().to_path_buf(), ..Options::default() }
    }

    pub fn inventory(&self) -> Inventory {
        run(&self.options(), &|_| {})
    }
}

/// The unit whose name is, or begins with, some text.
pub fn unit<'i>(inventory: &'i Inventory, name: &str) -> &'i Unit {
    let found = inventory.units.iter().find(|unit| unit.name == name);
    let found = found.or_else(|| inventory.units.iter().find(|unit| unit.name.starts_with(name)));
    found.unwrap_or_else(|| {
        let names: Vec<_> = inventory.units.iter().map(|unit| (&unit.name, unit.kind)).collect();
        panic!("no unit {name:?} among {names:?}; notes: {:?}", inventory.notes)
    })
}
