//! Copies of requests for the new version, whose answers are compared and never sent. Only what changes nothing is copied (GET and
//! HEAD), only to versions that can't write (`effects.rs`), after its answer has gone out, a few at a time; bodies above a limit are compared by status and headers alone.

use crate::call::{Answer, Call};
use crate::rollout::steered::Steered;
use crate::tunnel::Place;
use bytes::Bytes;
use coracle_host::{Body, BodyError, Meter, Request, Response};
use coracle_rollout::diff::{self, Difference, Mask};
use coracle_rollout::version::Arm;
use coracle_telemetry::RequestId;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt as _, Limited};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// Bodies are compared up to here.
const MAX_BODY: usize = 256 * 1024;
/// A copy that takes longer counts as no answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Tells whoever gets a copy that nobody waits for its answer.
pub const SHADOW: HeaderName = HeaderName::from_static("x-coracle-shadow");

/// A copy of a request, to be sent when its answer has gone out.
pub struct Shadow {
    steered: Arc<Steered>,
    request: http::request::Parts,
    shard: usize,
    place: Place,
    permit: OwnedSemaphorePermit,
}

impl Shadow {
    /// A copy, if this request is to have one.
    pub fn of(steered: &Arc<Steered>, request: &Request, (shard, place): (usize, &Place)) -> Option<Self> {
        let share = steered.current.load().shadow.basis_points();
        if share == 0 || steered.no_copies.is_some() || rand::random_range(0..10_000_u16) >= share {
            return None;
        }
        let safe = matches!(*request.method(), Method::GET | Method::HEAD);
        if !safe
            || !http_body::Body::is_end_stream(request.body())
            || request.headers().contains_key(http::header::UPGRADE)
        {
            return None;
        }
        let Ok(permit) = Arc::clone(&steered.copies).try_acquire_owned() else {
            steered.compared().skip();
            return None;
        };
        let mut copy = http::Request::new(());
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.headers_mut() = request.headers().clone();
        copy.headers_mut().insert(SHADOW, HeaderValue::from_static("1"));
        Some(Self {
            steered: Arc::clone(steered),
            request: copy.into_parts().0,
            shard,
            place: Arc::clone(place),
            permit,
        })
    }

    /// Goes along with the answer, and begins when that has ended.
    pub fn follow(self, response: Response) -> Response {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        response.map(|body| {
            let ended = http_body::Body::is_end_stream(&body);
            let expected = http_body::Body::size_hint(&body).exact();
            let seen = Seen { status, headers, body: Some(Vec::new()), length: 0 };
            Teed { body, ended, expected, seen: Some(seen), shadow: Some(self) }.boxed_unsync()
        })
    }

    /// Sends the copy and compares.
    async fn run(self, primary: Seen) {
        let compared = self.steered.compared();
        let arm = if compared.should_learn(rand::random()) { Arm::Old } else { Arm::New };
        let asked = format!("{} {}", self.request.method, self.request.uri.path());
        let second = tokio::time::timeout(PATIENCE, self.send(arm)).await;
        let second = second.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        let differences = match (&second, arm) {
            (Ok(second), Arm::Old) => {
                diff::compare(primary.answer(), second.answer(), compared.rules(), &Mask::default())
            }
            (Ok(second), Arm::New) => {
                diff::compare(primary.answer(), second.answer(), compared.rules(), &compared.mask())
            }
            // What the old version doesn't answer twice is no lesson.
            (Err(_), Arm::Old) => return,
            (Err(why), Arm::New) => {
                vec![Difference { place: "answer".to_owned(), old: primary.status.to_string(), new: why.clone() }]
            }
        };
        match arm {
            Arm::Old => compared.learn(&differences),
            Arm::New => compared.add(&asked, &differences),
        }
        drop(self.permit);
    }

    async fn send(&self, arm: Arm) -> Result<Seen, String> {
        let request = Request::from_parts(self.request.clone(), coracle_host::empty());
        let call = Call {
            depth: 0,
            request,
            id: RequestId(rand::random()),
            meter: Arc::new(Meter::default()),
            keep: false,
            shard: self.shard,
            place: Arc::clone(&self.place),
        };
        let response = match Box::pin(self.steered.destination(arm).call(call)).await {
            Ok(Answer::Response(response)) => response,
            Ok(Answer::Refused(_)) => return Err("refused".to_owned()),
            Err(failure) => return Err(format!("none: {}", super::observed::word(&failure.cause))),
        };
        let (parts, body) = response.into_parts();
        let (body, length) = match Limited::new(body, MAX_BODY).collect().await {
            Ok(whole) => {
                let bytes = whole.to_bytes().to_vec();
                let length = bytes.len();
                (Some(bytes), length)
            }
            Err(error) if error.is::<http_body_util::LengthLimitError>() => (None, MAX_BODY),
            Err(_) => return Err("one that broke off".to_owned()),
        };
        Ok(Seen { status: parts.status.as_u16(), headers: parts.headers, body, length })
    }
}

/// An answer as far as it is compared.
struct Seen {
    status: u16,
    headers: HeaderMap,
    /// `None` when it is too long.
    body: Option<Vec<u8>>,
    length: usize,
}

impl Seen {
    fn answer(&self) -> diff::Answer<'_> {
        diff::Answer { status: self.status, headers: &self.headers, body: self.body.as_deref() }
    }

    fn take(&mut self, data: &Bytes) {
        self.length += data.len();
        match &mut self.body {
            Some(body) if self.length <= MAX_BODY => body.extend_from_slice(data),
            body => *body = None,
        }
    }
}

/// The answer's body on its way out, remembered.
struct Teed {
    body: Body,
    ended: bool,
    expected: Option<u64>,
    seen: Option<Seen>,
    shadow: Option<Shadow>,
}

impl http_body::Body for Teed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let (Some(data), Some(seen)) = (frame.data_ref(), &mut self.seen) {
                    seen.take(data);
                }
                self.ended |= self.body.is_end_stream();
            }
            Poll::Ready(Some(Err(_))) => self.shadow = None,
            Poll::Ready(None) => self.ended = true,
            Poll::Pending => {}
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

impl Drop for Teed {
    fn drop(&mut self) {
        let (Some(shadow), Some(seen)) = (self.shadow.take(), self.seen.take()) else { return };
        let whole = self.ended || self.expected.is_some_and(|expected| seen.length as u64 >= expected);
        // At the end of the process there is nothing left to run it.
        if let (true, Ok(runtime)) = (whole, tokio::runtime::Handle::try_current()) {
            runtime.spawn(Box::pin(shadow.run(seen)));
        }
    }
}
