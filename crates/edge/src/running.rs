//! How many requests of one connection are running, and since when there have been none. A request runs until its response's
//! body has ended. Used by `shard`, which closes idle connections, and by `crowd`, which asks them to make room.
//!
//! Each request pays two counts and a look at the clock; a timer is set once per patience, not once per request.

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// The running requests of one connection. Copies share the count.
#[derive(Clone)]
pub struct Running(Arc<State>);

struct State {
    count: AtomicUsize,
    /// When the last one ended, or the connection was made, by [`now`].
    since: AtomicU64,
    /// It has been asked to close since its last request.
    asked: AtomicBool,
    go: Notify,
}

/// One running request: counts until it is dropped.
pub struct One(Running);

/// Milliseconds of this process.
fn now() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX)
}

impl Running {
    /// For a connection that was just made.
    pub fn new() -> Self {
        let state = State {
            count: AtomicUsize::new(0),
            since: AtomicU64::new(now()),
            asked: AtomicBool::new(false),
            go: Notify::new(),
        };
        Self(Arc::new(state))
    }

    pub fn one(&self) -> One {
        self.0.count.fetch_add(1, AcqRel);
        One(self.clone())
    }

    /// For how long none has run; `None` while one does.
    pub fn idle_for(&self) -> Option<Duration> {
        let idle = self.0.count.load(Acquire) == 0;
        idle.then(|| Duration::from_millis(now().saturating_sub(self.0.since.load(Relaxed))))
    }

    /// For how long it has been idle without having been asked to go.
    pub fn may_be_asked(&self) -> Option<Duration> {
        self.idle_for().filter(|_| !self.0.asked.load(Relaxed))
    }

    /// Asks it to close, if it is still idle when it hears of it.
    pub fn ask_to_go(&self) {
        self.0.asked.store(true, Relaxed);
        self.0.go.notify_one();
    }

    /// Returns when none has run for `patience`, or when none runs and others need the connection's place.
    pub async fn idle(&self, patience: Duration) {
        loop {
            let left = match self.idle_for() {
                Some(idle) if idle >= patience => return,
                Some(idle) => patience.saturating_sub(idle),
                None => patience,
            };
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                () = self.0.go.notified() => if self.idle_for().is_some() {
                    return;
                }
            }
        }
    }
}

impl Drop for One {
    fn drop(&mut self) {
        let state = &self.0.0;
        state.since.store(now(), Relaxed);
        state.asked.store(false, Relaxed);
        state.count.fetch_sub(1, Release);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use futures::FutureExt as _;

    #[tokio::test]
    async fn idle_is_who_runs_nothing() {
        let running = Running::new();
        let one = running.one();
        let two = running.one();
        drop(one);
        assert_eq!(running.idle_for(), None);
        assert!(running.idle(Duration::ZERO).now_or_never().is_none());
        drop(two);
        assert!(running.idle_for().is_some());
        running.idle(Duration::ZERO).await;
    }

    #[tokio::test]
    async fn who_is_asked_goes_when_idle_and_only_then() {
        let running = Running::new();
        let long = Duration::from_secs(3600);
        let one = running.one();
        running.ask_to_go();
        let mut idle = Box::pin(running.idle(long));
        assert!(idle.as_mut().now_or_never().is_none(), "it is at work");
        drop(one);
        assert!(idle.as_mut().now_or_never().is_none(), "what was said before its last request counts no more");
        assert!(running.may_be_asked().is_some());
        running.ask_to_go();
        assert!(running.may_be_asked().is_none());
        idle.await;
    }
}
