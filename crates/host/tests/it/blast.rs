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

#[tokio::test]
async fn requests_beside_a_trap_are_answered_and_the_guilty_one_is_kept_apart() {
    let reuse = Reuse { requests: 1000, concurrency: 16, ..Reuse::default() };
    let rig = Rig::new("p3/fault", Limits::default(), reuse).await;
    let good = (0..7).map(|_| rig.get("/good?ms=150"));
    let bad = async {
        // It comes when the others are under way.
        tokio::time::sleep(Duration::from_millis(50)).await;
        rig.get("/bad?when=before").await
    };
    let (good, bad) = futures::future::join(futures::future::join_all(good), bad).await;
    for answer in good {
        assert_eq!(text(answer.expect("an intact request is answered")).await.unwrap(), "good\n");
    }
    let failure = bad.unwrap_err();
    assert_eq!((failure.blame, &failure.cause), (Blame::Guest, &Cause::Trap), "{failure:?}");
    let status = rig.pool.status();
    assert_eq!((status.replayed, status.collateral), (8, 0), "{status:?}");

    // The same again runs alone: nobody beside it has to run twice.
    let good = futures::future::join_all((0..7).map(|_| rig.get("/good?ms=150")));
    let (good, bad) = futures::future::join(good, rig.get("/bad?when=before")).await;
    assert!(good.iter().all(Result::is_ok) && bad.is_err());
    assert_eq!(rig.pool.status().replayed, 8);
}

#[tokio::test]
async fn a_request_whose_effect_has_left_is_not_run_again() {
    let reuse = Reuse { requests: 1000, concurrency: 16, ..Reuse::default() };
    let rig = Rig::new("p3/fault", Limits::default(), reuse).await;
    let answered = async {
        let response = rig.get("/good?ms=150&head=first").await.unwrap();
        text(response).await
    };
    let bad = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        rig.get("/bad?when=before").await
    };
    let (body, bad) = futures::future::join(answered, bad).await;
    assert!(body.is_err(), "its head was on the way when the instance died: a broken body, not a second run");
    assert!(bad.is_err());
    assert_eq!(rig.pool.status().replayed, 1);
}
