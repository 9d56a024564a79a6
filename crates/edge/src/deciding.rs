//! The thread that decides about rollouts, as the hub has it: started for the first route that is in one, told of each new state.

use crate::live::Live;
use crate::rollout::{Adopted, start};
use crate::state::AppState;
use coracle_rollout::log::LogError;
use std::path::PathBuf;
use std::thread::JoinHandle;

/// The thread that decides about rollouts, from the first route that is in one.
pub struct Deciding {
    pub state_dir: Option<PathBuf>,
    pub thread: Option<JoinHandle<()>>,
}

impl Deciding {
    /// Has the routes of a state steered, before requests see it.
    pub async fn adopt(&mut self, live: &Live, state: &AppState) -> Result<(), LogError> {
        let routes: Vec<_> = state.all_routes().filter_map(|route| route.steered.clone()).collect();
        if live.rollouts.get().is_none() {
            if routes.is_empty() {
                return Ok(());
            }
            let dir = self.state_dir.clone().unwrap_or_else(|| state.app.base_dir.join(".coracle"));
            let (rollouts, thread) = start(&dir.join("rollouts.redb"))?;
            self.thread = Some(thread);
            let _ = live.rollouts.set(rollouts);
        }
        if let Some(rollouts) = live.rollouts.get() {
            rollouts.adopt(routes.into_iter().map(|steered| Adopted { steered, unfit: None }).collect()).await;
        }
        Ok(())
    }
}
