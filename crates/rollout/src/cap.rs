//! Counts each key a few times a minute at most, so that one client in a loop isn't mistaken for many users: the verdicts
//! assume that events have little to do with each other.
//!
//! A table of fixed size, by hash. Keys that share a place share an allowance: fewer requests count then, of good ones as of
//! bad ones, which makes the verdict later but not wrong. One for each version and shard; no locks.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

const PLACES: usize = 4096;

/// The allowance of each key in the minute that runs.
#[derive(Debug)]
pub struct Cap {
    each: u8,
    minute: AtomicU64,
    used: Box<[AtomicU8]>,
}

impl Cap {
    /// So many requests of each key count in a minute.
    pub fn new(each: u8) -> Self {
        Self { each, minute: AtomicU64::new(0), used: (0..PLACES).map(|_| AtomicU8::new(0)).collect() }
    }

    /// True when a request of the key counts. `minute` is any clock's; a key of `None` is everybody else's own.
    pub fn counts(&self, key: Option<u64>, minute: u64) -> bool {
        let Some(key) = key else { return true };
        if self.minute.swap(minute, Relaxed) != minute {
            for place in &self.used {
                place.store(0, Relaxed);
            }
        }
        let Some(place) = self.used.get(key as usize % PLACES) else { return true };
        place.fetch_update(Relaxed, Relaxed, |used| (used < self.each).then_some(used + 1)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_counts_so_often_a_minute() {
        let cap = Cap::new(3);
        let counted = |key, minute| (0..10).filter(|_| cap.counts(key, minute)).count();
        assert_eq!(counted(Some(7), 1), 3);
        assert_eq!(counted(Some(7), 1), 0);
        assert_eq!(counted(Some(8), 1), 3);
        assert_eq!(counted(Some(7), 2), 3);
        assert_eq!(counted(None, 2), 10);
    }
}
