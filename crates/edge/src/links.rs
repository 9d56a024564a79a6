//! A chain: the middleware of a route, one after the other, and at its end the route's destination with its fallback.
//!
//! ```text
//! request ─▶ auth ─ handle ─▶ gzip ─ handle ─▶ `to` ── no answer, intact ─▶ `fallback`
//!    ◀──────────┴──────────────┴─────────────────┘
//! ```
//! The fallback stands behind the chain, never beside it: when a middleware can't answer, the request is not let past it. A middleware
//! makes a request of its own, so that WebSockets don't pass through a chain.

use crate::call::{Answer, Call};
use crate::destination::{Component, Destination};
use crate::fits::check_limits;
use crate::respond;
use crate::tunnel::Place;
use coracle_host::{Cause, Failure, Meter, Onward, Request, Response};
use coracle_telemetry::{Blame, RequestId};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::Uri;
use std::sync::{Arc, Mutex, PoisonError};

/// What is at the end of a chain.
pub struct End {
    pub first: Destination,
    pub fallback: Option<Destination>,
}

/// One request's way through a chain, from some link on.
struct Way {
    links: Arc<[Arc<Component>]>,
    at: usize,
    end: Arc<End>,
    id: RequestId,
    meter: Arc<Meter>,
    shard: usize,
    place: Place,
    /// The address that the client asked for.
    origin: Uri,
    told: Arc<Mutex<Told>>,
}

/// What happened behind the chain, for the record.
#[derive(Default)]
pub struct Told {
    /// Who answered in place of the first, and why.
    pub fell_back: Option<(Arc<str>, Failure)>,
    /// Why nobody did.
    pub failure: Option<Failure>,
}

/// Runs a request through a route's middleware to its end.
///
/// # Errors
/// When there is no response; the request is gone then.
pub async fn call(links: &Arc<[Arc<Component>]>, end: End, call: Call) -> (Result<Answer, Failure>, Told) {
    let told = Arc::<Mutex<Told>>::default();
    let Call { request, id, meter, shard, place, .. } = call;
    let origin = request.uri().clone();
    let (links, end) = (Arc::clone(links), Arc::new(end));
    let way = Way { links, at: 0, end, id, meter, shard, place, origin, told: Arc::clone(&told) };
    let answer = Arc::new(way).call(request).await;
    let mut told = std::mem::take(&mut *told.lock().unwrap_or_else(PoisonError::into_inner));
    let answer = answer.map_err(|failure| match (&failure.cause, told.failure.take()) {
        // A middleware passed on that there was no answer: what was behind it says more.
        (Cause::ErrorCode(_), Some(behind)) => behind,
        _ => failure,
    });
    (answer.map(Answer::Response), told)
}

impl Onward for Way {
    fn origin(&self) -> &Uri {
        &self.origin
    }

    fn call(self: Arc<Self>, request: Request) -> BoxFuture<'static, Result<Response, Failure>> {
        async move {
            match self.links.get(self.at) {
                Some(link) => {
                    let link = Arc::clone(link);
                    check_limits(&Destination::Component(Arc::clone(&link)), &request)?;
                    let call = coracle_host::Call {
                        request,
                        id: self.id,
                        meter: Arc::default(),
                        keep: false,
                        depth: u32::try_from(self.at).unwrap_or(u32::MAX),
                        onward: Some(Arc::new(self.next())),
                    };
                    Box::pin(link.pool.call(call)).await
                }
                None => self.end(request).await,
            }
        }
        .boxed()
    }
}

impl Way {
    fn next(&self) -> Self {
        Self {
            links: Arc::clone(&self.links),
            at: self.at + 1,
            end: Arc::clone(&self.end),
            id: self.id,
            meter: Arc::clone(&self.meter),
            shard: self.shard,
            place: Arc::clone(&self.place),
            origin: self.origin.clone(),
            told: Arc::clone(&self.told),
        }
    }

    async fn end(&self, request: Request) -> Result<Response, Failure> {
        let End { first, fallback } = &*self.end;
        let answer = match self.try_end(first, request, fallback.is_some()).await {
            Err(mut failure) => match (fallback, failure.request.take()) {
                (Some(fallback), Some(request)) if failure.blame != Blame::Client => {
                    self.tell(|told| told.fell_back = Some((fallback.name(), failure)));
                    self.try_end(fallback, *request, false).await
                }
                _ => Err(failure),
            },
            answered => answered,
        };
        match answer {
            Ok(Answer::Response(response)) => Ok(response),
            Ok(Answer::Refused(refusal)) => Ok(respond::refused(&refusal, self.id)),
            Err(failure) => {
                let Failure { stage, blame, cause, detail, .. } = &failure;
                let behind = Failure::new(*stage, *blame, cause.clone(), detail.clone());
                self.tell(|told| told.failure = Some(behind));
                Err(failure)
            }
        }
    }

    async fn try_end(&self, to: &Destination, request: Request, keep: bool) -> Result<Answer, Failure> {
        check_limits(to, &request)?;
        let (meter, place) = (Arc::clone(&self.meter), Arc::clone(&self.place));
        let depth = u32::try_from(self.links.len()).unwrap_or(u32::MAX);
        to.call(Call { request, id: self.id, meter, keep, depth, shard: self.shard, place }).await
    }

    fn tell(&self, what: impl FnOnce(&mut Told)) {
        what(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
