//! The hash that decides whether a guest must be built again: of every source file's name and content, the lock file and
//! the toolchain's key. Modification times play no part, so that a fresh clone hits the cache.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};
use walkdir::WalkDir;

use crate::error::{Error, io};

/// Directories that builds and package managers write.
const NOT_SOURCE: [&str; 7] = ["target", "node_modules", "out", "dist", ".git", "__pycache__", ".venv"];

pub(crate) struct Hash(Sha256);

impl Hash {
    pub(crate) fn new() -> Self {
        Self(Sha256::new())
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes());
        self
    }

    /// A file, or every source file below a directory, by the path relative to it. A path that isn't there counts as such.
    pub(crate) fn path(&mut self, path: &Path) -> Result<(), Error> {
        for (name, file) in source_files(path)? {
            let content = fs::read(&file).map_err(io("read", &file))?;
            self.text(&name);
            self.bytes(&content);
        }
        self.text("");
        Ok(())
    }

    /// 32 hexadecimal digits: the name of a cache entry.
    pub(crate) fn long(self) -> String {
        let mut digits = hex(&self.0.finalize());
        digits.truncate(32);
        digits
    }

    /// 8 hexadecimal digits, for names people read.
    pub(crate) fn short(self) -> String {
        let mut digits = self.long();
        digits.truncate(8);
        digits
    }

    /// With its length, so that no two sequences of parts look the same.
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
}

/// Relative name and path of each source file, in an order that is the same everywhere.
pub(crate) fn source_files(path: &Path) -> Result<Vec<(String, std::path::PathBuf)>, Error> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let is_source = |entry: &walkdir::DirEntry| {
        entry.depth() == 0 || !entry.file_type().is_dir() || !NOT_SOURCE.iter().any(|name| entry.file_name() == *name)
    };
    let mut files = Vec::new();
    for entry in WalkDir::new(path).sort_by_file_name().into_iter().filter_entry(is_source) {
        let entry = entry.map_err(|error| Error::Source { path: path.to_owned(), problem: error.to_string() })?;
        if entry.file_type().is_file() {
            let name = entry.path().strip_prefix(path).unwrap_or(entry.path());
            files.push((name.to_string_lossy().replace('\\', "/"), entry.into_path()));
        }
    }
    Ok(files)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(dir: &Path) -> String {
        let mut hash = Hash::new();
        hash.path(dir).unwrap();
        hash.long()
    }

    #[test]
    fn names_and_contents_count_and_build_output_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            of(dir.path())
        };
        let first = file("src/a.rs", "one");
        assert_eq!(first, file("target/debug/x", "output"));
        assert_eq!(first, file("node_modules/p/index.js", "package"));
        let second = file("src/a.rs", "two");
        assert_ne!(first, second);
        assert_ne!(second, file("src/b.rs", ""));
        fs::remove_file(dir.path().join("src/b.rs")).unwrap();
        assert_eq!(first, file("src/a.rs", "one"));
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let of = |parts: &[&str]| {
            let mut hash = Hash::new();
            for part in parts {
                hash.text(part);
            }
            hash.long()
        };
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
    }
}
