//! Bodies as they travel between client, guest and upstream: boxed streams of `Bytes` frames with trailers.
//!
//! The types are those of the runtime's HTTP host, so that a body enters and leaves a guest without being boxed again.

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A streaming body; `Send`, not `Sync`.
pub type Body = wasmtime_wasi_http::WasiBody;
/// Why a body broke off. Its variants are the error codes of `wasi:http`.
pub type BodyError = wasmtime_wasi_http::Error;
/// A request whose URI is absolute: scheme and authority are what the guest sees.
pub type Request = http::Request<Body>;
/// A response whose body may still be streaming out of a guest.
pub type Response = http::Response<Body>;

/// A body that has ended before it began.
#[must_use]
pub fn empty() -> Body {
    http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body of these bytes.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    http_body_util::Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body that breaks off with an error once it is longer than it may be.
pub(crate) struct Limited {
    body: Body,
    left: u64,
    limit: u64,
}

impl Limited {
    /// Limits a body to so many bytes.
    pub(crate) fn body(body: Body, limit: u64) -> Body {
        if http_body::Body::is_end_stream(&body) {
            return body;
        }
        Self { body, left: limit, limit }.boxed_unsync()
    }
}

impl http_body::Body for Limited {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            match self.left.checked_sub(data.len() as u64) {
                Some(left) => self.left = left,
                None => return Poll::Ready(Some(Err(BodyError::HttpRequestBodySize(Some(self.limit))))),
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
