//! The way to the writer: what it last published, and a queue for wishes.

pub use crate::not_done::NotDone;
use crate::rollout::views::View;
use crate::rollout::writer::Adopted;
use arc_swap::ArcSwap;
use coracle_rollout::command::Command;
use coracle_rollout::event::Entry;
use coracle_rollout::machine::History;
use std::sync::{Arc, mpsc};
use tokio::sync::oneshot;

/// Rollouts as everybody but the writer sees them. Copies are cheap.
#[derive(Clone)]
pub struct Rollouts {
    pub(super) views: Arc<ArcSwap<Vec<View>>>,
    pub(super) history: Arc<ArcSwap<History>>,
    pub(super) asks: mpsc::Sender<Ask>,
}

/// A wish to the writer.
pub enum Ask {
    /// The routes in use from now on. Answered when they are steered as the log says.
    Adopt { routes: Vec<Adopted>, done: oneshot::Sender<()> },
    /// About one rollout.
    Command { id: String, command: Command, actor: String, done: oneshot::Sender<Result<View, NotDone>> },
    /// A rollout of the manifest once more: after it was rolled back or superseded.
    Start { route: String, actor: String, retry: bool, done: oneshot::Sender<Result<View, NotDone>> },
    /// The entries of the log from a number on.
    Events { from: u64, done: oneshot::Sender<Result<Vec<Entry>, NotDone>> },
    /// Write down what is known, and end.
    Stop,
}

impl Rollouts {
    pub fn views(&self) -> Arc<Vec<View>> {
        self.views.load_full()
    }

    /// The state of all rollouts, as of the last entry of the log.
    pub fn history(&self) -> Arc<History> {
        self.history.load_full()
    }

    /// Asks, and waits for the answer.
    pub async fn ask<T>(&self, make: impl FnOnce(oneshot::Sender<Result<T, NotDone>>) -> Ask) -> Result<T, NotDone> {
        let gone = || NotDone::Broken("rollouts have ended".to_owned());
        let (done, answer) = oneshot::channel();
        self.asks.send(make(done)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Hands over the routes in use; returns when they are steered.
    pub async fn adopt(&self, routes: Vec<Adopted>) {
        let (done, adopted) = oneshot::channel();
        if self.asks.send(Ask::Adopt { routes, done }).is_ok() {
            // A writer that has ended steers nothing any more; the routes stay on the old version.
            let _ = adopted.await;
        }
    }

    pub fn stop(&self) {
        let _ = self.asks.send(Ask::Stop);
    }
}
