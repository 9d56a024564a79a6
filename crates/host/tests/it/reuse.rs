//! Instances that serve more than one request.

use crate::rig::{Rig, both, request, text};
use coracle_host::empty;
use coracle_manifest::{Limits, Reuse};
use std::time::Duration;

async fn run_of(rig: &Rig) -> coracle_telemetry::Run {
    let (response, meter) = rig.send(request("GET", "/?n=1&ms=1", empty())).await;
    text(response.unwrap()).await.unwrap();
    rig.pool.drained().await;
    meter.run().unwrap()
}

#[tokio::test]
async fn by_default_each_request_has_an_instance_of_its_own() {
    both("hello", async |name| {
        let rig = Rig::new(&name, Limits::default(), Reuse::default()).await;
        let (first, second) = (run_of(&rig).await, run_of(&rig).await);
        assert_ne!(first.instance, second.instance, "{name}");
        assert_eq!((first.reused, second.reused), (0, 0), "{name}");
    })
    .await;
}

#[tokio::test]
async fn serial_reuse_keeps_an_instance_for_so_many_requests() {
    both("hello", async |name| {
        let reuse = Reuse { requests: 3, concurrency: 1, idle: Duration::from_secs(10) };
        let rig = Rig::new(&name, Limits::default(), reuse).await;
        let mut runs = Vec::new();
        for _ in 0..4 {
            runs.push(run_of(&rig).await);
        }
        assert_eq!(runs.iter().map(|run| run.reused).collect::<Vec<_>>(), [0, 1, 2, 0], "{name}: {runs:?}");
        assert_eq!(runs[0].instance, runs[2].instance, "{name}");
        assert_ne!(runs[0].instance, runs[3].instance, "{name}");
    })
    .await;
}

#[tokio::test]
async fn concurrent_reuse_runs_requests_side_by_side_in_a_p3_instance() {
    let reuse = Reuse { requests: 100, concurrency: 8, idle: Duration::from_secs(10) };
    let rig = Rig::new("p3/drip", Limits::default(), reuse).await;
    let calls = (0..8).map(|_| async {
        let (response, meter) = rig.send(request("GET", "/?n=3&ms=20", empty())).await;
        text(response.unwrap()).await.unwrap();
        meter.run().unwrap()
    });
    let runs = futures::future::join_all(calls).await;
    assert!(runs.iter().all(|run| run.instance == runs[0].instance), "{runs:?}");
}

#[tokio::test]
async fn a_retired_pool_keeps_no_instance() {
    both("hello", async |name| {
        let reuse = Reuse { requests: 100, concurrency: 1, idle: Duration::from_secs(60) };
        let rig = Rig::new(&name, Limits::default(), reuse).await;
        run_of(&rig).await;
        assert!(rig.pool.status().memory > 0, "{name}: an instance waits");
        rig.pool.retire();
        while rig.pool.status().memory > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
