//! What the WASI 0.2 guests share: reading a request, answering it, sending one.
//!
//! One case a file in `examples/`; each defines `fn handle(request: IncomingRequest, out: ResponseOutparam)` and hands it to
//! `proxy!`.

use coracle_guests_contract::Target;
use wasip2::http::types::{Fields, IncomingBody, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

/// Bytes asked for by one read: large enough that a pump isn't bound by calls, small enough to keep a guest flat.
pub const CHUNK: u64 = 64 * 1024;

/// Exports a `fn(IncomingRequest, ResponseOutparam)` as `wasi:http/incoming-handler`.
#[macro_export]
macro_rules! proxy {
    ($handle:path) => {
        struct Proxy;

        impl ::wasip2::exports::http::incoming_handler::Guest for Proxy {
            fn handle(
                request: ::wasip2::http::types::IncomingRequest,
                out: ::wasip2::http::types::ResponseOutparam,
            ) {
                $handle(request, out)
            }
        }

        ::wasip2::http::proxy::export!(Proxy);
    };
}

/// Path and query of a request.
pub fn target(request: &IncomingRequest) -> Target {
    Target::parse(request.path_with_query())
}

/// The body of a response or request being sent. `end` completes it; dropping it unended tells the host that it broke off.
pub struct Sink {
    // Before `body`: the stream is a child of it and must go first.
    stream: OutputStream,
    body: OutgoingBody,
}

impl Sink {
    pub fn new(body: OutgoingBody) -> Self {
        let stream = body.write().expect("a body's stream is taken once, here");
        Self { stream, body }
    }

    /// Writes all, as room comes; the host has it when this returns, the client perhaps not.
    pub fn write(&self, mut bytes: &[u8]) -> Result<(), StreamError> {
        let room = self.stream.subscribe();
        while !bytes.is_empty() {
            let permitted = usize::try_from(self.stream.check_write()?).unwrap_or(usize::MAX);
            if permitted == 0 {
                room.block();
                continue;
            }
            let (now, later) = bytes.split_at(permitted.min(bytes.len()));
            self.stream.write(now)?;
            bytes = later;
        }
        Ok(())
    }

    /// Hands what was written on, and waits until that is done.
    pub fn flush(&self) -> Result<(), StreamError> {
        self.stream.blocking_flush()
    }

    /// Lets the host copy from a stream until it ends.
    pub fn splice(&self, from: &InputStream) {
        while self.stream.blocking_splice(from, CHUNK).is_ok() {}
    }

    /// Completes the body.
    pub fn end(self, trailers: Option<Fields>) {
        let Self { stream, body } = self;
        // The last write may still be on its way; a client that left is no concern of ours here.
        let _ = stream.blocking_flush();
        drop(stream);
        let _ = OutgoingBody::finish(body, trailers);
    }
}

/// Headers from name and value pairs that are valid by construction.
pub fn headers(pairs: &[(&str, &str)]) -> Fields {
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    Fields::from_list(&pairs).expect("the guest's own headers are valid")
}

/// Sends the head, and returns where the body goes.
pub fn respond(out: ResponseOutparam, status: u16, headers: Fields) -> Sink {
    let response = OutgoingResponse::new(headers);
    response.set_status_code(status).expect("the guest's own status is valid");
    let body = response.body().expect("a response's body is taken once, here");
    ResponseOutparam::set(out, Ok(response));
    Sink::new(body)
}

/// Sends a whole answer with `content-length`, as text/plain.
pub fn text(out: ResponseOutparam, status: u16, content: impl AsRef<[u8]>) {
    whole(out, status, "text/plain", content.as_ref());
}

/// Sends a whole answer with `content-length` and a content type.
pub fn whole(out: ResponseOutparam, status: u16, content_type: &str, content: &[u8]) {
    let length = content.len().to_string();
    let sink = respond(out, status, headers(&[("content-type", content_type), ("content-length", &length)]));
    if sink.write(content).is_ok() {
        sink.end(None);
    }
}

/// A body being received. `end` waits for its trailers.
pub struct Source {
    // Before `body`: the stream is a child of it and must go first.
    stream: InputStream,
    body: IncomingBody,
}

impl Source {
    pub fn new(body: IncomingBody) -> Self {
        let stream = body.stream().expect("a body's stream is taken once, here");
        Self { stream, body }
    }

    /// The body of a request.
    pub fn of(request: &IncomingRequest) -> Self {
        Self::new(request.consume().expect("a request's body is taken once, here"))
    }

    pub fn stream(&self) -> &InputStream {
        &self.stream
    }

    /// The next bytes, at most `CHUNK`, or None at the end, a failed one included.
    pub fn next(&self) -> Option<Vec<u8>> {
        self.stream.blocking_read(CHUNK).ok()
    }

    /// A whole body in memory, for those that are short.
    pub fn collect(self) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(chunk) = self.next() {
            all.extend_from_slice(&chunk);
        }
        all
    }

    /// The trailers, once the body is read; none also if the body broke off.
    pub fn end(self) -> Option<Fields> {
        let Self { stream, body } = self;
        drop(stream);
        let trailers = IncomingBody::finish(body);
        trailers.subscribe().block();
        trailers.get()?.ok()?.ok()?
    }
}
