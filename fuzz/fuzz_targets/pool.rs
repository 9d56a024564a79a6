//! Random schedules of requests meet in one pool, as in the host's own property test, but found by coverage: three bytes choose how
//! instances are reused, and four each are a visit.
#![no_main]
#![allow(dead_code, unused_imports)]

#[path = "../../crates/host/tests/it/rig.rs"]
mod rig;
#[path = "../../crates/host/tests/it/visits.rs"]
mod visits;

use coracle_manifest::Reuse;
use libfuzzer_sys::fuzz_target;
use std::time::Duration;
use visits::{Client, Kind, Visit, run};

fuzz_target!(|bytes: &[u8]| {
    let Some((&[requests, together, concurrency], visits)) = bytes.split_first_chunk::<3>() else { return };
    let requests = [1, 3, 1000][usize::from(requests % 3)];
    let together = [1, 4, 16][usize::from(together % 3)];
    let reuse = Reuse { requests, concurrency: together.min(requests), idle: Duration::from_millis(20) };
    let visits: Vec<Visit> = visits.chunks_exact(4).take(24).map(visit).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    runtime.block_on(run(visits, reuse, [2, 64][usize::from(concurrency % 2)]));
});

fn visit(bytes: &[u8]) -> Visit {
    let byte = |at: usize| u64::from(bytes.get(at).copied().unwrap_or(0));
    let kind = match byte(0) % 13 {
        0..=4 => Kind::Good,
        5..=7 => Kind::Streamed,
        8..=9 => Kind::Busy,
        10 => Kind::TrapBefore,
        11 => Kind::TrapAfterResponse,
        _ => Kind::Spin,
    };
    let client = match byte(1) % 6 {
        0..=3 => Client::Waits,
        4 => Client::LeavesAfter(byte(1) / 6),
        _ => Client::Dawdles(byte(1) / 6),
    };
    Visit { kind, client, arrives: byte(2) % 40, takes: byte(3) % 20 }
}
