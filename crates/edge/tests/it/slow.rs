//! Clients that keep connections and do nothing with them.

use crate::raw::{PATIENCE, exchange, read_until};
use coracle_testkit::{Stub, TestApp};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

const LATER: &str = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off() {
    for set in ["p3", "p2"] {
        let manifest = crate::case::manifest(&format!("{set}/abort"), "");
        let mut app =
            TestApp::start_with(&manifest, |settings| settings.write_timeout = Duration::from_millis(200)).await;
        let mut stream = TcpStream::connect(app.addr).await.unwrap();
        stream.write_all(LATER.as_bytes()).await.unwrap();
        // The request ends though nothing of the answer was read.
        assert_eq!(app.record().await.status, 200, "{set}");
    }
}

#[tokio::test]
async fn idle_connections_make_room_for_others() {
    let stub = Stub::saying("hello").await;
    let app = TestApp::start_with(&crate::upstream::manifest(&stub.url()), |settings| {
        (settings.shards, settings.max_connections) = (1, 3);
    })
    .await;
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(TcpStream::connect(app.addr).await.unwrap());
    }
    // Kept alive, and used a moment ago: the last that would go.
    let mut kept = TcpStream::connect(app.addr).await.unwrap();
    for _ in 0..3 {
        kept.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        read_until(&mut kept, "hello").await;
        assert!(exchange(app.addr, LATER).await.ends_with("hello"));
    }
}

#[tokio::test]
async fn a_running_request_keeps_its_place() {
    let (begun, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
    let end = std::sync::Arc::new(tokio::sync::Notify::new());
    let stub = {
        let end = std::sync::Arc::clone(&end);
        Stub::start(move |request: http::Request<hyper::body::Incoming>| {
            let (begun, end) = (begun.clone(), std::sync::Arc::clone(&end));
            async move {
                if request.uri().path() == "/slow" {
                    begun.send(()).unwrap();
                    end.notified().await;
                }
                http::Response::new(http_body_util::Full::new(bytes::Bytes::from_static(b"hello")))
            }
        })
        .await
    };
    let app = TestApp::start_with(&crate::upstream::manifest(&stub.url()), |settings| {
        (settings.shards, settings.max_connections) = (1, 1);
    })
    .await;
    let mut busy = TcpStream::connect(app.addr).await.unwrap();
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    tokio::time::timeout(PATIENCE, has_begun.recv()).await.unwrap().unwrap();
    let mut waiting = Box::pin(exchange(app.addr, LATER));
    let served = tokio::time::timeout(Duration::from_millis(100), &mut waiting).await;
    assert!(served.is_err(), "a second connection was served in the place of a busy one: {served:?}");
    end.notify_one();
    read_until(&mut busy, "hello").await;
    assert!(waiting.await.ends_with("hello"));
}
