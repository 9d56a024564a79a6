//! Where both guests trap: a function of the guest's own, and one that is inlined into it.

/// Traps in `total`, inlined here.
#[inline(never)]
pub fn checkout(items: u64) -> u64 {
    total(items) + 1
}

#[inline(always)]
fn total(items: u64) -> u64 {
    if items > 2 {
        std::process::abort();
    }
    items * 3
}

/// Calls itself that often, then traps.
#[inline(never)]
pub fn nested(depth: u64) -> u64 {
    if depth == 0 {
        std::process::abort();
    }
    std::hint::black_box(nested(std::hint::black_box(depth - 1))) + 1
}
