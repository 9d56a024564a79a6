//! Where test components come from: text, the committed files of others, and crates too large to commit.

use std::path::{Path, PathBuf};
use std::process::Command;

use coracle_artifact::{Admitted, Options, Refusal, admit};

/// A binary from the WebAssembly text format.
pub fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// A component that exports an empty instance for each name.
pub fn exporting(names: &[&str]) -> String {
    let exports = names.iter().map(|name| format!("(export \"{name}\" (instance $i))"));
    format!("(component (instance $i) {})", exports.collect::<String>())
}

/// Admission with default options.
pub fn admitted(bytes: Vec<u8>) -> Result<Admitted, Refusal> {
    admit(bytes, &Options::default())
}

/// A committed component of another project; see README.md beside them.
pub fn committed(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/third-party");
    std::fs::read(folder.join(name)).unwrap()
}

/// A file of a published crate, taken from cargo's own store; cargo fetches that one crate, without what it depends on,
/// if it is not there yet.
pub fn of_crate(name: &str, version: &str, file: &str) -> Vec<u8> {
    let path = unpacked(name, version).unwrap_or_else(|| {
        let elsewhere = tempfile::tempdir().unwrap();
        let mut info = Command::new(env!("CARGO"));
        info.args(["info", "--quiet"]).arg(format!("{name}@{version}")).current_dir(elsewhere.path());
        let output = info.output().unwrap();
        unpacked(name, version).unwrap_or_else(|| {
            let said = String::from_utf8_lossy(&output.stderr);
            panic!("this test needs the crate {name} {version}; `cargo info {name}@{version}` fetches it once, but said: {said}")
        })
    });
    std::fs::read(path.join(file)).unwrap()
}

fn unpacked(name: &str, version: &str) -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))?;
    let sources = std::fs::read_dir(home.join("registry/src")).ok()?;
    let found = sources.flatten().map(|source| source.path().join(format!("{name}-{version}")));
    // Cargo writes this mark when a crate is wholly unpacked.
    found.into_iter().find(|path| path.join(".cargo-ok").exists())
}
