//! The allocator of the process, and how much it has given out.
//!
//! A request makes a few hundred short-lived objects; the system's allocator takes a tenth of its time for them. Each thread
//! counts for itself and adds its count to the sum now and then, so that counting costs next to nothing.

use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// What all threads have added.
static SUM: AtomicI64 = AtomicI64::new(0);
/// A thread adds its count when it is this far off.
const STEP: i64 = 64 * 1024;

thread_local! {
    static COUNT: Cell<i64> = const { Cell::new(0) };
}

/// Bytes that are allocated, to within 64 KiB a thread. Memories of guests are not among them: the runtime maps those itself.
pub fn allocated() -> u64 {
    u64::try_from(SUM.load(Relaxed)).unwrap_or(0)
}

fn count(bytes: i64) {
    // A thread that is ending has no count any more.
    let _ = COUNT.try_with(|own| {
        let sum = own.get() + bytes;
        if sum.abs() < STEP {
            own.set(sum);
        } else {
            own.set(0);
            SUM.fetch_add(sum, Relaxed);
        }
    });
}

/// Sizes are below `isize::MAX`: so says `Layout`.
fn size(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

struct Counted;

// SAFETY: everything is mimalloc's, handed through unchanged; counting allocates nothing and can't unwind.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(size(layout.size()));
        // SAFETY: the caller's promise is passed on.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(size(layout.size()));
        // SAFETY: the caller's promise is passed on.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-size(layout.size()));
        // SAFETY: the caller's promise is passed on.
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(size(new_size) - size(layout.size()));
        // SAFETY: the caller's promise is passed on.
        unsafe { MiMalloc.realloc(pointer, layout, new_size) }
    }
}

#[cfg(test)]
mod tests {
    use super::allocated;

    #[test]
    fn what_is_allocated_is_seen_and_what_is_freed_too() {
        let before = allocated();
        let block = std::hint::black_box(vec![1_u8; 64 << 20]);
        let with = allocated();
        assert!(with >= before + (63 << 20), "{before} → {with}");
        drop(block);
        let after = allocated();
        assert!(after < before + (32 << 20), "{before} → {with} → {after}");
    }
}
