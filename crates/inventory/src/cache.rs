//! Facts of files from earlier runs, by what the files hold. One file on disk; a broken or foreign one counts as empty.
//!
//! A key covers the text, the extension and the version of the facts' format, so that nothing stale is ever used.

use crate::facts::Facts;
use rustc_hash::FxHashMap;
use sha2::{Digest as _, Sha256};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Changes whenever facts mean something else.
const FORMAT: &[u8] = b"coracle-inventory facts 2";

type Key = [u8; 16];

#[derive(Debug, Default)]
pub struct Cache {
    path: Option<PathBuf>,
    /// Of the last run, as they were written.
    old: FxHashMap<Key, Vec<u8>>,
    new: Vec<(Key, Vec<u8>)>,
}

impl Cache {
    /// Reads the cache of an earlier run. Without a path, nothing is kept.
    #[must_use]
    pub fn open(path: Option<&Path>) -> Self {
        let bytes = path.and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        let old = entries(&bytes).unwrap_or_default();
        Self { path: path.map(Path::to_path_buf), old, new: Vec::new() }
    }

    /// What the cache of a project is called.
    #[must_use]
    pub fn name(root: &Path) -> String {
        let root = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
        let digest = Sha256::digest(root.to_string_lossy().as_bytes());
        digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect::<String>() + ".facts"
    }

    /// The key of a file.
    #[must_use]
    pub fn hash(path: &Path, bytes: &[u8]) -> Key {
        let mut sha = Sha256::new();
        sha.update(FORMAT);
        sha.update(path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().as_bytes());
        sha.update([0]);
        sha.update(bytes);
        let mut key = Key::default();
        for (to, from) in key.iter_mut().zip(sha.finalize()) {
            *to = from;
        }
        key
    }

    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Facts> {
        postcard::from_bytes(self.old.get(key)?).ok()
    }

    pub fn put(&mut self, key: Key, facts: &Facts) {
        if self.path.is_none() {
            return;
        }
        if let Ok(bytes) = postcard::to_allocvec(facts) {
            self.new.push((key, bytes));
        }
    }

    /// Writes what is new beside what was there, if there is something new.
    ///
    /// # Errors
    /// When the file can't be written; the result of the run is whole without it.
    pub fn save(self) -> std::io::Result<()> {
        let Some(path) = self.path.filter(|_| !self.new.is_empty()) else { return Ok(()) };
        let dir = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(dir)?;
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        {
            let mut out = std::io::BufWriter::new(file.as_file_mut());
            out.write_all(FORMAT)?;
            let new = self.new.iter().map(|(key, bytes)| (key, bytes));
            for (key, bytes) in self.old.iter().chain(new) {
                out.write_all(key)?;
                out.write_all(&u32::try_from(bytes.len()).unwrap_or(0).to_le_bytes())?;
                out.write_all(bytes)?;
            }
            out.flush()?;
        }
        file.persist(&path).map_err(|error| error.error)?;
        Ok(())
    }
}

fn entries(bytes: &[u8]) -> Option<FxHashMap<Key, Vec<u8>>> {
    let mut rest = bytes.strip_prefix(FORMAT)?;
    let mut entries = FxHashMap::default();
    while !rest.is_empty() {
        let (key, after) = rest.split_first_chunk::<16>()?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let (value, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        entries.insert(*key, value.to_vec());
        rest = after;
    }
    Some(entries)
}
