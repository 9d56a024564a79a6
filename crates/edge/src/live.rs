//! What all threads of the process share: the state in use, how far the shutdown is, and what has been counted.

use crate::load::LoadError;
use crate::record::Counts;
use crate::rollout::Rollouts;
use crate::state::AppState;
use crate::tls::Tls;
use crate::tunnel::Tunnels;
use arc_swap::ArcSwap;
use coracle_host::Engine;
use coracle_telemetry::Telemetry;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// What a reload has changed.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Reloaded {
    /// Counts the states of this process, from 1.
    pub generation: u64,
    /// Components whose instances were replaced.
    pub replaced: Vec<String>,
    /// Components that stayed as they were.
    pub kept: Vec<String>,
    /// Places of apps of a folder that don't load: they are not served, or as they were before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
}

/// Asks the hub to reload, and hears the outcome.
pub type Reload = oneshot::Sender<Result<Reloaded, LoadError>>;

/// Shared by shards, hub and admin listener. Only the hub stores a new state and ends the phases.
pub struct Live {
    pub engine: Engine,
    pub state: ArcSwap<AppState>,
    /// Take no new connections, finish what runs.
    pub drain: CancellationToken,
    /// There is no more time: break off what still runs.
    pub now: CancellationToken,
    /// Everything has ended: threads may go.
    pub stop: CancellationToken,
    pub tunnels: Tunnels,
    /// Where rollouts are decided; begins when a route first asks for it.
    pub rollouts: Arc<OnceLock<Rollouts>>,
    pub counts: Arc<Counts>,
    pub tls: Option<Arc<Tls>>,
    /// Copies of the listening sockets, for a successor; given up when the drain begins.
    pub sockets: Mutex<Vec<std::net::TcpListener>>,
    pub started: Instant,
    /// What is measured and kept; `None` while telemetry is off.
    pub telemetry: Option<Arc<Telemetry>>,
}

impl Live {
    /// Why it can't take requests; empty when it can.
    pub fn not_ready(&self) -> Vec<String> {
        if self.drain.is_cancelled() {
            return vec!["shutting down".to_owned()];
        }
        self.state.load().not_ready()
    }
}
