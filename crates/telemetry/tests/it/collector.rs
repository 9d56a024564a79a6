//! A collector for tests: takes connections of HTTP/1.1 and HTTP/2 on a free port, answers as it is told, and keeps what it got.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A message as it came.
#[derive(Clone, Debug)]
pub struct Got {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

pub struct Collector {
    pub addr: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
}

/// How it answers the nth message.
pub type Answer = fn(usize) -> StatusCode;

impl Collector {
    pub fn start(answer: Answer) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let addr = listener.local_addr().unwrap();
        let got: Arc<Mutex<Vec<Got>>> = Arc::default();
        let all = Arc::clone(&got);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let all = Arc::clone(&all);
                    let service = service_fn(move |request| take(request, Arc::clone(&all), answer));
                    tokio::spawn(async move {
                        let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                        let _ = server.serve_connection(TokioIo::new(stream), service).await;
                    });
                }
            });
        });
        Self { addr, got }
    }

    /// What it has once there are so many messages.
    pub fn wait(&self, count: usize) -> Vec<Got> {
        let began = Instant::now();
        loop {
            let got = self.got.lock().unwrap().clone();
            if got.len() >= count {
                return got;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{} of {count} messages came", got.len());
            std::thread::yield_now();
        }
    }
}

type Frames = futures::stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>;
type Body = StreamBody<Frames>;

async fn take(
    request: http::Request<Incoming>,
    all: Arc<Mutex<Vec<Got>>>,
    answer: Answer,
) -> Result<Response<http_body_util::Either<Full<Bytes>, Body>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let grpc = parts.headers.get("content-type").is_some_and(|value| value == "application/grpc");
    let at = {
        let mut all = all.lock().unwrap();
        all.push(Got { path: parts.uri.path().to_owned(), headers: parts.headers, body });
        all.len() - 1
    };
    let status = answer(at);
    if grpc {
        let mut trailers = HeaderMap::new();
        let code = if status.is_success() { "0" } else { "14" };
        trailers.insert("grpc-status", code.parse().unwrap());
        let frames = vec![Ok(Frame::data(Bytes::from_static(&[0, 0, 0, 0, 0]))), Ok(Frame::trailers(trailers))];
        let body = StreamBody::new(futures::stream::iter(frames));
        let mut response = Response::new(http_body_util::Either::Right(body));
        response.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        return Ok(response);
    }
    let mut response = Response::new(http_body_util::Either::Left(Full::default()));
    *response.status_mut() = status;
    Ok(response)
}
