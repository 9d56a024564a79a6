//! What happens around a trap when requests share an instance: the trap ends them all, and says nothing of who did it.
//!
//! ```text
//! instance with several requests traps ─▶ those that are intact run again, each alone ─▶ answered: innocent
//!                                      │                                              └▶ traps again: guilty, remembered
//!                                      └▶ the others fail as collateral
//! ```
//! Requests that look like a guilty one run alone for a while. After a trap fewer requests share an instance, and more
//! again as they are answered.

use crate::Request;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long requests that look like a guilty one run alone.
const SUSPECTED_FOR: Duration = Duration::from_secs(60);
/// Guilty ones that are remembered; beyond it the oldest is forgotten.
const MOST_SUSPECTS: usize = 256;
/// Answers after which one more request may share an instance again.
const RECOVERY: u32 = 64;

/// One component's experience with traps.
#[derive(Debug)]
pub(crate) struct Blast {
    /// Requests that may share an instance by the manifest.
    most: u32,
    now: AtomicU32,
    /// Answers since the last trap or recovery.
    good: AtomicU32,
    /// Requests that failed for the sake of another one.
    collateral: AtomicU64,
    replayed: AtomicU64,
    known: AtomicU32,
    suspects: Mutex<Vec<(Print, Instant)>>,
    hasher: RandomState,
}

/// What is known of a request before it runs: its method, path and the length and type of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Print(u64);

impl Blast {
    pub(crate) fn new(concurrency: u32) -> Self {
        Self {
            most: concurrency,
            now: AtomicU32::new(concurrency),
            good: AtomicU32::new(0),
            collateral: AtomicU64::new(0),
            replayed: AtomicU64::new(0),
            known: AtomicU32::new(0),
            suspects: Mutex::default(),
            hasher: RandomState::new(),
        }
    }

    /// Requests that may share an instance now.
    pub(crate) fn concurrency(&self) -> u32 {
        self.now.load(Relaxed)
    }

    /// An instance that several requests shared has died.
    pub(crate) fn trapped(&self) {
        self.good.store(0, Relaxed);
        // Another thread's change in between only lowers it once less.
        self.now.store((self.concurrency() / 2).max(1), Relaxed);
    }

    /// A request was answered.
    pub(crate) fn answered(&self) {
        if self.concurrency() < self.most && self.good.fetch_add(1, Relaxed) + 1 >= RECOVERY {
            self.good.store(0, Relaxed);
            self.now.fetch_min(self.most - 1, Relaxed);
            self.now.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn print(&self, request: &Request) -> Print {
        let headers = request.headers();
        let (length, kind) = (headers.get(http::header::CONTENT_LENGTH), headers.get(http::header::CONTENT_TYPE));
        Print(self.hasher.hash_one((request.method(), request.uri().path(), length, kind)))
    }

    fn suspects(&self) -> MutexGuard<'_, Vec<(Print, Instant)>> {
        self.suspects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request that ran alone has trapped.
    pub(crate) fn guilty(&self, print: Print) {
        let mut suspects = self.suspects();
        suspects.retain(|(other, _)| *other != print);
        if suspects.len() >= MOST_SUSPECTS {
            suspects.remove(0);
        }
        suspects.push((print, Instant::now()));
        self.known.store(u32::try_from(suspects.len()).unwrap_or(u32::MAX), Relaxed);
    }

    /// Whether a request looks like a guilty one and has to run alone.
    pub(crate) fn suspected(&self, request: &Request) -> bool {
        if self.known.load(Relaxed) == 0 {
            return false;
        }
        let print = self.print(request);
        let mut suspects = self.suspects();
        suspects.retain(|(_, since)| since.elapsed() < SUSPECTED_FOR);
        self.known.store(u32::try_from(suspects.len()).unwrap_or(u32::MAX), Relaxed);
        suspects.iter().any(|(other, _)| *other == print)
    }

    pub(crate) fn count_collateral(&self) {
        self.collateral.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_replay(&self) {
        self.replayed.fetch_add(1, Relaxed);
    }

    /// Requests that failed for another's sake, and requests that ran again alone.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.collateral.load(Relaxed), self.replayed.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Blast, MOST_SUSPECTS, RECOVERY};

    fn request(path: &str) -> crate::Request {
        http::Request::get(format!("http://x{path}")).body(crate::empty()).unwrap()
    }

    #[test]
    fn fewer_share_after_traps_and_more_again_after_answers() {
        let blast = Blast::new(16);
        blast.trapped();
        blast.trapped();
        assert_eq!(blast.concurrency(), 4);
        (0..20).for_each(|_| blast.trapped());
        assert_eq!(blast.concurrency(), 1);
        (0..RECOVERY * 3).for_each(|_| blast.answered());
        assert_eq!(blast.concurrency(), 4);
        (0..RECOVERY * 100).for_each(|_| blast.answered());
        assert_eq!(blast.concurrency(), 16);
    }

    #[test]
    fn who_looks_like_a_guilty_one_is_suspected_and_nobody_else() {
        let blast = Blast::new(2);
        assert!(!blast.suspected(&request("/bad")));
        blast.guilty(blast.print(&request("/bad")));
        assert!(blast.suspected(&request("/bad?query=other")));
        assert!(!blast.suspected(&request("/good")));
        for n in 0..MOST_SUSPECTS {
            blast.guilty(blast.print(&request(&format!("/{n}"))));
        }
        assert!(!blast.suspected(&request("/bad")), "the oldest is forgotten");
    }
}
