//! Puts a built component where it is looked for: a hard link, or a copy where the cache is on another filesystem.
//!
//! The old file is replaced, never written to: it may be mapped by a running process, or be a link into the cache.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

pub fn place(wasm: &Path, to: &Path) -> Result<()> {
    let folder = to.parent().unwrap_or(Path::new("."));
    let put = || {
        fs::create_dir_all(folder)?;
        let fresh = to.with_extension("new");
        let _ = fs::remove_file(&fresh);
        fs::hard_link(wasm, &fresh).or_else(|_| fs::copy(wasm, &fresh).map(drop))?;
        fs::rename(&fresh, to)?;
        // Renaming a link over another link of the same file does nothing, and leaves both names.
        let _ = fs::remove_file(&fresh);
        Ok::<(), std::io::Error>(())
    };
    put().with_context(|| format!("cannot place {}", to.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_component_is_replaced_and_the_cache_stays() {
        let root = tempfile::tempdir().unwrap();
        let (old, new, to) = (root.path().join("old"), root.path().join("new"), root.path().join("place/one.wasm"));
        fs::write(&old, "old").unwrap();
        fs::write(&new, "new").unwrap();
        for wasm in [&old, &old, &new] {
            place(wasm, &to).unwrap();
        }
        assert_eq!(fs::read_to_string(&to).unwrap(), "new");
        assert_eq!(fs::read_to_string(&old).unwrap(), "old");
        assert_eq!(fs::read_dir(root.path().join("place")).unwrap().count(), 1);
    }
}
