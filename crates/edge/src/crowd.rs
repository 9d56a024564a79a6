//! How many connections a shard may have open, and who goes when more come: the one that has been idle longest. So nobody keeps
//! others out by opening connections and saying nothing.
//!
//! ```text
//!   accept ─ place() ─ a free one ─▶ the connection runs
//!               └─ none ─▶ asks the idle, one after the other ─▶ it closes ─▶ its place is free
//! ```
//! A connection with a running request is never asked.

use crate::running::Running;
use slab::Slab;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long to wait for a place before the next idle connection is asked for its own.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// The connections of one shard.
pub struct Crowd {
    places: Arc<Semaphore>,
    open: Mutex<Slab<Running>>,
}

/// An open connection; off the list when dropped.
pub struct Member<'a> {
    crowd: &'a Crowd,
    number: usize,
}

impl Crowd {
    pub fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places.max(1))), open: Mutex::default() }
    }

    fn open(&self) -> MutexGuard<'_, Slab<Running>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a connection on the list of those that may be asked to go.
    pub fn join(&self, running: &Running) -> Member<'_> {
        let number = self.open().insert(running.clone());
        Member { crowd: self, number }
    }

    /// A place for one connection, once there is one.
    pub async fn place(&self) -> OwnedSemaphorePermit {
        loop {
            if let Some(place) = self.free_place() {
                return place;
            }
            self.ask();
            if let Ok(Ok(place)) = tokio::time::timeout(ASK_AGAIN, Arc::clone(&self.places).acquire_owned()).await {
                return place;
            }
        }
    }

    /// A place for one connection, if there is one.
    pub fn free_place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Asks who has been idle longest and was not asked yet.
    fn ask(&self) {
        let open = self.open();
        let idle = open.iter().filter_map(|(_, running)| Some((running.may_be_asked()?, running)));
        if let Some((_, running)) = idle.max_by_key(|(idle, _)| *idle) {
            running.ask_to_go();
        }
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        self.crowd.open().try_remove(self.number);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use futures::FutureExt as _;

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn the_longest_idle_connection_makes_room() {
        let crowd = Crowd::new(3);
        let [first, second, third] = std::array::from_fn(|_| crowd.free_place().unwrap());
        let busy = Running::new();
        let _work = busy.one();
        let old = Running::new();
        // The clock has steps of a millisecond.
        while old.idle_for().unwrap() < Duration::from_millis(2) {
            tokio::task::yield_now().await;
        }
        let young = Running::new();
        let _members = [&busy, &young, &old].map(|one| crowd.join(one));
        let mut wanted = Box::pin(crowd.place());
        assert!(wanted.as_mut().now_or_never().is_none());
        assert!(busy.idle(LONG).now_or_never().is_none());
        assert!(young.idle(LONG).now_or_never().is_none());
        old.idle(LONG).await;
        drop(second);
        let _fourth = wanted.await;
        assert!(young.idle(LONG).now_or_never().is_none(), "nobody else is asked once there is room");
        drop((first, third));
    }

    #[tokio::test]
    async fn who_was_asked_and_stays_is_not_asked_in_place_of_others() {
        let crowd = Crowd::new(1);
        let [one, two] = std::array::from_fn(|_| Running::new());
        let _members = [&one, &two].map(|running| crowd.join(running));
        crowd.ask();
        crowd.ask();
        one.idle(LONG).await;
        two.idle(LONG).await;
    }
}
