//! Files whose change means a reload: the manifest and the components.
//!
//! Directories are watched, not files: editors and compilers replace files, and a component may not exist yet. A burst of
//! events is one change.

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// So long must it be quiet before a change counts as finished.
const QUIET: Duration = Duration::from_millis(100);

/// The files that are watched at the moment.
pub struct Files {
    watcher: Option<RecommendedWatcher>,
    directories: BTreeSet<PathBuf>,
    wanted: Arc<Mutex<Wanted>>,
    changes: mpsc::Receiver<()>,
}

#[derive(Default)]
struct Wanted {
    /// These files, and the directories above them.
    paths: HashSet<PathBuf>,
    /// Whatever appears in it or goes matters.
    folder: Option<PathBuf>,
}

impl Wanted {
    fn has(&self, path: &Path) -> bool {
        let inside = path.parent().is_some_and(|parent| self.folder.as_deref() == Some(parent));
        inside && !hidden(path) || self.paths.contains(path)
    }
}

/// Where stores and tokens are kept.
fn hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

impl Files {
    /// Nothing yet; with `watch` false never anything.
    pub fn new(watch: bool) -> Self {
        let (changed, changes) = mpsc::channel(1);
        let wanted: Arc<Mutex<Wanted>> = Arc::default();
        let wants = Arc::clone(&wanted);
        let event = move |event: notify::Result<notify::Event>| {
            let relevant = event.is_ok_and(|event| {
                let wanted = wants.lock().unwrap_or_else(PoisonError::into_inner);
                !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(|path| wanted.has(path))
            });
            if relevant {
                // A change that is already waiting to be seen is enough.
                let _ = changed.try_send(());
            }
        };
        let watcher = watch.then(|| notify::recommended_watcher(event)).transpose();
        let watcher = watcher.unwrap_or_else(|error| {
            tracing::error!(%error, "files can't be watched; reload with SIGHUP");
            None
        });
        Self { watcher, directories: BTreeSet::new(), wanted, changes }
    }

    /// Watches these files instead, and what comes into a folder.
    pub fn watch(&mut self, files: Vec<PathBuf>, folder: Option<&Path>) {
        let Some(watcher) = &mut self.watcher else { return };
        let files: BTreeSet<_> = files.into_iter().filter_map(|file| std::path::absolute(file).ok()).collect();
        let folder = folder.and_then(|folder| std::path::absolute(folder).ok());
        let directories = files.iter().filter_map(|file| existing_parent(file)).chain(folder.clone());
        let directories: BTreeSet<_> = directories.collect();
        let paths = files.iter().flat_map(|file| file.ancestors()).map(Path::to_owned).collect();
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = Wanted { paths, folder };
        for gone in self.directories.difference(&directories) {
            let _ = watcher.unwatch(gone);
        }
        let mut watched: BTreeSet<_> = self.directories.intersection(&directories).cloned().collect();
        for new in directories.difference(&self.directories) {
            match watcher.watch(new, RecursiveMode::NonRecursive) {
                Ok(()) => drop(watched.insert(new.clone())),
                Err(error) => tracing::warn!(%error, "{} can't be watched", new.display()),
            }
        }
        self.directories = watched;
    }

    /// Returns when something has changed and it has been quiet since.
    pub async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            // Nothing is watched.
            return std::future::pending().await;
        }
        while let Ok(Some(())) = tokio::time::timeout(QUIET, self.changes.recv()).await {}
    }
}

fn existing_parent(file: &Path) -> Option<PathBuf> {
    file.ancestors().skip(1).find(|path| path.is_dir()).map(Path::to_owned)
}
