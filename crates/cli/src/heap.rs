//! The allocator of the process, and how much it has given out.

/// A request makes a few hundred short-lived objects; the system's allocator takes a tenth of its time for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Bytes that are allocated. Memories of guests are not: the runtime maps them itself.
pub fn allocated() -> u64 {
    let [mut elapsed, mut user, mut system, mut rss, mut most_rss, mut committed, mut most_committed, mut faults] = [0; 8];
    // SAFETY: each pointer leads to a number of this frame, which is what the function writes to and nothing else.
    #[allow(unsafe_code)]
    unsafe {
        libmimalloc_sys::mi_process_info(
            &raw mut elapsed,
            &raw mut user,
            &raw mut system,
            &raw mut rss,
            &raw mut most_rss,
            &raw mut committed,
            &raw mut most_committed,
            &raw mut faults,
        );
    }
    committed as u64
}

#[cfg(test)]
mod tests {
    use super::allocated;

    #[test]
    fn what_is_allocated_is_seen() {
        let before = allocated();
        let block = std::hint::black_box(vec![1_u8; 64 << 20]);
        let with = allocated();
        assert!(with >= before + block.len() as u64, "{before} → {with}");
    }
}
