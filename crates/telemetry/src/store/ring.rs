//! A ring of the newest things, bounded in number and bytes, that is cheap to push into from many threads.
//!
//! ```text
//! push ─ this thread's heap, a lock nobody else holds ─▶ when it has some: the ring, if nobody reads just now
//! read ─ all heaps into the ring, then the ring
//! ```
//! Who pushes never waits for who reads: while a long search holds the ring, heaps grow, and beyond a limit things are lost and
//! counted.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

const HEAPS: usize = 16;
/// Things of a heap that are moved to the ring at once.
const BATCH: usize = 64;
/// Things that a heap may hold while the ring is read.
const MOST: usize = 8192;

/// The newest things of a kind, each with its number.
pub struct Ring<T> {
    heaps: Box<[Heap<T>]>,
    kept: Mutex<Kept<T>>,
    lost: AtomicU64,
}

#[repr(align(128))]
struct Heap<T>(Mutex<Vec<Thing<T>>>);

/// A thing on its way into the ring.
struct Thing<T> {
    thing: Arc<T>,
    bytes: usize,
    /// When it was there, in nanoseconds since 1970.
    at: u64,
}

struct Kept<T> {
    things: VecDeque<(u64, Arc<T>, usize)>,
    bytes: usize,
    next: u64,
    most: usize,
    most_bytes: usize,
}

impl<T> Ring<T> {
    /// A ring of at most so many things of so many bytes together.
    #[must_use]
    pub fn new(most: usize, most_bytes: usize) -> Self {
        let heaps = (0..HEAPS).map(|_| Heap(Mutex::default())).collect();
        // Numbers begin at 1, so that "after 0" is all.
        let kept = Kept { things: VecDeque::new(), bytes: 0, next: 1, most, most_bytes };
        Self { heaps, kept: Mutex::new(kept), lost: AtomicU64::new(0) }
    }

    /// Adds a thing of this many bytes that was there at this time, in nanoseconds since 1970.
    pub fn push(&self, thing: Arc<T>, bytes: usize, at: u64) {
        let Some(heap) = self.heaps.get(thread()) else { return };
        let mut heap = heap.0.lock().unwrap_or_else(PoisonError::into_inner);
        if heap.len() >= MOST {
            self.lost.fetch_add(1, Relaxed);
            return;
        }
        heap.push(Thing { thing, bytes, at });
        if heap.len() >= BATCH {
            match self.kept.try_lock() {
                Ok(mut kept) => kept.take(&mut heap),
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().take(&mut heap),
                Err(TryLockError::WouldBlock) => {}
            }
        }
    }

    /// Looks at all of them, the newest first, until `look` says that it has enough.
    pub fn newest(&self, mut look: impl FnMut(u64, &Arc<T>) -> bool) {
        let kept = self.settled();
        for (number, thing, _) in kept.things.iter().rev() {
            if !look(*number, thing) {
                break;
            }
        }
    }

    /// Those after a number, the oldest first; at most the last `most` of them.
    #[must_use]
    pub fn after(&self, number: u64, most: usize) -> Vec<(u64, Arc<T>)> {
        let kept = self.settled();
        let from = kept.things.partition_point(|(at, ..)| *at <= number);
        let from = from.max(kept.things.len().saturating_sub(most));
        kept.things.iter().skip(from).map(|(number, thing, _)| (*number, Arc::clone(thing))).collect()
    }

    /// The thing with this number.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<Arc<T>> {
        let kept = self.settled();
        let at = kept.things.binary_search_by_key(&number, |(at, ..)| *at).ok()?;
        kept.things.get(at).map(|(_, thing, _)| Arc::clone(thing))
    }

    /// How many there are, and their bytes.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        let kept = self.settled();
        (kept.things.len(), kept.bytes)
    }

    /// The number of the newest thing.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.settled().next - 1
    }

    /// Things that were lost because the ring was read for too long.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    /// The ring with all heaps taken in.
    fn settled(&self) -> MutexGuard<'_, Kept<T>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::new();
        for heap in &self.heaps {
            all.append(&mut heap.0.lock().unwrap_or_else(PoisonError::into_inner));
        }
        all.sort_by_key(|thing| thing.at);
        kept.take(&mut all);
        kept
    }
}

impl<T> Kept<T> {
    fn take(&mut self, heap: &mut Vec<Thing<T>>) {
        for Thing { thing, bytes, .. } in heap.drain(..) {
            self.things.push_back((self.next, thing, bytes));
            self.next += 1;
            self.bytes += bytes;
        }
        while self.things.len() > self.most || self.bytes > self.most_bytes {
            let Some((_, _, bytes)) = self.things.pop_front() else { break };
            self.bytes -= bytes;
        }
    }
}

/// A small number for this thread.
fn thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static THREAD: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    THREAD.with(|cell| {
        if cell.get() == usize::MAX {
            cell.set(NEXT.fetch_add(1, Relaxed) % HEAPS);
        }
        cell.get()
    })
}

#[cfg(test)]
mod tests {
    use super::{MOST, Ring};
    use std::sync::Arc;

    #[test]
    fn the_newest_stay() {
        let ring = Ring::new(3, 1000);
        (0..10).for_each(|n| ring.push(Arc::new(n), 1, 0));
        let mut seen = Vec::new();
        ring.newest(|number, thing| {
            seen.push((number, **thing));
            true
        });
        assert_eq!(seen, [(10, 9), (9, 8), (8, 7)]);
        assert_eq!(ring.size(), (3, 3));
        ring.push(Arc::new(99), 999, 0);
        assert_eq!(ring.size(), (2, 1000), "bytes are bounded too");
        assert_eq!(ring.get(11).as_deref(), Some(&99));
        assert_eq!(ring.get(3), None);
    }

    #[test]
    fn followers_see_each_thing_once() {
        let ring = Ring::new(1000, 1000);
        let mut last = 0;
        let mut seen = Vec::new();
        for n in 0..200 {
            ring.push(Arc::new(n), 1, 0);
            if n % 7 == 0 {
                for (number, thing) in ring.after(last, 100) {
                    last = number;
                    seen.push(*thing);
                }
            }
        }
        assert_eq!(seen, (0..197).collect::<Vec<_>>());
        assert_eq!(ring.after(0, 2).len(), 2);
    }

    #[test]
    fn who_pushes_never_waits_for_who_reads() {
        let ring = Ring::new(10 * MOST, usize::MAX);
        ring.push(Arc::new(0), 1, 0);
        ring.newest(|_, _| {
            std::thread::scope(|scope| {
                scope.spawn(|| (0..MOST + 5).for_each(|n| ring.push(Arc::new(n), 1, 0)));
            });
            false
        });
        assert_eq!((ring.size().0, ring.lost()), (MOST + 1, 5));
    }
}
