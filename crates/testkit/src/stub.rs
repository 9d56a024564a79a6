//! An upstream made of a closure: what stands behind the app in a test.

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A running upstream; stops when dropped.
pub struct Stub {
    pub addr: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Stub {
    /// Serves HTTP/1.1 on a free port of this machine with `answer`.
    pub async fn start<A, F, B>(answer: A) -> Self
    where
        A: Fn(http::Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = http::Response<B>> + Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has free ports");
        let addr = listener.local_addr().expect("a bound listener has an address");
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answer = answer.clone();
                let service = service_fn(move |request| {
                    let answered = answer(request);
                    async move { Ok::<_, Infallible>(answered.await) }
                });
                let server = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .with_upgrades();
                tokio::spawn(async move {
                    // Tests break connections off on purpose.
                    let _ = server.await;
                });
            }
        });
        Self { addr, accepting }
    }

    /// Answers every request with `200` and this text.
    pub async fn saying(text: &'static str) -> Self {
        Self::start(move |_| async move { http::Response::new(Full::new(Bytes::from_static(text.as_bytes()))) }).await
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
