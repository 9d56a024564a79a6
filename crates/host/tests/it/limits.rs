//! Every limit, by a guest that runs into it.

use crate::rig::{Rig, both, request, text};
use coracle_host::{Cause, full};
use coracle_manifest::{Limits, Reuse};
use std::time::Duration;

#[tokio::test]
async fn a_spinning_guest_is_stopped_and_its_neighbours_go_on() {
    both("spin", async |name| {
        let limits = Limits { cpu_per_request: Duration::from_secs(1), ..Limits::default() };
        let spinner = Rig::new(&name, limits, Reuse::default()).await;
        let neighbour = Rig::new(&name.replace("spin", "hello"), Limits::default(), Reuse::default()).await;
        let spin = spinner.get("/?when=before");
        let beside = async {
            // On one thread: each of these runs in between two slices of the spinner.
            for _ in 0..3 {
                text(neighbour.get("/").await.unwrap()).await.unwrap();
            }
            std::time::Instant::now()
        };
        let (spun, beside) = tokio::join!(async { (spin.await, std::time::Instant::now()) }, beside);
        let failure = spun.0.unwrap_err();
        assert_eq!(failure.cause, Cause::CpuLimit, "{name}: {failure:?}");
        assert!(beside < spun.1, "{name}: the neighbour had to wait for the spinner's end");
    })
    .await;
}

#[tokio::test]
async fn a_spin_after_the_head_breaks_the_body() {
    both("spin", async |name| {
        let limits = Limits { cpu_per_request: Duration::from_millis(100), ..Limits::default() };
        let rig = Rig::new(&name, limits, Reuse::default()).await;
        let response = rig.get("/?when=after").await.unwrap();
        text(response).await.expect_err("a killed guest's body must not look complete");
    })
    .await;
}

#[tokio::test]
async fn a_memory_bomb_is_stopped_at_its_limit() {
    both("alloc", async |name| {
        let limits = Limits { memory: 16 << 20, cpu_per_request: Duration::from_secs(30), ..Limits::default() };
        let rig = Rig::new(&name, limits, Reuse::default()).await;
        match rig.get("/?mb=64").await {
            Err(failure) => assert_eq!(failure.cause, Cause::MemoryLimit, "{name}: {failure:?}"),
            // A guest that handles the refusal may say how far it got.
            Ok(response) => {
                let said = text(response).await.unwrap();
                let held: u32 = said.split(' ').nth(1).unwrap().parse().unwrap();
                assert!(held < 16, "{name}: {said}");
            }
        }
        assert!(text(rig.get("/?mb=1").await.unwrap()).await.is_ok(), "{name}: the next request is well");
    })
    .await;
}

#[tokio::test]
async fn a_guest_past_its_deadline_is_dropped() {
    both("drip", async |name| {
        let limits = Limits { deadline: Duration::from_millis(100), ..Limits::default() };
        let rig = Rig::new(&name, limits, Reuse::default()).await;
        let answer = match rig.get("/?n=2&ms=60000").await {
            Ok(response) => text(response).await.map_err(|_| ()),
            Err(failure) => {
                assert_eq!(failure.cause, Cause::Deadline, "{name}: {failure:?}");
                Err(())
            }
        };
        assert!(answer.is_err(), "{name}: the response must not look complete");
        rig.pool.drained().await;
    })
    .await;
}

#[tokio::test]
async fn a_full_component_queues_then_answers_busy_with_the_request() {
    both("drip", async |name| {
        let limits = Limits {
            concurrency: 1,
            queue: 1,
            queue_deadline: Duration::from_millis(50),
            after_response: Duration::from_millis(50),
            ..Limits::default()
        };
        let rig = Rig::new(&name, limits, Reuse::default()).await;
        let first = rig.get("/?n=2&ms=60000").await.unwrap();
        let (second, third) = tokio::join!(rig.get("/?n=1&ms=1"), rig.get("/?n=1&ms=1"));
        for refused in [second, third] {
            let failure = refused.unwrap_err();
            assert!(matches!(failure.cause, Cause::Busy { .. }), "{name}: {failure:?}");
            assert!(failure.request.is_some(), "{name}: it can be tried elsewhere");
        }
        drop(first);
        rig.pool.drained().await;
        text(rig.get("/?n=1&ms=1").await.unwrap()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_any_guest_runs() {
    both("echo", async |name| {
        let limits = Limits { request_body: 10, ..Limits::default() };
        let rig = Rig::new(&name, limits, Reuse::default()).await;
        let (answer, meter) = rig.send(request("POST", "/", full("eleven bytes"))).await;
        assert_eq!(answer.unwrap_err().cause, Cause::BodyTooLarge, "{name}");
        assert!(meter.run().is_none(), "{name}");
    })
    .await;
}

#[tokio::test]
async fn a_full_process_says_no_room() {
    let settings = coracle_host::Settings { instances: 1, ..coracle_host::Settings::default() };
    let engine = coracle_host::Engine::new(&settings).unwrap();
    both("drip", async |name| {
        let grants: Vec<_> = vec![(std::sync::Arc::new(crate::rig::Http) as _, coracle_host::Grant::Denied)];
        let limits = Limits { after_response: Duration::from_millis(50), ..Limits::default() };
        let rig = Rig::with(&engine, &name, limits, Reuse::default(), grants).await;
        let first = rig.get("/?n=2&ms=60000").await.unwrap();
        let failure = rig.get("/").await.unwrap_err();
        assert!(matches!(failure.cause, Cause::NoRoom { .. }), "{name}: {failure:?}");
        assert!(failure.request.is_some(), "{name}");
        drop(first);
        rig.pool.drained().await;
        text(rig.get("/?n=1&ms=1").await.unwrap()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_component_with_many_requests_does_not_keep_others_out_of_a_full_process() {
    let settings = coracle_host::Settings { instances: 1, ..coracle_host::Settings::default() };
    let engine = coracle_host::Engine::new(&settings).unwrap();
    let grants = || vec![(std::sync::Arc::new(crate::rig::Http) as _, coracle_host::Grant::Denied)];
    let patient = Limits { queue_deadline: Duration::from_secs(60), ..Limits::default() };
    let many = Rig::with(&engine, "p2/drip", patient.clone(), Reuse::default(), grants()).await;
    let other = Rig::with(&engine, "p2/hello", patient, Reuse::default(), grants()).await;
    let first = many.get("/?n=2&ms=60000").await.unwrap();
    // Instances are numbered as they are made.
    let ask = async |rig: &Rig| {
        let (answer, meter) = rig.send(request("GET", "/?n=1&ms=1", coracle_host::empty())).await;
        text(answer.unwrap()).await.unwrap();
        meter.run().unwrap().instance
    };
    let asked = async { futures::future::join_all((0..9).map(|_| ask(&many))).await };
    let free = async {
        // The others have been asked and wait by then: each is a task that runs before this one goes on.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        drop(first);
    };
    let (many, other, ()) = tokio::join!(asked, ask(&other), free);
    let before = many.iter().filter(|instance| **instance < other).count();
    assert!(before <= 2, "{before} of {many:?} were made before {other}");
}
