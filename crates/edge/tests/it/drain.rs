//! Shutting down: what runs may finish, up to a deadline.

use crate::raw::{PATIENCE, exchange, read_until};
use crate::upstream::manifest;
use bytes::Bytes;
use coracle_testkit::{Stub, TestApp, guest};
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};

/// Says on `asked` that a request has come, and answers it when `answer` has a permit.
async fn slow(asked: Arc<Notify>, answer: Arc<Semaphore>) -> Stub {
    Stub::start(move |_| {
        let (asked, answer) = (Arc::clone(&asked), Arc::clone(&answer));
        async move {
            asked.notify_one();
            let _ = answer.acquire().await;
            Response::new(Full::new(Bytes::from_static(b"at last")))
        }
    })
    .await
}

#[tokio::test]
async fn a_running_request_is_finished() {
    let (asked, answer) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let stub = slow(Arc::clone(&asked), Arc::clone(&answer)).await;
    let app = TestApp::start(&manifest(&stub.url())).await;
    let running = tokio::spawn(exchange(app.addr, "GET / HTTP/1.1\r\nhost: a\r\n\r\n"));
    asked.notified().await;
    app.edge.shutdown();
    let not_ready = app.admin(Method::GET, "/readyz").await;
    assert_eq!(not_ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(not_ready.text().contains("shutting down"));
    // Nobody new is let in once the listeners are closed.
    while TcpStream::connect(app.addr).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    answer.add_permits(1);
    let reply = running.await.unwrap();
    assert!(reply.contains("connection: close") && reply.ends_with("at last"), "{reply}");
    tokio::time::timeout(PATIENCE, app.edge.wait()).await.unwrap();
}

#[tokio::test]
async fn the_deadline_breaks_off_what_still_runs() {
    let (asked, answer) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let stub = slow(Arc::clone(&asked), answer).await;
    let app = TestApp::start_with(&manifest(&stub.url()), |settings| settings.drain = Duration::from_millis(100)).await;
    let running = tokio::spawn(exchange(app.addr, "GET / HTTP/1.1\r\nhost: a\r\n\r\n"));
    asked.notified().await;
    let began = Instant::now();
    app.edge.shutdown();
    tokio::time::timeout(PATIENCE, app.edge.wait()).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(100));
    assert_eq!(running.await.unwrap(), "");
}

#[tokio::test]
async fn an_idle_connection_is_closed_at_once() {
    let stub = Stub::saying("hey").await;
    let app = TestApp::start(&manifest(&stub.url())).await;
    let mut stream = TcpStream::connect(app.addr).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    read_until(&mut stream, "hey").await;
    let began = Instant::now();
    app.edge.shutdown();
    tokio::time::timeout(PATIENCE, app.edge.wait()).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "it waited for the deadline");
    assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_connection_that_was_just_made_gets_its_answer() {
    let stub = Stub::saying("hey").await;
    let app = TestApp::start_with(&manifest(&stub.url()), |settings| settings.shards = 1).await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(TcpStream::connect(app.addr).await.unwrap());
    }
    app.edge.shutdown();
    for mut stream in streams {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        read_until(&mut stream, "hey").await;
    }
}

#[tokio::test]
async fn a_running_reload_holds_nothing_up() {
    let stub = Stub::saying("hey").await;
    let app = TestApp::start(&manifest(&stub.url())).await;
    let path = app.dir.path().join("coracle.toml");
    std::fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let slow = format!(
        "name = \"x\"\n[component.py]\nsource = \"{}\"\n[[route]]\npath = \"/*\"\nto = \"py\"\n",
        guest("py/hello").display()
    );
    // Returns when the reload has begun: somebody reads the manifest. What is left to do takes seconds.
    let told = tokio::task::spawn_blocking(move || std::fs::write(path, slow).unwrap());
    let (outcome, ()) = tokio::join!(app.edge.reload(), async {
        told.await.unwrap();
        app.edge.shutdown();
        tokio::time::timeout(PATIENCE, app.edge.wait()).await.unwrap();
    });
    assert!(outcome.is_err(), "the shutdown waited for the reload: {outcome:?}");
}
