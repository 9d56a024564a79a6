//! Rust guests: what a package is made of, and one `cargo build` for all its components.
//!
//! The inputs are read from Cargo.toml files, not asked of cargo, so that a warm call starts no process for it: the package,
//! the packages it names by path, and its workspace's manifest, lock file, configuration and `wit` folder.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use toml::Table;

use crate::cache::Cache;
use crate::error::{Error, io};
use crate::process::{LONG, run};
use crate::rust::RustWasm;

/// Files and directories whose content decides what comes out.
pub(crate) fn inputs(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let root = workspace_root(dir)?;
    if !root.join("Cargo.lock").is_file() {
        // Without it the hash would change by the first build.
        run(std::process::Command::new("cargo").args(["generate-lockfile", "--quiet"]).current_dir(&root), LONG)?;
    }
    let shared = manifest(&root)?;
    let mut packages = BTreeSet::new();
    follow(dir, &root, &shared, &mut packages)?;
    let workspace = ["Cargo.toml", "Cargo.lock", ".cargo/config.toml", "wit"].map(|name| root.join(name));
    Ok(packages.into_iter().chain(workspace).collect())
}

/// Builds the package's components into `out`, each named by its cargo target.
pub(crate) fn build(cache: &Cache, dir: &Path, rust: &RustWasm, out: &Path) -> Result<(), Error> {
    let mut cargo = rust.cargo_command();
    cargo.current_dir(dir).env("CARGO_TARGET_DIR", cache.guests_target().join(rust.key()));
    cargo.args(["build", "--release", "--locked", "--message-format=json-render-diagnostics"]);
    if dir.join("examples").is_dir() {
        cargo.arg("--examples");
    }
    let messages = run(&mut cargo, LONG)?;
    let mut count = 0;
    for (name, wasm) in
        messages.lines().filter_map(|line| serde_json::from_str(line).ok()).flat_map(|m: Value| artifacts(&m, dir))
    {
        let to = out.join(format!("{name}.wasm"));
        fs::copy(&wasm, &to).map_err(io("copy to", &to))?;
        count += 1;
    }
    if count == 0 {
        let problem = "made no .wasm file: set `crate-type = [\"cdylib\"]` for its library or examples".to_owned();
        return Err(Error::Source { path: dir.to_owned(), problem });
    }
    Ok(())
}

/// The components a message of cargo speaks of, when they are of the package in `dir`.
fn artifacts(message: &Value, dir: &Path) -> Vec<(String, PathBuf)> {
    let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
    let ours = text("/manifest_path").is_some_and(|path| same(Path::new(path), &dir.join("Cargo.toml")));
    let (Some("compiler-artifact"), true, Some(name)) = (text("/reason"), ours, text("/target/name")) else {
        return Vec::new();
    };
    let files = message.get("filenames").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    files.filter(|file| file.ends_with(".wasm")).map(|file| (name.to_owned(), PathBuf::from(file))).collect()
}

fn same(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

/// The nearest directory upwards whose manifest has a `[workspace]`, else the package itself.
fn workspace_root(dir: &Path) -> Result<PathBuf, Error> {
    for ancestor in dir.ancestors() {
        if ancestor.join("Cargo.toml").is_file() && manifest(ancestor)?.contains_key("workspace") {
            return Ok(ancestor.to_path_buf());
        }
    }
    Ok(dir.to_path_buf())
}

fn manifest(dir: &Path) -> Result<Table, Error> {
    let path = dir.join("Cargo.toml");
    let text = fs::read_to_string(&path).map_err(io("read", &path))?;
    toml::from_str(&text).map_err(|error| Error::Source { path, problem: error.to_string() })
}

/// Adds `dir` and the packages it depends on by path, each once.
fn follow(dir: &Path, root: &Path, shared: &Table, seen: &mut BTreeSet<PathBuf>) -> Result<(), Error> {
    let dir = dir.canonicalize().map_err(io("find", dir))?;
    if !seen.insert(dir.clone()) {
        return Ok(());
    }
    let manifest = manifest(&dir)?;
    let shared_path = |name: &str| {
        let entry = shared.get("workspace")?.get("dependencies")?.get(name)?;
        Some(root.join(entry.get("path")?.as_str()?))
    };
    let mut paths = Vec::new();
    for (name, entry) in dependencies(&manifest) {
        let inherited = entry.get("workspace").and_then(toml::Value::as_bool) == Some(true);
        let own = || Some(dir.join(entry.get("path")?.as_str()?));
        paths.extend(if inherited { shared_path(name) } else { own() });
    }
    paths.iter().try_for_each(|path| follow(path, root, shared, seen))
}

/// Every entry of every dependency table, those for one target included.
fn dependencies(manifest: &Table) -> impl Iterator<Item = (&String, &toml::Value)> {
    let targets = manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(Table::values);
    let tables = targets.filter_map(toml::Value::as_table).chain(std::iter::once(manifest));
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    tables.flat_map(move |table| kinds.into_iter().filter_map(|kind| table.get(kind)?.as_table())).flat_map(Table::iter)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn write(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn inputs_follow_path_dependencies() {
        let root = tempfile::tempdir().unwrap();
        let at = root.path();
        write(at, "Cargo.lock", "");
        write(at, "Cargo.toml", "[workspace]\n[workspace.dependencies]\nshared = { path = \"shared\" }\n");
        write(
            at,
            "p3/Cargo.toml",
            "[dependencies]\nshared.workspace = true\nserde = \"1\"\n[dev-dependencies]\nnear = { path = \"../near\" }\n",
        );
        write(at, "shared/Cargo.toml", "[package]\nname = \"shared\"\n");
        write(at, "near/Cargo.toml", "[package]\nname = \"near\"\n");
        write(at, "far/Cargo.toml", "[package]\nname = \"far\"\n");
        let inputs = inputs(&at.join("p3")).unwrap();
        let has = |name: &str| inputs.iter().any(|path| path.ends_with(name));
        assert!(has("p3") && has("shared") && has("near") && has("Cargo.lock"), "{inputs:?}");
        assert!(!has("far"), "{inputs:?}");
    }

    #[test]
    fn only_components_of_the_package_are_taken() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "Cargo.toml", "");
        let message = |manifest: &str, file: &str| {
            serde_json::json!({
                "reason": "compiler-artifact", "manifest_path": manifest,
                "target": { "name": "hello" }, "filenames": [file],
            })
        };
        let own = root.path().join("Cargo.toml").to_string_lossy().into_owned();
        assert_eq!(
            artifacts(&message(&own, "/t/hello.wasm"), root.path()),
            [("hello".to_owned(), "/t/hello.wasm".into())]
        );
        assert!(artifacts(&message(&own, "/t/libhello.rlib"), root.path()).is_empty());
        assert!(artifacts(&message("/elsewhere/Cargo.toml", "/t/hello.wasm"), root.path()).is_empty());
    }
}
