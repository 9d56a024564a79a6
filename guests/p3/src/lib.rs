//! What the WASI 0.3 guests share: reading a request, answering it, sending one.
//!
//! One case a file in `examples/`; each defines `async fn handle(request: Request) -> Answer` and hands it to `service!`.

use coracle_guests_contract::Target;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
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

/// The request's body and trailers. The request is gone after that, so read its head first.
pub fn body(request: Request) -> (Body, Trailers) {
    // Dropping the writer resolves it with Ok: this guest never reports an error of its own to the sender.
    let (_, received) = wit_future::new(|| Ok(()));
    Request::consume_body(request, received)
}

/// Headers from name and value pairs that are valid by construction.
pub fn headers(pairs: &[(&str, &str)]) -> Fields {
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    Fields::from_list(&pairs).expect("the guest's own headers are valid")
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

/// A whole answer with `content-length`, as text/plain.
pub fn text(status: u16, content: impl Into<Vec<u8>>) -> Response {
    whole(status, "text/plain", content)
}

/// A whole answer with `content-length` and a content type.
pub fn whole(status: u16, content_type: &str, content: impl Into<Vec<u8>>) -> Response {
    let content = content.into();
    let head = headers(&[("content-type", content_type), ("content-length", &content.len().to_string())]);
    let (mut writer, reader) = wit_stream::new();
    spawn_local(async move {
        // What remains unwritten belongs to a client that left.
        let _ = writer.write_all(content).await;
    });
    respond(status, head, Some(reader))
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
