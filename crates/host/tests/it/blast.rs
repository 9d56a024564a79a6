//! Guests that go wrong: what the client learns, what comes back, and that the next request is well.

use crate::rig::{Rig, both, request, text};
use coracle_host::{Cause, full};
use coracle_manifest::{Limits, Reuse};
use coracle_telemetry::{Blame, Stage};
use http_body_util::BodyExt as _;
use std::time::Duration;

#[tokio::test]
async fn a_trap_before_the_head_gives_the_request_back_whole() {
    both("trap", async |name| {
        let rig = Rig::new(&name, Limits::default(), Reuse::default()).await;
        let failure = rig.send(request("POST", "/?when=before", full("keep me"))).await.0.unwrap_err();
        assert_eq!(
            (failure.stage, failure.blame, &failure.cause),
            (Stage::Head, Blame::Guest, &Cause::Trap),
            "{name}: {failure:?}"
        );
        let back = failure.request.expect("nothing has left the guest, so the request is intact");
        assert_eq!(back.uri().path(), "/");
        assert_eq!(back.into_body().collect().await.unwrap().to_bytes(), "keep me", "{name}");
    })
    .await;
}

#[tokio::test]
async fn a_trap_after_the_head_breaks_the_body() {
    both("trap", async |name| {
        let rig = Rig::new(&name, Limits::default(), Reuse::default()).await;
        match rig.get("/?when=after").await {
            Ok(response) => {
                let error = text(response).await.expect_err("a truncated body must not look complete");
                assert!(matches!(error, coracle_host::BodyError::HttpResponseIncomplete), "{name}: {error:?}");
            }
            // A 0.2 guest that never waited has died before its head was on its way: then nothing was sent at all.
            Err(failure) => {
                assert_eq!((failure.stage, &failure.cause), (Stage::Head, &Cause::Trap), "{name}: {failure:?}")
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_trap_after_the_response_harms_nobody() {
    both("trap", async |name| {
        let rig = Rig::new(&name, Limits::default(), Reuse::default()).await;
        let response = rig.get("/?when=post&ms=20").await.unwrap();
        assert_eq!(text(response).await.unwrap(), "whole\n", "{name}");
        rig.pool.drained().await;
        assert_eq!(rig.pool.status().memory, 0, "{name}");
    })
    .await;
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_guest() {
    both("spin", async |name| {
        let rig = Rig::new(&name, Limits::default(), Reuse::default()).await;
        let call = rig.get("/?when=before");
        // Dropped after a while, as a server drops the call of a closed connection.
        assert!(tokio::time::timeout(std::time::Duration::from_millis(50), call).await.is_err(), "{name}");
        rig.pool.drained().await;
        assert_eq!(rig.pool.status().memory, 0, "{name}");
    })
    .await;
}

#[tokio::test]
async fn a_spin_after_the_response_ends_and_holds_nobody_up() {
    for (name, concurrency) in [("p3/spin", 1), ("p3/spin", 8), ("p2/spin", 1)] {
        let limits = Limits { cpu_per_request: Duration::from_millis(100), ..Limits::default() };
        let rig = Rig::new(name, limits, Reuse { requests: 100, concurrency, ..Reuse::default() }).await;
        let response = rig.get("/?when=post&ms=5").await.unwrap();
        assert_eq!(text(response).await.unwrap(), "whole\n", "{name} {concurrency}");
        // These come while the first one's instance waits, spins and is ended; each finds another in the end.
        for _ in 0..5 {
            let response = rig.get("/").await.unwrap();
            assert_eq!(text(response).await.unwrap(), "alive\n", "{name} {concurrency}");
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        rig.pool.retire();
        rig.pool.drained().await;
        assert_eq!(rig.pool.status().memory, 0, "{name} {concurrency}");
    }
}

#[tokio::test]
async fn a_reader_that_stands_still_gives_its_place_back() {
    both("drip", async |name| {
        let limits = Limits { concurrency: 1, deadline: Duration::from_millis(100), ..Limits::default() };
        let rig = Rig::new(&name, limits, Reuse::default()).await;
        let unread = rig.get("/?n=1000&ms=1").await.unwrap();
        rig.pool.drained().await;
        let next = rig.get("/?n=1&ms=1").await.unwrap();
        text(next).await.unwrap();
        text(unread).await.expect_err("the body broke off");
    })
    .await;
}
