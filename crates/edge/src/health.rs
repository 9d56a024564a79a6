//! Whether an upstream answers: the state that its watcher writes, and that requests and `/readyz` read.
//!
//! ```text
//!   Starting ──answers──▶ Ready ──process ended──▶ Down ──restarted──▶ Starting
//! ```

use std::time::Duration;
use tokio::sync::watch;

/// What is known of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Not seen to answer yet, but about to.
    Starting,
    Ready,
    /// Does not answer; the text says why.
    Down(String),
}

/// Reads the health of one upstream.
#[derive(Clone, Debug)]
pub struct Watch {
    health: watch::Receiver<Health>,
    /// Whether requests wait for it: true when Coracle starts the process itself.
    gates: bool,
}

impl Watch {
    /// The two ends. With `gates`, requests wait while it starts and fail while it is down.
    pub fn new(first: Health, gates: bool) -> (watch::Sender<Health>, Self) {
        let (sender, health) = watch::channel(first);
        (sender, Self { health, gates })
    }

    pub fn now(&self) -> Health {
        self.health.borrow().clone()
    }

    /// Waits while the upstream is starting, at most `patience`.
    ///
    /// # Errors
    /// When it is down or did not get ready; the text says why.
    pub async fn ready(&self, patience: Duration) -> Result<(), String> {
        if !self.gates || *self.health.borrow() == Health::Ready {
            return Ok(());
        }
        let mut health = self.health.clone();
        let settled = health.wait_for(|health| *health != Health::Starting);
        let settled = tokio::time::timeout(patience, settled).await.map(|settled| settled.map(|health| health.clone()));
        match settled {
            Ok(Ok(Health::Ready)) => Ok(()),
            Ok(Ok(Health::Down(reason))) => Err(reason),
            Ok(Ok(Health::Starting)) | Err(_) => Err("it is still being started".to_owned()),
            Ok(Err(_)) => Err("it is being stopped".to_owned()),
        }
    }
}
