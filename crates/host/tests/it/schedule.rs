//! Random schedules: requests of all kinds, good and bad, meet in one pool while clients leave and dawdle. Whatever happens,
//! each call ends, a good request is never blamed or given a wrong answer, and nothing is left behind.

use crate::rig::Rig;
use coracle_manifest::{Limits, Reuse};
use coracle_telemetry::Blame;
use futures::future::join_all;
use http_body_util::BodyExt as _;
use proptest::prelude::*;
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
enum Kind {
    Good,
    /// Its head comes first.
    Streamed,
    TrapBefore,
    TrapAfterResponse,
    /// Uses up its CPU time.
    Spin,
    /// Computes for some slices and answers.
    Busy,
}

/// What the client does.
#[derive(Clone, Copy, Debug)]
enum Client {
    Waits,
    LeavesAfter(u64),
    /// Takes the body this much later.
    Dawdles(u64),
}

#[derive(Clone, Copy, Debug)]
struct Visit {
    kind: Kind,
    client: Client,
    /// Milliseconds.
    arrives: u64,
    takes: u64,
}

impl Visit {
    fn uri(self) -> String {
        let Self { kind, takes, .. } = self;
        match kind {
            Kind::Good => format!("/good?ms={takes}"),
            Kind::Streamed => format!("/streamed?ms={takes}&head=first"),
            Kind::TrapBefore => "/bad?when=before".to_owned(),
            Kind::TrapAfterResponse => format!("/late?when=post&ms={takes}"),
            Kind::Spin => "/spin?spin=100000".to_owned(),
            Kind::Busy => format!("/busy?spin={}", takes % 8),
        }
    }

    fn is_good(self) -> bool {
        matches!(self.kind, Kind::Good | Kind::Streamed | Kind::Busy)
    }

    async fn make(self, rig: &Rig) {
        tokio::time::sleep(Duration::from_millis(self.arrives)).await;
        let whole = async {
            let answer = rig.get(&self.uri()).await;
            if let Client::Dawdles(ms) = self.client {
                tokio::time::sleep(Duration::from_millis(ms)).await;
            }
            match answer {
                Ok(response) => {
                    assert_eq!(response.status(), 200, "{self:?}");
                    // A body may break off when its instance dies, but never looks complete and wrong.
                    if let Ok(body) = response.into_body().collect().await {
                        assert_eq!(body.to_bytes(), "good\n", "{self:?}");
                    }
                }
                Err(failure) => assert!(!self.is_good() || failure.blame != Blame::Guest, "{self:?}: {failure:?}"),
            }
        };
        match self.client {
            Client::LeavesAfter(ms) => drop(tokio::time::timeout(Duration::from_millis(ms), whole).await),
            _ => tokio::time::timeout(Duration::from_secs(30), whole).await.expect("each call ends"),
        }
    }
}

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

async fn run(visits: Vec<Visit>, reuse: Reuse, concurrency: u32) {
    let limits = Limits {
        cpu_per_request: Duration::from_millis(40),
        deadline: Duration::from_secs(20),
        queue_deadline: Duration::from_secs(20),
        concurrency,
        ..Limits::default()
    };
    let rig = Rig::new("p3/fault", limits, reuse).await;
    join_all(visits.iter().map(|visit| visit.make(&rig))).await;
    rig.pool.retire();
    tokio::time::timeout(Duration::from_secs(30), rig.pool.drained()).await.expect("the pool drains");
    let status = rig.pool.status();
    // Large instances are dropped on another thread.
    assert_eq!((status.running, status.waiting, status.memory), (0, 0, 0), "{status:?}");
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
