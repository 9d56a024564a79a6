//! What passes through to a server behind us, and what it is told.

use crate::raw::{exchange, read_until};
use bytes::Bytes;
use coracle_telemetry::Outcome;
use coracle_testkit::{Stub, TestApp};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

pub fn manifest(url: &str) -> String {
    format!("name = \"x\"\n[upstream.node]\nurl = \"{url}\"\n[[route]]\npath = \"/*\"\nto = \"node\"\n")
}

/// Answers with what it was sent: request line, headers and body.
async fn mirror() -> Stub {
    Stub::start(|request: Request<Incoming>| async move {
        let (parts, body) = request.into_parts();
        let mut text = format!("{} {}\n", parts.method, parts.uri);
        for (name, value) in &parts.headers {
            text.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
        }
        let body = body.collect().await.unwrap().to_bytes();
        text.push_str(&format!("\n{}", String::from_utf8_lossy(&body)));
        let response =
            Response::builder().header("x-own", "1").header("connection", "keep-alive, x-hop").header("x-hop", "1");
        response.body(Full::new(Bytes::from(text))).unwrap()
    })
    .await
}

#[tokio::test]
async fn a_request_arrives_as_it_was_sent() {
    let stub = mirror().await;
    let mut app = TestApp::start(&manifest(&stub.url())).await;
    let request = Request::post(app.url("/a/b%2Fc/..%2F.%2Fe//d?q=1&q=2"))
        .header("host", "shop.example.com:81")
        .header("x-mine", "1");
    let reply = app.send(request.body(Full::new(Bytes::from("body"))).unwrap()).await;
    let text = reply.text();
    assert!(text.starts_with("POST /a/b%2Fc/..%2F.%2Fe//d?q=1&q=2\n"), "{text}");
    assert!(text.contains("host: shop.example.com:81\n") && text.contains("x-mine: 1\n"), "{text}");
    assert!(text.ends_with("\n\nbody"), "{text}");
    let record = app.record().await;
    assert_eq!((record.bytes_in, record.bytes_out), (4, reply.body.len() as u64));
    assert_eq!((record.outcome, record.host.as_str()), (Outcome::Complete, "shop.example.com"));
    assert_eq!(record.destination.as_deref(), Some("node"));
}

#[tokio::test]
async fn headers_of_the_connection_stay_behind() {
    let stub = mirror().await;
    let app = TestApp::start(&manifest(&stub.url())).await;
    let request = Request::get(app.url("/"))
        .header("connection", "keep-alive, X-Secret-Hop")
        .header("x-secret-hop", "1")
        .header("keep-alive", "timeout=5")
        .header("proxy-authorization", "Basic x")
        .header("te", "trailers, deflate")
        .header("upgrade", "h2c");
    let reply = app.send(request.body(Full::default()).unwrap()).await;
    for gone in ["x-secret-hop", "keep-alive", "proxy-authorization", "deflate", "upgrade"] {
        assert!(!reply.text().contains(gone), "{gone} in {}", reply.text());
    }
    assert!(reply.text().contains("te: trailers\n"), "{}", reply.text());
    assert_eq!(reply.header("x-own"), "1");
    assert!(!reply.headers.contains_key("x-hop") && !reply.headers.contains_key("connection"), "{:?}", reply.headers);
}

#[tokio::test]
async fn what_a_client_says_of_itself_is_replaced() {
    let stub = mirror().await;
    let app = TestApp::start(&manifest(&stub.url())).await;
    let mut request = Request::get(app.url("/")).header("host", "shop.example.com");
    for name in
        ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "forwarded", "x-real-ip"]
    {
        request = request.header(name, "forged").header(name, "twice");
    }
    let reply = app.send(request.body(Full::default()).unwrap()).await;
    assert!(!reply.text().contains("forged") && !reply.text().contains("twice"), "{}", reply.text());
    for line in [
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: shop.example.com",
        "x-forwarded-proto: http",
        "forwarded: for=127.0.0.1;host=\"shop.example.com\";proto=http",
    ] {
        assert!(reply.text().contains(&format!("{line}\n")), "{line} is not in {}", reply.text());
    }
}

#[tokio::test]
async fn a_client_cannot_take_away_what_we_say_of_it() {
    let stub = mirror().await;
    let app = TestApp::start(&manifest(&stub.url())).await;
    let request = "GET / HTTP/1.1\r\nhost: shop.example.com\r\nconnection: close, x-forwarded-for, forwarded, \
        x-forwarded-host, x-forwarded-proto, host, x-mine\r\nx-mine: gone\r\n\r\n";
    let reply = exchange(app.addr, request).await;
    for line in [
        "host: shop.example.com",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: shop.example.com",
        "x-forwarded-proto: http",
        "forwarded: for=127.0.0.1;host=\"shop.example.com\";proto=http",
    ] {
        assert!(reply.contains(&format!("\n{line}\n")), "{line} is not in {reply}");
    }
    assert!(!reply.contains("x-mine"), "{reply}");
}

#[tokio::test]
async fn a_body_of_unknown_length_arrives_with_any_method() {
    let stub = mirror().await;
    let app = TestApp::start(&manifest(&stub.url())).await;
    for method in ["GET", "DELETE", "OPTIONS", "POST"] {
        let request = format!(
            "{method} / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
        );
        let reply = exchange(app.addr, &request).await;
        assert!(reply.ends_with("\n\nbody"), "{method} got {reply}");
    }
    let reply = app.get("/").await;
    assert!(!reply.text().contains("transfer-encoding"), "{}", reply.text());
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_a_bad_gateway() {
    let (_held, dead) = crate::case::dead();
    let port = dead.port();
    let mut app = TestApp::start(&manifest(&format!("http://127.0.0.1:{port}"))).await;
    let reply = app.get("/").await;
    assert_eq!(reply.status, StatusCode::BAD_GATEWAY);
    assert!(!reply.text().contains(&port.to_string()), "the client is told what only the log should: {}", reply.text());
    let record = app.record().await;
    assert_eq!(record.outcome, Outcome::Failed);
    assert!(record.error.unwrap().contains(&port.to_string()));
}

#[tokio::test]
async fn an_upstream_that_is_silent_is_given_up() {
    let stub = Stub::start(|_| std::future::pending::<Response<Full<Bytes>>>()).await;
    let app =
        TestApp::start_with(&manifest(&stub.url()), |settings| settings.timeouts.head = Duration::from_millis(50))
            .await;
    let reply = app.get("/").await;
    assert_eq!(reply.status, StatusCode::GATEWAY_TIMEOUT);
    assert!(reply.text().contains("urn:coracle:problem:upstream-timeout"), "{}", reply.text());
}

#[tokio::test]
async fn a_response_that_breaks_off_never_looks_complete() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_until(&mut stream, "\r\n\r\n").await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nsome\r\n").await.unwrap();
    });
    let mut app = TestApp::start(&manifest(&format!("http://{addr}"))).await;
    let request = Request::get(app.url("/")).body(Full::default()).unwrap();
    assert!(app.try_send(request).await.is_err());
    assert_eq!(app.record().await.outcome, Outcome::Truncated);
}

#[tokio::test]
async fn events_stream_without_delay() {
    let (events, received) = mpsc::channel::<Bytes>(1);
    let received = Arc::new(tokio::sync::Mutex::new(Some(received)));
    let stub = Stub::start(move |_| {
        let received = Arc::clone(&received);
        async move {
            let received = received.lock().await.take().unwrap();
            let frames = futures::stream::unfold(received, |mut received| async move {
                let event = received.recv().await?;
                Some((Ok::<_, Infallible>(Frame::data(event)), received))
            });
            Response::builder().header("content-type", "text/event-stream").body(StreamBody::new(frames)).unwrap()
        }
    })
    .await;
    let mut app = TestApp::start(&manifest(&stub.url())).await;
    let mut stream = TcpStream::connect(app.addr).await.unwrap();
    stream.write_all(b"GET /events HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    for event in ["data: one\n\n", "data: two\n\n"] {
        events.send(Bytes::from(event)).await.unwrap();
        // Comes while the response is still open, or `read_until` gives up.
        read_until(&mut stream, event).await;
    }
    drop(stream);
    assert_eq!(app.record().await.outcome, Outcome::ClientGone);
}

#[tokio::test]
async fn a_large_body_streams_through_both_ways() {
    let stub = Stub::start(|request: Request<Incoming>| async move { Response::new(request.into_body()) }).await;
    let mut app = TestApp::start(&manifest(&stub.url())).await;
    let body = Bytes::from((0..32 * 1024 * 1024_u32).map(|byte| (byte % 251) as u8).collect::<Vec<_>>());
    let reply = app.post("/", body.clone()).await;
    assert!(reply.body == body);
    let record = app.record().await;
    assert_eq!((record.bytes_in, record.bytes_out), (body.len() as u64, body.len() as u64));
}

#[tokio::test]
async fn connections_are_kept_and_a_dead_one_costs_no_request() {
    // A server that answers one request per connection and then closes it without a word, as Node does after 5 s.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, SeqCst);
            tokio::spawn(async move {
                read_until(&mut stream, "\r\n\r\n").await;
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
                // The next request is read, and the connection closed instead of an answer.
                read_until(&mut stream, "\r\n\r\n").await;
            });
        }
    });
    let app = TestApp::start_with(&manifest(&format!("http://{addr}")), |settings| settings.shards = 1).await;
    for _ in 0..5 {
        assert_eq!(app.get("/").await.text(), "ok");
    }
    assert_eq!(connections.load(SeqCst), 5);
}

#[tokio::test]
async fn a_request_that_may_not_be_repeated_is_not() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                read_until(&mut stream, "\r\n\r\n").await;
                counted.fetch_add(1, SeqCst);
            });
        }
    });
    let app = TestApp::start(&manifest(&format!("http://{addr}"))).await;
    let reply = app.post("/", "once").await;
    assert_eq!(reply.status, StatusCode::BAD_GATEWAY);
    assert_eq!(requests.load(SeqCst), 1);
}
