//! How many connections a shard may have open, and who goes when more come: the one that has been idle longest. So nobody keeps
//! others out by opening connections and saying nothing.
//!
//! ```text
//!   accept ─ place() ─ a free one ─▶ the connection runs
//!               └─ none ─▶ asks the idle, one after the other ─▶ asked_to_go() ─▶ closes ─▶ its place is free
//! ```
//! A connection with a running request is never asked, and what hasn't been idle for a moment is asked last: the idle wait in a
//! queue, which they leave with each request.

use futures::FutureExt as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// How long to wait for a place before the next idle connection is asked for its own.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// The connections of one shard.
pub struct Crowd {
    places: Arc<Semaphore>,
    /// Wakes whoever waits longest.
    idle: Notify,
}

impl Crowd {
    pub fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places.max(1))), idle: Notify::new() }
    }

    /// A place for one connection, once there is one.
    pub async fn place(&self) -> OwnedSemaphorePermit {
        loop {
            if let Some(place) = self.free_place() {
                return place;
            }
            self.idle.notify_one();
            if let Ok(Ok(place)) = tokio::time::timeout(ASK_AGAIN, Arc::clone(&self.places).acquire_owned()).await {
                // When nobody was idle the call still stands; the next to be idle must not hear it.
                let _ = self.idle.notified().now_or_never();
                return place;
            }
        }
    }

    /// A place for one connection, if there is one.
    pub fn free_place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Returns when this connection, which is idle from now on, should close to make room. Drop it when it is idle no more.
    pub async fn asked_to_go(&self) {
        self.idle.notified().await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn the_longest_idle_connection_makes_room() {
        let crowd = Crowd::new(2);
        let (first, second) = (crowd.place().await, crowd.place().await);
        let (mut one, mut two) = (Box::pin(crowd.asked_to_go()), Box::pin(crowd.asked_to_go()));
        assert!(two.as_mut().now_or_never().is_none());
        assert!(one.as_mut().now_or_never().is_none());
        let mut wanted = Box::pin(crowd.place());
        assert!(wanted.as_mut().now_or_never().is_none());
        assert!(one.as_mut().now_or_never().is_none());
        assert!(two.as_mut().now_or_never().is_some());
        drop(second);
        let _third = wanted.await;
        assert!(one.as_mut().now_or_never().is_none());
        drop(first);
    }

    #[tokio::test]
    async fn nobody_is_asked_once_there_is_room() {
        let crowd = Crowd::new(1);
        let first = crowd.place().await;
        let mut wanted = Box::pin(crowd.place());
        assert!(wanted.as_mut().now_or_never().is_none());
        drop(first);
        let _second = wanted.await;
        assert!(crowd.asked_to_go().now_or_never().is_none());
    }
}
