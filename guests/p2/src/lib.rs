//! What the WASI 0.2 guests share: reading a request, answering it, sending one.
//!
//! One case a file in `examples/`; each defines `fn handle(request: IncomingRequest, out: ResponseOutparam)` and hands it to
//! `proxy!`.

use coracle_guests_contract::{Address, Fetched, Reply, Target, code};
use wasip2::clocks::monotonic_clock;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingRequest, Method, OutgoingBody, OutgoingRequest,
    OutgoingResponse, ResponseOutparam, Scheme, http_error_code,
};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

/// Bytes asked for by one read: large enough that a pump isn't bound by calls, small enough to keep a guest flat.
pub const CHUNK: u64 = 64 * 1024;

/// Exports a `fn(IncomingRequest, ResponseOutparam)` as `wasi:http/incoming-handler`.
#[macro_export]
macro_rules! proxy {
    ($handle:path) => {
        struct Proxy;

        impl ::wasip2::exports::http::incoming_handler::Guest for Proxy {
            fn handle(request: ::wasip2::http::types::IncomingRequest, out: ::wasip2::http::types::ResponseOutparam) {
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

/// The request's method in capitals.
pub fn method(request: &IncomingRequest) -> String {
    match request.method() {
        Method::Other(name) => name,
        known => format!("{known:?}").trim_start_matches("Method::").to_uppercase(),
    }
}

/// Writes all to any stream, as room comes.
pub fn write(stream: &OutputStream, mut bytes: &[u8]) -> Result<(), StreamError> {
    let room = stream.subscribe();
    while !bytes.is_empty() {
        let permitted = usize::try_from(stream.check_write()?).unwrap_or(usize::MAX);
        if permitted == 0 {
            room.block();
            continue;
        }
        let (now, later) = bytes.split_at(permitted.min(bytes.len()));
        stream.write(now)?;
        bytes = later;
    }
    Ok(())
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
    pub fn write(&self, bytes: &[u8]) -> Result<(), StreamError> {
        write(&self.stream, bytes)
    }

    /// Hands what was written on, and waits until that is done.
    pub fn flush(&self) -> Result<(), StreamError> {
        self.stream.blocking_flush()
    }

    /// Lets the host copy from a stream until it ends; an error when it broke off, or when this one did.
    pub fn splice(&self, from: &InputStream) -> Result<(), StreamError> {
        loop {
            match self.stream.blocking_splice(from, CHUNK) {
                Ok(_) => {}
                Err(StreamError::Closed) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
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

/// Sends the head, and returns where the body goes.
pub fn respond(out: ResponseOutparam, status: u16, headers: Fields) -> Sink {
    let response = OutgoingResponse::new(headers);
    response.set_status_code(status).expect("the guest's own status is valid");
    let body = response.body().expect("a response's body is taken once, here");
    ResponseOutparam::set(out, Ok(response));
    Sink::new(body)
}

/// Sends a whole answer.
pub fn answer(out: ResponseOutparam, reply: Reply) {
    let headers = Fields::from_list(&reply.headers()).expect("the guest's own headers are valid");
    let sink = respond(out, reply.status, headers);
    if sink.write(&reply.content).is_ok() {
        sink.end(None);
    }
}

/// Sends a short text.
pub fn text(out: ResponseOutparam, status: u16, content: impl Into<Vec<u8>>) {
    answer(out, Reply::text(status, content));
}

/// The head of a text that is written bit by bit.
pub fn text_headers() -> Fields {
    Fields::from_list(&[("content-type".to_owned(), b"text/plain".to_vec())])
        .expect("the guest's own headers are valid")
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

    /// The next bytes, at most `CHUNK`, or None at the end; the name of the error code if the body broke off.
    pub fn next(&self) -> Result<Option<Vec<u8>>, String> {
        match self.stream.blocking_read(CHUNK) {
            Ok(chunk) => Ok(Some(chunk)),
            Err(StreamError::Closed) => Ok(None),
            Err(StreamError::LastOperationFailed(error)) => {
                Err(http_error_code(&error).map_or_else(|| error.to_debug_string(), named))
            }
        }
    }

    /// A whole body in memory, for those that are short.
    pub fn collect(self) -> Result<Vec<u8>, String> {
        let mut all = Vec::new();
        while let Some(chunk) = self.next()? {
            all.extend_from_slice(&chunk);
        }
        Ok(all)
    }

    /// The trailers, once the body is read.
    pub fn end(self) -> Result<Option<Fields>, String> {
        let Self { stream, body } = self;
        drop(stream);
        let trailers = IncomingBody::finish(body);
        trailers.subscribe().block();
        trailers.get().expect("its pollable is ready").expect("they are taken once, here").map_err(named)
    }
}

/// Waits by the monotonic clock.
pub fn wait(ms: u64) {
    monotonic_clock::subscribe_duration(ms * 1_000_000).block();
}

/// Sends a request without a body and reads its whole answer. An error is the name of its code, at whatever point it came up.
pub fn fetch(method: &Method, url: &str) -> Fetched {
    let (sending, sink) = send(method, url)?;
    sink.end(None);
    receive(sending)
}

/// Sends the head of a request; its body goes to the sink, which has to be ended. Several can be under way at once.
pub fn send(method: &Method, url: &str) -> Result<(FutureIncomingResponse, Sink), String> {
    let address = Address::parse(url)?;
    let request = OutgoingRequest::new(Fields::new());
    let refused = |()| format!("unusable request to {url}");
    request.set_method(method).map_err(refused)?;
    request.set_scheme(Some(&if address.https { Scheme::Https } else { Scheme::Http })).map_err(refused)?;
    request.set_authority(Some(&address.authority)).map_err(refused)?;
    request.set_path_with_query(Some(&address.path_with_query)).map_err(refused)?;
    let body = request.body().map_err(refused)?;
    let sending = outgoing_handler::handle(request, None).map_err(named)?;
    Ok((sending, Sink::new(body)))
}

/// Waits for the answer and reads all of it.
pub fn receive(sending: FutureIncomingResponse) -> Fetched {
    sending.subscribe().block();
    let ready = sending.get().expect("its pollable is ready").expect("it is taken once, here");
    let response = ready.map_err(named)?;
    let body = response.consume().expect("a response's body is taken once, here");
    Ok((response.status(), Source::new(body).collect()?))
}

fn named(error: ErrorCode) -> String {
    code(&format!("{error:?}"))
}
