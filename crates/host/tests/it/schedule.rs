//! Random schedules: requests of all kinds, good and bad, meet in one pool while clients leave and dawdle. Whatever happens,
//! each call ends, a good request is never blamed or given a wrong answer, and nothing is left behind.

use crate::visits::{Client, Kind, Visit, run};
use coracle_manifest::Reuse;
use proptest::prelude::*;
use std::time::Duration;

fn visit() -> impl Strategy<Value = Visit> {
    let kind = prop_oneof![
        5 => Just(Kind::Good),
        3 => Just(Kind::Streamed),
        2 => Just(Kind::Busy),
        1 => Just(Kind::TrapBefore),
        1 => Just(Kind::TrapAfterResponse),
        1 => Just(Kind::Spin),
    ];
    let client = prop_oneof![
        4 => Just(Client::Waits),
        1 => (0..40_u64).prop_map(Client::LeavesAfter),
        1 => (0..40_u64).prop_map(Client::Dawdles),
    ];
    (kind, client, 0..40_u64, 0..20_u64).prop_map(|(kind, client, arrives, takes)| Visit {
        kind,
        client,
        arrives,
        takes,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_call_ends_and_nothing_is_left(
        visits in prop::collection::vec(visit(), 1..24),
        requests in prop_oneof![Just(1_u32), Just(3), Just(1000)],
        together in prop_oneof![Just(1_u32), Just(4), Just(16)],
        concurrency in prop_oneof![Just(2_u32), Just(64)],
    ) {
        let reuse = Reuse { requests, concurrency: together.min(requests), idle: Duration::from_millis(20) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(visits, reuse, concurrency));
    }
}
