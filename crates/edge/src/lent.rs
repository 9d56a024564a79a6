//! A request body that is lent to a client and can be taken back as long as nobody has read from it.
//!
//! The client consumes the request; when the connection could not even be made, the body is still whole, and with it the
//! request can be tried elsewhere. Used by `upstream` alone.

use bytes::Bytes;
use coracle_host::{Body, BodyError};
use http_body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

/// What the client gets.
pub struct Lent(Arc<Loan>);

/// What the lender keeps.
pub struct Lender(Arc<Loan>);

struct Loan {
    /// `None` once it was taken back. Locked only for the length of one poll.
    body: Mutex<Option<Body>>,
    /// How often it was polled.
    polls: AtomicU64,
    /// The body itself failed: the fault is the client's, not the upstream's.
    broken: AtomicBool,
}

/// Lends a body.
pub fn lend(body: Body) -> (Lent, Lender) {
    let loan =
        Arc::new(Loan { body: Mutex::new(Some(body)), polls: AtomicU64::new(0), broken: AtomicBool::new(false) });
    (Lent(Arc::clone(&loan)), Lender(loan))
}

impl Lender {
    /// The body, if nothing was read from it.
    pub fn take_back(&self) -> Option<Body> {
        let untouched = self.polls() == 0;
        untouched.then(|| self.0.body.lock().unwrap_or_else(PoisonError::into_inner).take()).flatten()
    }

    /// Grows as long as the body moves.
    pub fn polls(&self) -> u64 {
        self.0.polls.load(Relaxed)
    }

    /// True when the body broke off on the client's side.
    pub fn broken(&self) -> bool {
        self.0.broken.load(Relaxed)
    }
}

impl Lent {
    fn with<T>(&self, look: impl FnOnce(&mut Body) -> T) -> Option<T> {
        self.0.body.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(look)
    }
}

impl http_body::Body for Lent {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.0.polls.fetch_add(1, Relaxed);
        let polled = self.with(|body| Pin::new(body).poll_frame(context)).unwrap_or(Poll::Ready(None));
        if matches!(polled, Poll::Ready(Some(Err(_)))) {
            self.0.broken.store(true, Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.with(|body| body.is_end_stream()).unwrap_or(true)
    }

    fn size_hint(&self) -> SizeHint {
        self.with(|body| body.size_hint()).unwrap_or_default()
    }
}
