//! The guest matrix through the front door: work after the response, clients that leave, large streams, other languages.

use crate::case::{both, manifest};
use crate::raw::{PATIENCE, read_until};
use bytes::Bytes;
use coracle_testkit::{Reply, Stub, TestApp};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// An upstream that tells which paths it was asked for, and the grant to ask it.
async fn witness() -> (Stub, mpsc::UnboundedReceiver<String>, String) {
    let (asked, paths) = mpsc::unbounded_channel();
    let stub = Stub::start(move |request: Request<hyper::body::Incoming>| {
        let _ = asked.send(request.uri().path().to_owned());
        async { Response::new(Full::new(Bytes::from_static(b"pong"))) }
    })
    .await;
    let grant = format!("grants = {{ http = [\"GET {}/**\"] }}", stub.url());
    (stub, paths, grant)
}

async fn next(paths: &mut mpsc::UnboundedReceiver<String>) -> String {
    tokio::time::timeout(PATIENCE, paths.recv()).await.expect("the guest asks").expect("the stub is running")
}

#[tokio::test]
async fn work_after_the_response_is_done() {
    for set in ["p3/after", "p2/after"] {
        let (stub, mut paths, grant) = witness().await;
        let app = TestApp::start(&manifest(set, &grant)).await;
        let reply = app.get(&format!("/?ms=20&ping={}/done", stub.url())).await;
        assert_eq!((reply.status, reply.text()), (StatusCode::ACCEPTED, "accepted\n"), "{set}");
        assert_eq!(next(&mut paths).await, "/done", "{set}");
    }
}

#[tokio::test]
async fn a_guest_learns_that_its_client_has_left() {
    for set in ["p3/abort", "p2/abort"] {
        let (stub, mut paths, grant) = witness().await;
        let app = TestApp::start(&manifest(set, &grant)).await;
        let mut client = TcpStream::connect(app.addr).await.unwrap();
        let request = format!("GET /?ping={}/left HTTP/1.1\r\nhost: a\r\n\r\n", stub.url());
        client.write_all(request.as_bytes()).await.unwrap();
        read_until(&mut client, "....").await;
        drop(client);
        assert_eq!(next(&mut paths).await, "/left", "{set}");
    }
}

#[tokio::test]
async fn clocks_and_randomness_need_no_grant() {
    both("clock", "", async |app| {
        let ask = async || -> serde_json::Value { serde_json::from_slice(&app.get("/").await.body).unwrap() };
        let (first, second) = (ask().await, ask().await);
        assert!(first["wall_ms"].as_u64().unwrap() > 1_700_000_000_000, "{first}");
        // It counts from the instance's start, so two instances say nothing of each other.
        assert!(second["monotonic_ns"].as_u64().unwrap() > 0, "{second}");
        assert_ne!(first["random"], second["random"]);
    })
    .await;
}

#[tokio::test]
async fn sockets_are_closed_to_a_guest() {
    let stub = Stub::saying("never reached").await;
    both("sockets", "", async |app| {
        for query in [format!("to={}", stub.addr), "bind=127.0.0.1:0".to_owned(), "lookup=localhost".to_owned()] {
            let reply = app.get(&format!("/?{query}")).await;
            assert_ne!(reply.status, StatusCode::OK, "{query}: {}", reply.text());
            // 0.3 answers a look-up that may not be made as one that failed for good.
            let said = reply.text();
            assert!(said.contains("AccessDenied") || said.contains("PermanentResolverFailure"), "{query}: {said}");
        }
    })
    .await;
}

#[tokio::test]
async fn sockets_reach_what_was_granted() {
    let stub = Stub::saying("reached by nobody but whom it was granted").await;
    let port = stub.addr.port();
    let grants = format!("grants = {{ sockets = [\"tcp://localhost:{port}\", \"listen tcp://127.0.0.1:0\"] }}");
    both("sockets", &grants, async |app| {
        for query in [format!("to=127.0.0.1:{port}"), "bind=127.0.0.1:0".to_owned(), "lookup=localhost".to_owned()] {
            let reply = app.get(&format!("/?{query}")).await;
            assert_eq!(reply.status, StatusCode::OK, "{query}: {}", reply.text());
        }
        let other = app.addr.port();
        for query in [format!("to=127.0.0.1:{other}"), "bind=0.0.0.0:0".to_owned()] {
            let reply = app.get(&format!("/?{query}")).await;
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "{query}: {}", reply.text());
        }
    })
    .await;
}

#[tokio::test]
async fn a_request_without_a_path_asks_for_the_root() {
    let (stub, mut paths, grant) = witness().await;
    let app = TestApp::start(&manifest("p3/fanout", &grant)).await;
    let reply = app.get(&format!("/?a={}", stub.url().trim_end_matches('/'))).await;
    assert!(reply.text().contains("pong"), "{}", reply.text());
    assert_eq!(next(&mut paths).await, "/");
}

#[tokio::test]
async fn components_of_the_release_candidate_are_served() {
    let app = TestApp::start(&manifest("rc/hello", "")).await;
    assert_eq!(app.get("/").await.text(), "hello from the candidate\n");
    let app = TestApp::start(&manifest("rc/echo", "")).await;
    let body = "as it came, ".repeat(50_000);
    assert_eq!(app.post("/", body.clone()).await.text(), body);
}

#[tokio::test]
async fn a_gibibyte_is_echoed_in_flat_memory() {
    const CHUNK: usize = 256 * 1024;
    const CHUNKS: usize = (1 << 30) / CHUNK;
    let limits = "limits = { request_body = \"2GiB\", cpu_per_request = \"10m\", deadline = \"5m\" }";
    both("echo", limits, async |app| {
        let before = peak_memory();
        let stream = TcpStream::connect(app.addr).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let (chunks, body) = futures::channel::mpsc::channel::<Result<Frame<Bytes>, std::convert::Infallible>>(2);
        let request = Request::post("/").header("host", "a").body(StreamBody::new(body)).unwrap();
        let sending = async {
            let mut chunks = chunks;
            for n in 0..CHUNKS {
                let bytes = Bytes::from(vec![n.to_le_bytes()[0]; CHUNK]);
                futures::SinkExt::send(&mut chunks, Ok(Frame::data(bytes))).await.unwrap();
            }
        };
        let receiving = async {
            let mut body = sender.send_request(request).await.unwrap().into_body();
            let mut received = 0;
            while let Some(frame) = body.frame().await {
                let data = frame.unwrap().into_data().unwrap();
                let chunk = (received / CHUNK).to_le_bytes()[0];
                assert_eq!(data[0], chunk, "the bytes come in their order");
                received += data.len();
            }
            received
        };
        let ((), received) = futures::join!(sending, receiving);
        assert_eq!(received, CHUNKS * CHUNK);
        let grown = peak_memory().saturating_sub(before);
        assert!(grown < 96 << 20, "memory grew by {} MiB", grown >> 20);
    })
    .await;
}

/// The most this process has held so far, in bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

const DEAR: &str = "limits = { cpu_per_request = \"20s\", memory = \"256MiB\" }";

#[tokio::test]
async fn typescript_answers_streams_and_is_denied() {
    // StarlingMonkey keeps one fetch event an instance: a second request in it would find the first one's event.
    let app = TestApp::start(&manifest("js/hello", DEAR)).await;
    assert_eq!(app.get("/").await.text(), "hello\n");
    assert_eq!(app.post("/echo", "round trip").await.text(), "round trip");
    denied(&app.get("/out?url=http://127.0.0.1:9/x").await);
    // StarlingMonkey sends a 500 of its own and never ends its body: it breaks off as soon as the guest has returned.
    let begun = std::time::Instant::now();
    match app.try_send(Request::get(app.url("/throw")).body(Full::default()).unwrap()).await {
        Ok(reply) => assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR),
        Err(broken) => println!("broken off: {broken}"),
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "the deadline of 30 s was waited for");
    assert_eq!(app.get("/").await.text(), "hello\n", "the next request is well");
}

#[tokio::test]
async fn python_answers_streams_and_is_denied() {
    let app = TestApp::start(&manifest("py/hello", &format!("reuse = {{ requests = 100 }}\n{DEAR}"))).await;
    assert_eq!(app.get("/").await.text(), "hello\n");
    assert_eq!(app.post("/echo", "round trip").await.text(), "round trip");
    denied(&app.get("/out?url=http://127.0.0.1:9/x").await);
    assert_eq!(app.get("/throw").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(app.get("/").await.text(), "hello\n", "the next request is well");
}

fn denied(reply: &Reply) {
    assert_eq!(reply.status, StatusCode::BAD_GATEWAY, "{}", reply.text());
}

#[tokio::test]
async fn a_slow_drip_arrives_line_by_line() {
    both("drip", "", async |app| {
        let mut client = TcpStream::connect(app.addr).await.unwrap();
        client.write_all(b"GET /?n=3&ms=300 HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let first = read_until(&mut client, "drip 1").await;
        assert!(!first.contains("drip 3"), "the first line came with the last: {first}");
        tokio::time::timeout(Duration::from_secs(20), read_until(&mut client, "drip 3")).await.unwrap();
    })
    .await;
}
