//! Upgraded connections: bytes both ways, across a reload, cut at the end of a drain.

use crate::raw::{PATIENCE, exchange, read_until};
use crate::upstream::manifest;
use bytes::Bytes;
use coracle_testkit::{Stub, TestApp};
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Changes to a protocol that says everything twice.
async fn twice() -> Stub {
    Stub::start(|mut request: Request<Incoming>| async move {
        if request.headers().get("upgrade").is_none_or(|protocol| protocol != "WebSocket") {
            let mut response = Response::new(Empty::<Bytes>::new());
            *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
            return response;
        }
        let upgraded = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut stream = TokioIo::new(upgraded.await.unwrap());
            let mut chunk = [0; 1024];
            while let Ok(count @ 1..) = stream.read(&mut chunk).await {
                stream.write_all(&chunk[..count]).await.unwrap();
                stream.write_all(&chunk[..count]).await.unwrap();
            }
        });
        let response = Response::builder().status(101).header("connection", "Upgrade").header("upgrade", "websocket");
        response.body(Empty::new()).unwrap()
    })
    .await
}

async fn upgraded(app: &TestApp) -> TcpStream {
    let mut stream = TcpStream::connect(app.addr).await.unwrap();
    stream
        .write_all(b"GET /ws HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\n\r\n")
        .await
        .unwrap();
    let head = read_until(&mut stream, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101") && head.contains("upgrade: websocket"), "{head}");
    stream
}

async fn speaks(stream: &mut TcpStream) {
    stream.write_all(b"hey;").await.unwrap();
    read_until(stream, "hey;hey;").await;
}

#[tokio::test]
async fn bytes_pass_both_ways_and_outlive_a_reload() {
    let stub = twice().await;
    let app = TestApp::start(&manifest(&stub.url())).await;
    let mut stream = upgraded(&app).await;
    speaks(&mut stream).await;
    app.write_manifest("name = \"other\"\n[[route]]\npath = \"/*\"\nredirect = \"/gone\"\n");
    app.edge.reload().await.unwrap();
    assert_eq!(app.get("/ws").await.header("location"), "/gone");
    speaks(&mut stream).await;
    assert_eq!(app.edge.tunnels(), 1);
}

#[tokio::test]
async fn a_drain_waits_for_them_and_then_cuts_them() {
    let stub = twice().await;
    let app = TestApp::start_with(&manifest(&stub.url()), |settings| settings.drain = Duration::from_millis(300)).await;
    let mut stream = upgraded(&app).await;
    app.edge.shutdown();
    speaks(&mut stream).await;
    tokio::time::timeout(PATIENCE, app.edge.wait()).await.unwrap();
    assert_eq!(stream.read(&mut [0; 16]).await.unwrap_or(0), 0);
    assert_eq!(app.edge.tunnels(), 0);
}

#[tokio::test]
async fn an_upstream_may_decline() {
    let stub = twice().await;
    let app = TestApp::start(&manifest(&stub.url())).await;
    let mut stream = TcpStream::connect(app.addr).await.unwrap();
    stream.write_all(b"GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n").await.unwrap();
    let head = read_until(&mut stream, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 426"), "{head}");
    // It is still an HTTP connection.
    stream.write_all(b"GET /ws HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    read_until(&mut stream, "HTTP/1.1 426").await;
}

#[tokio::test]
async fn only_websockets_pass() {
    // Changes to whatever it is asked for.
    let stub = Stub::start(|request: Request<Incoming>| async move {
        let mut response = Response::new(Empty::<Bytes>::new());
        if let Some(protocol) = request.headers().get("upgrade") {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            response.headers_mut().insert("upgrade", protocol.clone());
            response.headers_mut().insert("connection", "upgrade".parse().unwrap());
        } else if request.headers().contains_key("http2-settings") {
            *response.status_mut() = StatusCode::IM_A_TEAPOT;
        }
        response
    })
    .await;
    let app = TestApp::start(&manifest(&stub.url())).await;
    for asked in ["upgrade: h2c", "upgrade: websocket, h2c", "upgrade: websocket\r\nupgrade: h2c", "upgrade: twice"] {
        let request = format!(
            "GET / HTTP/1.1\r\nhost: a\r\nconnection: close, upgrade\r\nhttp2-settings: AAMAAABk\r\n{asked}\r\n\r\n"
        );
        let reply = exchange(app.addr, &request).await;
        assert!(reply.starts_with("HTTP/1.1 200"), "{asked} got {reply}");
    }
    assert_eq!(app.edge.tunnels(), 0);
}

#[tokio::test]
async fn a_tunnel_keeps_its_connections_place() {
    let stub = twice().await;
    let mut app = TestApp::start_with(&manifest(&stub.url()), |settings| {
        (settings.shards, settings.max_connections) = (1, 1);
    })
    .await;
    let mut stream = upgraded(&app).await;
    assert_eq!(app.record().await.status, 101);
    let mut second = TcpStream::connect(app.addr).await.unwrap();
    second.write_all(b"GET /ws HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    for _ in 0..50 {
        speaks(&mut stream).await;
    }
    let let_in = tokio::time::timeout(Duration::ZERO, app.record()).await;
    assert!(let_in.is_err(), "the second connection was let in beside the tunnel");
    drop(stream);
    read_until(&mut second, "HTTP/1.1 426").await;
}
