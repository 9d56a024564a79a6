//! Visits to one pool, good and bad, and what must hold of them: for random schedules here (`schedule`) and for the fuzz target
//! of the same (`fuzz/fuzz_targets/pool.rs`).

use crate::rig::Rig;
use coracle_manifest::{Limits, Reuse};
use coracle_telemetry::Blame;
use futures::future::join_all;
use http_body_util::BodyExt as _;
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub enum Kind {
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
pub enum Client {
    Waits,
    LeavesAfter(u64),
    /// Takes the body this much later.
    Dawdles(u64),
}

#[derive(Clone, Copy, Debug)]
pub struct Visit {
    pub kind: Kind,
    pub client: Client,
    /// Milliseconds.
    pub arrives: u64,
    /// Milliseconds.
    pub takes: u64,
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

/// Makes all visits to a new pool; each must end, and nothing be left.
pub async fn run(visits: Vec<Visit>, reuse: Reuse, concurrency: u32) {
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
