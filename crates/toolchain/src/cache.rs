//! The cache directory and how something gets into it.
//!
//! Everything lives outside any checkout: `$CORACLE_CACHE`, else `$XDG_CACHE_HOME/coracle`, else `~/.cache/coracle`.
//! An entry appears whole or not at all: it is made in a temporary directory beside its place and renamed. A lock file
//! per entry keeps two processes from making it twice; the lock ends with the process, so that a killed one blocks nobody.
//!
//! Nothing here knows what an entry contains, and nothing is ever removed but leftovers of attempts that died.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::error::{Error, io};
use crate::progress::Progress;

/// The root of the cache. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The cache of this user, as the environment says. The directory need not exist yet.
    pub fn find() -> Result<Self, Error> {
        let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let root = var("CORACLE_CACHE")
            .or_else(|| var("XDG_CACHE_HOME").map(|dir| dir.join("coracle")))
            .or_else(|| var("HOME").map(|dir| dir.join(".cache/coracle")))
            .ok_or(Error::NoCache)?;
        Ok(Self::at(std::path::absolute(&root).unwrap_or(root)))
    }

    /// The cache at `root`, for tests and for those who keep several.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where compilers are installed, one directory each, named by their version.
    pub fn toolchains(&self) -> PathBuf {
        self.root.join("toolchains")
    }

    /// Where built guests lie, one directory per source hash.
    pub fn guests(&self) -> PathBuf {
        self.root.join("guests")
    }

    /// Where cargo's target directories for guests lie, one per compiler: two in one would build everything anew each time.
    pub fn guests_target(&self) -> PathBuf {
        self.root.join("guests-target")
    }

    /// Creates the root and writes a file in it; fails with the reason when that is impossible.
    pub fn check_writable(&self) -> Result<(), Error> {
        fs::create_dir_all(&self.root).map_err(io("create", &self.root))?;
        tempfile::Builder::new().prefix(".probe-").tempfile_in(&self.root).map_err(io("write in", &self.root))?;
        Ok(())
    }

    /// The directory `parent/name`, made by `make` when it is not there.
    ///
    /// `make` gets an empty directory to fill. A second process that wants the same entry waits for the first one.
    pub(crate) fn entry(
        &self,
        parent: &Path,
        name: &str,
        progress: Progress,
        make: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<PathBuf, Error> {
        let entry = parent.join(name);
        if entry.is_dir() {
            return Ok(entry);
        }
        fs::create_dir_all(parent).map_err(io("create", parent))?;
        let lock_path = parent.join(format!(".{name}.lock"));
        let lock = File::create(&lock_path).map_err(io("create", &lock_path))?;
        if lock.try_lock().is_err() {
            progress.say(&format!("waiting for another process that makes {}", entry.display()));
            lock.lock().map_err(io("lock", &lock_path))?;
        }
        if entry.is_dir() {
            return Ok(entry); // made by the process we waited for
        }
        let prefix = format!(".{name}.part-");
        sweep(parent, &prefix)?;
        let work =
            tempfile::Builder::new().prefix(&prefix).tempdir_in(parent).map_err(io("create a directory in", parent))?;
        make(work.path())?;
        open_to_readers(work.path())?;
        fs::rename(work.path(), &entry).map_err(io("move into place", &entry))?;
        drop(work); // its path is gone: nothing is removed
        Ok(entry)
    }
}

/// Removes what attempts left behind that were killed; the caller holds the entry's lock, so nobody works in them.
fn sweep(parent: &Path, prefix: &str) -> Result<(), Error> {
    let entries = fs::read_dir(parent).map_err(io("read", parent))?;
    for stale in entries.flatten() {
        if stale.file_name().to_string_lossy().starts_with(prefix) {
            fs::remove_dir_all(stale.path()).map_err(io("remove", &stale.path()))?;
        }
    }
    Ok(())
}

/// Temporary directories are private to their maker; an entry is for whoever may read the cache.
fn open_to_readers(dir: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).map_err(io("set permissions of", dir))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_entry_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        let made = std::cell::Cell::new(0);
        for _ in 0..2 {
            let entry = cache
                .entry(&cache.toolchains(), "tool-1", Progress::Quiet, |work| {
                    made.set(made.get() + 1);
                    fs::write(work.join("file"), "x").map_err(io("write", work))
                })
                .unwrap();
            assert_eq!(fs::read_to_string(entry.join("file")).unwrap(), "x");
        }
        assert_eq!(made.get(), 1);
    }

    #[test]
    fn a_failed_attempt_leaves_no_entry_and_can_be_repeated() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        let parent = cache.toolchains();
        let failed = cache.entry(&parent, "tool-1", Progress::Quiet, |work| {
            fs::write(work.join("half"), "x").map_err(io("write", work))?;
            Err(Error::NoCache)
        });
        assert!(failed.is_err());
        assert!(!parent.join("tool-1").exists());
        let entry = cache.entry(&parent, "tool-1", Progress::Quiet, |_| Ok(())).unwrap();
        assert!(!entry.join("half").exists());
    }

    #[test]
    fn leftovers_of_a_killed_attempt_are_swept() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        let stale = cache.toolchains().join(".tool-1.part-dead");
        fs::create_dir_all(&stale).unwrap();
        cache.entry(&cache.toolchains(), "tool-1", Progress::Quiet, |_| Ok(())).unwrap();
        assert!(!stale.exists());
    }

    #[test]
    fn two_threads_make_an_entry_once() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        let made = std::sync::atomic::AtomicUsize::new(0);
        let barrier = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    barrier.wait();
                    let make = |work: &Path| {
                        made.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        fs::write(work.join("file"), "x").map_err(io("write", work))
                    };
                    cache.entry(&cache.toolchains(), "tool-1", Progress::Quiet, make).unwrap();
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
    }
}
