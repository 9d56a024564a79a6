//! What the WASI 0.3 guests share: reading a request, answering it, sending one.
//!
//! One case a file in `examples/`; each defines `async fn handle(request: Request) -> Answer` and hands it to `service!`.

use coracle_guests_contract::{Address, Fetched, Reply, Target, code};
use wasip3::clocks::monotonic_clock;
use wasip3::http::client;
use wasip3::http::types::{ErrorCode, Fields, Method, Request, Response, Scheme};
pub use wasip3::{spawn_local, wit_future, wit_stream};
use wit_bindgen::{FutureReader, StreamReader, StreamResult};

/// What a handler returns.
pub type Answer = Result<Response, ErrorCode>;

/// The body type of requests and responses, one way.
pub type Body = StreamReader<u8>;

/// The trailers that come with a body, or the error that ended it.
pub type Trailers = FutureReader<Result<Option<Fields>, ErrorCode>>;

/// Bytes asked for by one read: large enough that a pump isn't bound by calls, small enough to keep a guest flat.
pub const CHUNK: usize = 64 * 1024;

/// Exports an `async fn(Request) -> Answer` as `wasi:http/handler`.
#[macro_export]
macro_rules! service {
    ($handle:path) => {
        struct Service;

        impl ::wasip3::exports::http::handler::Guest for Service {
            async fn handle(request: ::wasip3::http::types::Request) -> $crate::Answer {
                $handle(request).await
            }
        }

        ::wasip3::http::service::export!(Service);
    };
}

/// Path and query of a request.
pub fn target(request: &Request) -> Target {
    Target::parse(request.get_path_with_query())
}

/// The request's method in capitals.
pub fn method(request: &Request) -> String {
    match request.get_method() {
        Method::Other(name) => name,
        known => format!("{known:?}").trim_start_matches("Method::").to_uppercase(),
    }
}

/// The request's body and trailers. The request is gone after that, so read its head first.
pub fn body(request: Request) -> (Body, Trailers) {
    // Dropping the writer resolves it with Ok: this guest never reports an error of its own to the sender.
    let (_, received) = wit_future::new(|| Ok(()));
    Request::consume_body(request, received)
}

/// A response around a body that someone else writes; no trailers.
pub fn respond(status: u16, headers: Fields, body: Option<Body>) -> Response {
    let (_, trailers) = wit_future::new(|| Ok(None));
    respond_with(status, headers, body, trailers)
}

/// As `respond`, with trailers.
pub fn respond_with(status: u16, headers: Fields, body: Option<Body>, trailers: Trailers) -> Response {
    let (response, _sent) = Response::new(headers, body, trailers);
    response.set_status_code(status).expect("the guest's own status is valid");
    response
}

/// A response with a whole answer.
pub fn answer(reply: Reply) -> Response {
    let headers = Fields::from_list(&reply.headers()).expect("the guest's own headers are valid");
    if reply.content.is_empty() {
        return respond(reply.status, headers, None);
    }
    let (mut writer, reader) = wit_stream::new();
    spawn_local(async move {
        // What remains unwritten belongs to a client that left.
        let _ = writer.write_all(reply.content).await;
    });
    respond(reply.status, headers, Some(reader))
}

/// A response with a short text.
pub fn text(status: u16, content: impl Into<Vec<u8>>) -> Response {
    answer(Reply::text(status, content))
}

/// The head of a text that is written bit by bit.
pub fn text_headers() -> Fields {
    Fields::from_list(&[("content-type".to_owned(), b"text/plain".to_vec())])
        .expect("the guest's own headers are valid")
}

/// The next bytes of a body, at most `CHUNK`, or None at its end. `buffer` is the last chunk's memory, used again.
pub async fn next(body: &mut Body, mut buffer: Vec<u8>) -> Option<Vec<u8>> {
    loop {
        buffer.clear();
        buffer.reserve_exact(CHUNK);
        let (status, read) = body.read(buffer).await;
        if !read.is_empty() {
            return Some(read);
        }
        if status == StreamResult::Dropped {
            return None;
        }
        buffer = read;
    }
}

/// A whole body in memory, for those that are short.
pub async fn collect(mut body: Body) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = Vec::new();
    while let Some(chunk) = next(&mut body, buffer).await {
        all.extend_from_slice(&chunk);
        buffer = chunk;
    }
    all
}

/// Waits by the monotonic clock.
pub async fn wait(ms: u64) {
    monotonic_clock::wait_for(ms * 1_000_000).await;
}

/// Sends a request and reads its whole answer. An error is the name of its code, at whatever point it came up.
pub async fn fetch(method: Method, url: &str, body: Option<(Body, Trailers)>) -> Fetched {
    let address = Address::parse(url)?;
    let (body, trailers) = match body {
        Some((body, trailers)) => (Some(body), trailers),
        None => (None, wit_future::new(|| Ok(None)).1),
    };
    let (request, _sent) = Request::new(Fields::new(), body, trailers, None);
    let refused = |()| format!("unusable request to {url}");
    request.set_method(&method).map_err(refused)?;
    request.set_scheme(Some(&if address.https { Scheme::Https } else { Scheme::Http })).map_err(refused)?;
    request.set_authority(Some(&address.authority)).map_err(refused)?;
    // `http://host` alone is a request without a path, as the interface allows one.
    let bare = url.split_once("://").is_some_and(|(_, rest)| !rest.contains(['/', '?']));
    request.set_path_with_query((!bare).then_some(&address.path_with_query)).map_err(refused)?;
    let response = client::send(request).await.map_err(named)?;
    let status = response.get_status_code();
    let (_, received) = wit_future::new(|| Ok(()));
    let (body, trailers) = Response::consume_body(response, received);
    let content = collect(body).await;
    trailers.await.map_err(named)?;
    Ok((status, content))
}

fn named(error: ErrorCode) -> String {
    code(&format!("{error:?}"))
}
