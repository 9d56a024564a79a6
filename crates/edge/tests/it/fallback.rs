//! A second try elsewhere: exactly when the request is intact.

use bytes::Bytes;
use coracle_telemetry::Outcome;
use coracle_testkit::{Stub, TestApp, guest};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;

/// Answers with the body it was sent.
async fn node() -> Stub {
    Stub::start(|request: Request<Incoming>| async move {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        Response::new(Full::new(Bytes::from([b"node ", &body[..]].concat())))
    })
    .await
}

fn manifest(set: &str, url: &str) -> String {
    let source = guest(&format!("{set}/trap")).display().to_string();
    format!(
        "name = \"x\"
        [component.guest]
        source = \"{source}\"
        [upstream.node]
        url = \"{url}\"
        [[route]]
        path = \"/*\"
        to = \"guest\"
        fallback = \"node\""
    )
}

#[tokio::test]
async fn a_trap_before_the_head_is_answered_by_node() {
    for set in ["p3", "p2"] {
        let stub = node().await;
        let mut app = TestApp::start(&manifest(set, &stub.url())).await;
        let reply = app.post("/?when=before", "body").await;
        assert_eq!((reply.status, reply.text()), (StatusCode::OK, "node body"));
        let record = app.record().await;
        assert_eq!((record.outcome, record.status), (Outcome::Complete, 200));
        assert_eq!(record.fallback_from.as_deref(), Some("guest"));
        assert_eq!(record.destination.as_deref(), Some("node"));
        assert!(record.error.is_some());
    }
}

#[tokio::test]
async fn a_good_answer_needs_no_fallback() {
    let stub = node().await;
    let mut app = TestApp::start(&manifest("p3", &stub.url())).await;
    assert_eq!(app.get("/").await.text(), "alive\n");
    assert_eq!(app.record().await.fallback_from, None);
}

#[tokio::test]
async fn a_sent_head_is_final() {
    let stub = node().await;
    // Killed by its CPU limit well after the head has gone out.
    let manifest = manifest("p3", &stub.url()).replace("p3/trap", "p3/spin");
    let manifest = manifest.replace("[upstream.node]", "limits = { cpu_per_request = \"50ms\" }\n[upstream.node]");
    let mut app = TestApp::start(&manifest).await;
    let request = Request::get(app.url("/?when=after")).body(Full::default()).unwrap();
    assert!(app.try_send(request).await.is_err());
    let record = app.record().await;
    assert_eq!((record.outcome, record.fallback_from), (Outcome::Truncated, None));
}

#[tokio::test]
async fn an_unreachable_upstream_falls_back_to_another_with_the_body() {
    let (_held, dead) = crate::case::dead();
    let stub = node().await;
    let manifest = format!(
        "name = \"x\"
        [upstream.dead]
        url = \"http://{dead}\"
        [upstream.node]
        url = \"{}\"
        [[route]]
        path = \"/*\"
        to = \"dead\"
        fallback = \"node\"",
        stub.url()
    );
    let mut app = TestApp::start(&manifest).await;
    assert_eq!(app.post("/", "whole").await.text(), "node whole");
    assert_eq!(app.record().await.fallback_from.as_deref(), Some("dead"));
}

#[tokio::test]
async fn two_failures_are_both_told() {
    let (_held, dead) = crate::case::dead();
    let mut app = TestApp::start(&manifest("p3", &format!("http://{dead}"))).await;
    let reply = app.get("/?when=before").await;
    assert_eq!(reply.status, StatusCode::BAD_GATEWAY);
    let record = app.record().await;
    let error = record.error.unwrap();
    assert!(error.contains("then: upstream `node`"), "{error}");
    assert_eq!(record.outcome, Outcome::Failed);
}
