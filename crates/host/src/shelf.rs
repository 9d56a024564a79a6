//! What is mapped in this process: the code of each component that has been called, within one budget of bytes and of the
//! mappings that the kernel allows a process (`vm.max_map_count`). Who has not been called for longest makes room first.
//!
//! ```text
//!   reserve ─ fits ──────────────────────────▶ Hold ─▶ mapped, shelved ─▶ let go ─▶ given back
//!           └ full ─ the coldest idle let go ──▲  └ nobody is idle ─▶ none
//! ```
//! It never lets go of a component that has requests in flight, nor of one that was loaded to stay. It knows components only by
//! when they were used and by how they are asked to let go, so that it can serve the pools that know it.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

/// Mappings that one component's code takes: file, text and read-only data, and one for a neighbour that they split.
const MAPPINGS_OF_CODE: usize = 4;
/// Mappings that a place of the engine may take: memory and its image, tables, a stack, and their guards.
const MAPPINGS_OF_PLACE: usize = 12;
/// Mappings that the process takes besides: libraries, threads, the allocator, stores of guests.
const MAPPINGS_OF_PROCESS: usize = 4096;
/// What Linux allows where it does not say.
const USUAL_MAPPINGS: usize = 65_530;
/// When it is full, this part of it is freed at once: the next to come find room.
const BATCH: u64 = 32;
/// How often room is made for one.
const TRIES: u32 = 8;

/// How a component is asked to let go of its code.
pub(crate) enum Asked {
    /// It has.
    LetGo,
    /// Requests are in flight.
    Busy,
    /// It is gone, or has let go before.
    Gone,
}

/// A component whose code is mapped and may be let go of.
pub(crate) struct Shelved {
    /// When it was used last, by [`Shelf::now`]; gone with the component.
    pub(crate) used: Weak<AtomicU64>,
    pub(crate) let_go: Box<dyn Fn() -> Asked + Send + Sync>,
}

/// The budget, and who may be asked for room.
pub(crate) struct Shelf {
    bytes: Amount,
    mappings: Amount,
    shelved: Mutex<Vec<Shelved>>,
    /// One makes room at a time.
    turn: Mutex<()>,
    started: Instant,
    evicted: AtomicU64,
    loaded: AtomicU64,
    images: AtomicUsize,
}

struct Amount {
    used: AtomicU64,
    cap: u64,
}

/// What is mapped at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// Components whose code is mapped.
    pub images: usize,
    /// Bytes of their code.
    pub bytes: u64,
    /// Bytes that may be mapped.
    pub cap: u64,
    /// Components that may be mapped, as far as the kernel's limit of mappings goes.
    pub most: u64,
    /// How often code was mapped since the start.
    pub loaded: u64,
    /// How often code was let go of to make room.
    pub evicted: u64,
}

impl Shelf {
    /// So many bytes, and the mappings that are left beside so many places; `most` components at most.
    pub(crate) fn new(bytes: u64, places: u32, most: Option<u32>) -> Arc<Self> {
        let by_kernel = max_map_count().saturating_sub(MAPPINGS_OF_PROCESS + places as usize * MAPPINGS_OF_PLACE);
        // A kernel that allows too little for all places: rather fewer places at work than no code.
        let by_kernel = by_kernel.max(max_map_count() / 4);
        let cap = most.map_or(by_kernel, |most| by_kernel.min(most as usize * MAPPINGS_OF_CODE));
        let amount = |cap| Amount { used: AtomicU64::new(0), cap };
        Arc::new(Self {
            bytes: amount(bytes),
            mappings: amount(cap as u64),
            shelved: Mutex::default(),
            turn: Mutex::default(),
            started: Instant::now(),
            evicted: AtomicU64::new(0),
            loaded: AtomicU64::new(0),
            images: AtomicUsize::new(0),
        })
    }

    /// A point in time, to be compared with others of this shelf only.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Room for code of so many bytes, made if need be; none when all that is mapped has requests in flight or is to stay.
    /// What is larger than the whole shelf has it for itself.
    pub(crate) fn reserve(self: &Arc<Self>, bytes: u64) -> Option<Hold> {
        let bytes = bytes.min(self.bytes.cap);
        // Others may take what was freed.
        let mut tries = 0..TRIES;
        while !self.take(bytes) {
            tries.next().filter(|_| self.make_room(bytes))?;
        }
        self.loaded.fetch_add(1, Relaxed);
        self.images.fetch_add(1, Relaxed);
        Some(Hold { shelf: Arc::clone(self), bytes, given_back: AtomicBool::new(false) })
    }

    /// Adds a component that may be asked for room from now on.
    pub(crate) fn shelve(&self, shelved: Shelved) {
        let mut list = self.list();
        if list.len() == list.capacity() {
            list.retain(|one| one.used.strong_count() > 0);
        }
        list.push(shelved);
    }

    pub(crate) fn mapped(&self) -> Mapped {
        Mapped {
            images: self.images.load(Relaxed),
            bytes: self.bytes.used.load(Relaxed),
            cap: self.bytes.cap,
            most: self.mappings.cap / MAPPINGS_OF_CODE as u64,
            loaded: self.loaded.load(Relaxed),
            evicted: self.evicted.load(Relaxed),
        }
    }

    fn list(&self) -> MutexGuard<'_, Vec<Shelved>> {
        self.shelved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, bytes: u64) -> bool {
        if !self.bytes.take(bytes) {
            return false;
        }
        let took = self.mappings.take(MAPPINGS_OF_CODE as u64);
        if !took {
            self.bytes.give_back(bytes);
        }
        took
    }

    /// Asks the coldest first, until there is room for this and a batch more. Whether there is room for this.
    fn make_room(&self, bytes: u64) -> bool {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken off the list, so that letting go, which unmaps, holds nobody up.
        let mut candidates = std::mem::take(&mut *self.list());
        candidates.sort_by_cached_key(|one| one.used.upgrade().map(|used| used.load(Relaxed)));
        let enough = |spare: u64| {
            self.bytes.free() >= bytes.saturating_add(self.bytes.cap / BATCH * spare).min(self.bytes.cap)
                && self.mappings.free() >= MAPPINGS_OF_CODE as u64 + self.mappings.cap / BATCH * spare
        };
        candidates.retain(|one| {
            if enough(1) {
                return true;
            }
            match (one.let_go)() {
                Asked::LetGo => {
                    self.evicted.fetch_add(1, Relaxed);
                    false
                }
                Asked::Gone => false,
                Asked::Busy => true,
            }
        });
        self.list().append(&mut candidates);
        enough(0)
    }
}

impl Amount {
    fn take(&self, amount: u64) -> bool {
        let new = |used: u64| used.checked_add(amount).filter(|sum| *sum <= self.cap);
        self.used.fetch_update(Relaxed, Relaxed, new).is_ok()
    }

    fn give_back(&self, amount: u64) {
        self.used.fetch_sub(amount, Relaxed);
    }

    fn free(&self) -> u64 {
        self.cap.saturating_sub(self.used.load(Relaxed))
    }
}

/// Room on the shelf; given back when dropped.
pub(crate) struct Hold {
    shelf: Arc<Shelf>,
    bytes: u64,
    given_back: AtomicBool,
}

impl Hold {
    /// Gives the room back already: an instance that still ends in the code will be gone in a moment.
    pub(crate) fn give_back(&self) {
        if !self.given_back.swap(true, Relaxed) {
            self.shelf.bytes.give_back(self.bytes);
            self.shelf.mappings.give_back(MAPPINGS_OF_CODE as u64);
            self.shelf.images.fetch_sub(1, Relaxed);
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.give_back();
    }
}

fn max_map_count() -> usize {
    let text = fs::read_to_string("/proc/sys/vm/max_map_count").unwrap_or_default();
    text.trim().parse().unwrap_or(USUAL_MAPPINGS)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Something mapped that notes when it lets go; busy while it is told so.
    struct Image {
        hold: Mutex<Option<Hold>>,
        busy: AtomicBool,
        used: Arc<AtomicU64>,
    }

    fn map(shelf: &Arc<Shelf>, bytes: u64, used: u64) -> Option<Arc<Image>> {
        let hold = shelf.reserve(bytes)?;
        let used = Arc::new(AtomicU64::new(used));
        let weak_used = Arc::downgrade(&used);
        let image = Arc::new(Image { hold: Mutex::new(Some(hold)), busy: AtomicBool::new(false), used });
        let weak = Arc::downgrade(&image);
        let let_go = Box::new(move || {
            let Some(image) = weak.upgrade() else { return Asked::Gone };
            if image.busy.load(Relaxed) {
                return Asked::Busy;
            }
            match image.hold.lock().unwrap().take() {
                Some(_) => Asked::LetGo,
                None => Asked::Gone,
            }
        });
        shelf.shelve(Shelved { used: weak_used, let_go });
        assert!(image.used.load(Relaxed) > 0);
        Some(image)
    }

    fn there(image: &Image) -> bool {
        image.hold.lock().unwrap().is_some()
    }

    #[test]
    fn the_coldest_idle_one_makes_room() {
        let shelf = Shelf::new(1 << 20, 1, Some(3));
        let [a, b, c] = [30, 10, 20].map(|used| map(&shelf, 1, used).unwrap());
        b.busy.store(true, Relaxed);
        let d = map(&shelf, 1, 40).unwrap();
        assert_eq!([&a, &b, &c, &d].map(|one| there(one)), [true, true, false, true], "b is older, and at work");
        [&a, &d].into_iter().for_each(|one| one.busy.store(true, Relaxed));
        assert!(map(&shelf, 1, 50).is_none(), "all are at work");
        b.busy.store(false, Relaxed);
        assert!(map(&shelf, 1, 60).is_some());
        assert!(!there(&b));
        let mapped = shelf.mapped();
        assert_eq!((mapped.loaded, mapped.evicted, mapped.most), (5, 2, 3));
    }

    #[test]
    fn bytes_are_counted_too_and_given_back() {
        let shelf = Shelf::new(100, 1, None);
        let a = map(&shelf, 60, 1).unwrap();
        let b = map(&shelf, 60, 2).unwrap();
        assert_eq!((there(&a), there(&b), shelf.mapped().bytes), (false, true, 60));
        drop((a, b));
        assert_eq!((shelf.mapped().bytes, shelf.mapped().images), (0, 0));
        assert!(map(&shelf, 1000, 3).is_some(), "what is larger than all has it for itself");
    }
}
