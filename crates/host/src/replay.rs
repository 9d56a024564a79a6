//! Keeps what a guest has read of a request body, within a limit, so that another destination can be tried.
//!
//! The body the guest reads is a [`Tee`]; the kept frames and the unread rest are shared with [`Replay`], which puts the
//! request together again after a failure.

use crate::{Body, BodyError, Request};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

/// The way back to a request that was handed to a guest.
pub(crate) struct Replay {
    parts: http::request::Parts,
    shared: Arc<Mutex<State>>,
}

struct State {
    seen: Vec<Bytes>,
    room: u64,
    /// Something was read that could not be kept: trailers, an error, or more than the limit.
    lost: bool,
    rest: Option<Body>,
}

impl Replay {
    /// Splits a request into the one the guest reads and the way back.
    pub(crate) fn split(request: Request, limit: u64) -> (Request, Self) {
        let (parts, body) = request.into_parts();
        let shared = Arc::new(Mutex::new(State { seen: Vec::new(), room: limit, lost: false, rest: Some(body) }));
        let tee = Tee { shared: Arc::clone(&shared) };
        (http::Request::from_parts(parts.clone(), tee.boxed_unsync()), Self { parts, shared })
    }

    /// The request as it was before the guest read any of it, if all that was read has been kept.
    pub(crate) fn restore(self) -> Option<Request> {
        let mut state = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if state.lost {
            return None;
        }
        let rest = state.rest.take()?;
        let seen = std::mem::take(&mut state.seen);
        drop(state);
        let body = if seen.is_empty() { rest } else { Again { seen: seen.into_iter(), rest }.boxed_unsync() };
        Some(http::Request::from_parts(self.parts, body))
    }
}

/// The body the guest reads.
struct Tee {
    shared: Arc<Mutex<State>>,
}

impl http_body::Body for Tee {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut state = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(rest) = state.rest.as_mut() else {
            // The request was taken back while the guest still reads: it is being torn down.
            return Poll::Ready(Some(Err(BodyError::ConnectionTerminated)));
        };
        let polled = Pin::new(rest).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => match frame.data_ref() {
                Some(data) if data.len() as u64 <= state.room => {
                    state.room -= data.len() as u64;
                    let data = data.clone();
                    state.seen.push(data);
                }
                _ => {
                    state.lost = true;
                    state.seen = Vec::new();
                }
            },
            Poll::Ready(Some(Err(_))) => state.lost = true,
            Poll::Ready(None) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let state = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        state.rest.as_ref().is_some_and(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let state = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        state.rest.as_ref().map(http_body::Body::size_hint).unwrap_or_default()
    }
}

/// The kept frames, then the rest.
struct Again {
    seen: std::vec::IntoIter<Bytes>,
    rest: Body,
}

impl http_body::Body for Again {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.seen.next() {
            Some(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.seen.len() == 0 && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let kept = self.seen.as_slice().iter().map(|data| data.len() as u64).sum::<u64>();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(kept));
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(kept)) {
            hint.set_upper(upper);
        }
        hint
    }
}
