//! The thread that decides about rollouts: begun with the first route that is in one, or at the start when there is a log.
//! The hub (`edge.rs`) owns it.

use crate::load::Loader;
use crate::rollout::{self, Adopted, Rollouts};
use crate::settings::{AppSource, Settings};
use crate::state::AppState;
use coracle_rollout::log::LogError;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

pub struct Deciding {
    state_dir: Option<PathBuf>,
    /// Filled in once.
    rollouts: Arc<OnceLock<Rollouts>>,
    pub thread: Option<JoinHandle<()>>,
}

impl Deciding {
    /// Opens the log if there is one: what a route goes back to stands in it, and must be known when the app is loaded.
    ///
    /// # Errors
    /// When it can't be used.
    pub fn new(settings: &Settings, loader: &Loader) -> Result<Self, LogError> {
        let rollouts = Arc::clone(&loader.rollouts);
        let mut deciding = Self { state_dir: settings.state_dir.clone(), rollouts, thread: None };
        let base_dir = match &settings.app {
            AppSource::Manifest { path, .. } => {
                std::path::absolute(path).ok().and_then(|path| path.parent().map(Path::to_owned))
            }
            AppSource::Given(app) => Some(app.base_dir.clone()),
            AppSource::Folder { .. } => None,
        };
        let log = deciding.log(base_dir.as_deref().unwrap_or(Path::new(".")));
        if log.is_file() {
            deciding.begin(&log)?;
        }
        Ok(deciding)
    }

    fn log(&self, base_dir: &Path) -> PathBuf {
        self.state_dir.clone().unwrap_or_else(|| base_dir.join(".coracle")).join("rollouts.redb")
    }

    fn begin(&mut self, log: &Path) -> Result<(), LogError> {
        let (rollouts, thread) = rollout::start(log)?;
        self.thread = Some(thread);
        let _ = self.rollouts.set(rollouts);
        Ok(())
    }

    /// Has the routes of a state steered, before requests see it.
    ///
    /// # Errors
    /// When the log can't be used.
    pub async fn adopt(&mut self, state: &AppState) -> Result<(), LogError> {
        let routes: Vec<_> = state.all_routes().filter_map(|route| route.steered.clone()).collect();
        if self.rollouts.get().is_none() {
            if routes.is_empty() {
                return Ok(());
            }
            self.begin(&self.log(&state.app.base_dir))?;
        }
        if let Some(rollouts) = self.rollouts.get() {
            rollouts.adopt(routes.into_iter().map(|steered| Adopted { steered, unfit: None }).collect()).await;
        }
        Ok(())
    }
}
