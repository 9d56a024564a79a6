//! Versions of components that a route may have to go back to: copies of their bytes, by digest, in the state directory. A file
//! that the user has overwritten is gone otherwise. `load.rs` has them kept and loaded with the rest of the app.

use crate::load::{Checks, Known, Loader};
use crate::loaded::LoadedComponent;
use crate::rollout::Rollouts;
use coracle_manifest::{App, Component, ComponentSource, Destination};
use coracle_rollout::version::Version;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Loader {
    /// The components that routes in a rollout may have to go back to, by label: as they were promoted, not as the file is now.
    /// What can't be loaded any more is told and left out; the route then goes back to what its manifest says.
    pub(crate) async fn versions(
        &self,
        checks: &Checks,
        previous: Option<Known<'_>>,
        components: &BTreeMap<String, LoadedComponent>,
    ) -> BTreeMap<String, LoadedComponent> {
        let mut found = BTreeMap::new();
        let mut wanted = BTreeSet::new();
        let resources = Arc::new(self.resources(checks));
        for (component, base) in bases(&checks.app, components, self.rollouts.get()) {
            let Some(now) = components.get(&component.name) else { continue };
            wanted.insert(now.digest.clone());
            let Some(Version::Component { digest, .. }) = &base else { continue };
            wanted.insert(digest.clone());
            if *digest == now.digest {
                continue;
            }
            let label = base.as_ref().map(ToString::to_string).unwrap_or_default();
            let running =
                previous.and_then(|known| known.components.get(&component.name).or_else(|| known.versions.get(&label)));
            let running = running.filter(|known| known.digest == *digest).or_else(|| previous?.versions.get(&label));
            let kept = path(&resources.state_dir, digest);
            let as_it_was = Component { source: ComponentSource::Path(kept), ..component.clone() };
            match self.component(checks, &as_it_was, running, &resources).await {
                Ok(loaded) => drop(found.insert(label, loaded)),
                Err(problem) => {
                    tracing::warn!(version = label, "a version to go back to can't be loaded: {}", problem.message)
                }
            }
        }
        forget_others(&resources.state_dir, &wanted);
        found
    }
}

/// Keeps a copy of a component that a rollout leads to.
pub fn keep_if_rolled_out(app: &App, component: &Component, state_dir: &Path, (digest, bytes): (&str, &[u8])) {
    let leads = |route: &coracle_manifest::Route| {
        route.rollout.is_some() && route.to.target().is_some_and(|to| to.name() == component.name)
    };
    if app.routes.iter().any(leads)
        && let Err(error) = keep(state_dir, digest, bytes)
    {
        tracing::warn!(component = component.name, %error, "this version can't be kept to go back to");
    }
}

/// For each route that moves to a component: that component, and what the log says the route goes back to.
fn bases<'a>(
    app: &'a App,
    components: &BTreeMap<String, LoadedComponent>,
    rollouts: Option<&Rollouts>,
) -> Vec<(&'a Component, Option<Version>)> {
    let history = rollouts.map(Rollouts::history);
    let routes = app.routes.iter().filter(|route| route.rollout.is_some());
    let base = |route: &coracle_manifest::Route| {
        let Destination::Component(name) = &route.to else { return None };
        let version = Version::Component { name: name.clone(), digest: components.get(name)?.digest.clone() };
        let base = history.as_ref().and_then(|history| history.base(&app.name, &route.title(), &version));
        Some((app.components.get(name)?, base))
    };
    routes.filter_map(base).collect()
}

/// Where the copy of a digest is.
pub fn path(state_dir: &Path, digest: &str) -> PathBuf {
    state_dir.join("versions").join(format!("{digest}.wasm"))
}

/// Keeps a copy, whole or not at all.
///
/// # Errors
/// When it can't be written.
pub fn keep(state_dir: &Path, digest: &str, bytes: &[u8]) -> io::Result<()> {
    let path = path(state_dir, digest);
    if path.exists() {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(state_dir);
    std::fs::create_dir_all(folder)?;
    let aside = folder.join(format!("{digest}.{}.part", std::process::id()));
    let mut file = std::fs::File::create(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(aside, path)
}

/// Removes the copies of all other digests.
pub fn forget_others(state_dir: &Path, digests: &BTreeSet<String>) {
    let Ok(entries) = std::fs::read_dir(state_dir.join("versions")) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let known = path.file_stem().and_then(|stem| stem.to_str()).is_some_and(|stem| digests.contains(stem));
        // What can't be removed now is removed the next time.
        if !known && path.extension().is_some_and(|extension| extension == "wasm") {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_kept_and_forgotten_by_digest() {
        let dir = tempfile::tempdir().unwrap();
        keep(dir.path(), "aa", b"one").unwrap();
        keep(dir.path(), "bb", b"two").unwrap();
        keep(dir.path(), "aa", b"not again").unwrap();
        assert_eq!(std::fs::read(path(dir.path(), "aa")).unwrap(), b"one");
        forget_others(dir.path(), &["bb".to_owned()].into());
        assert!(!path(dir.path(), "aa").exists() && path(dir.path(), "bb").exists());
    }
}
