//! Requests that go well.

use crate::rig::{Rig, both, request, text};
use bytes::Bytes;
use coracle_host::{empty, full};
use coracle_manifest::{Limits, Reuse};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};

#[tokio::test]
async fn hello_answers_and_is_metered() {
    both("hello", async |name| {
        let rig = Rig::new(&name, Limits::default(), Reuse::default()).await;
        let (response, meter) = rig.send(request("GET", "/", empty())).await;
        let response = response.unwrap();
        assert_eq!(response.status(), 200, "{name}");
        assert!(text(response).await.unwrap().starts_with("hello"), "{name}");
        rig.pool.drained().await;
        let run = meter.run().unwrap();
        assert!(run.memory >= 1 << 16, "{name}: {run:?}");
        assert!(run.cpu > std::time::Duration::ZERO, "{name}: {run:?}");
    })
    .await;
}

#[tokio::test]
async fn echo_streams_both_ways_at_once() {
    both("echo", async |name| {
        let rig = Rig::new(&name, Limits::default(), Reuse::default()).await;
        let (tx, rx) = futures::channel::mpsc::unbounded();
        let body = StreamBody::new(rx).boxed_unsync();
        let response = rig.send(request("POST", "/", body)).await.0.unwrap();
        let mut body = response.into_body();
        // Each chunk comes back before the next is sent: nothing is collected on the way.
        for n in 0..3_u8 {
            tx.unbounded_send(Ok(Frame::data(Bytes::from(vec![n; 1000])))).unwrap();
            let mut back = 0;
            while back < 1000 {
                back += body.frame().await.unwrap().unwrap().into_data().unwrap().len();
            }
        }
        drop(tx);
        assert!(body.frame().await.is_none(), "{name}");
    })
    .await;
}

#[tokio::test]
async fn a_guest_sees_scheme_authority_and_its_environment_only() {
    both("reflect", async |name| {
        let rig = Rig::new(&name, Limits::default(), Reuse::default()).await;
        let response = rig.send(request("PUT", "/a/b?c=d", full("x"))).await.0.unwrap();
        let seen: serde_json::Value = serde_json::from_str(&text(response).await.unwrap()).unwrap();
        assert_eq!(seen["method"], "PUT", "{name}: {seen}");
        assert_eq!(seen["scheme"].as_str().unwrap().to_lowercase(), "http", "{name}: {seen}");
        assert_eq!(seen["authority"], "shop.test", "{name}: {seen}");
        assert_eq!(seen["path_with_query"], "/a/b?c=d", "{name}: {seen}");
        let env = seen["env"].to_string();
        assert!(env.contains("COLOUR") && !env.contains("PATH"), "{name}: {env}");
    })
    .await;
}

#[tokio::test]
async fn work_after_the_response_is_finished() {
    both("drip", async |name| {
        let rig = Rig::new(&name, Limits::default(), Reuse::default()).await;
        let response = rig.get("/?n=3&ms=5").await.unwrap();
        assert_eq!(text(response).await.unwrap().lines().count(), 3, "{name}");
        rig.pool.drained().await;
        assert_eq!(rig.pool.status().running, 0, "{name}");
        assert_eq!(rig.pool.status().memory, 0, "{name}: the instance's memory is given back");
    })
    .await;
}
