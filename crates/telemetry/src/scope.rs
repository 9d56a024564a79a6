//! What is noted of one request while it runs: where it stands in its trace, and the spans of the calls it made.
//!
//! The edge makes one per request, whoever serves the request writes into it, and at the end it becomes a [`Kept`](crate::Kept) or
//! nothing. A request that makes no calls never takes the lock and allocates nothing. The first spans of a request are kept whole, up
//! to its budget; of the rest only their number, time and errors by name, so that a guest that makes a million calls costs no more than
//! one that makes two hundred.
//!
//! Span ids are counted: 0 is the server span, 1 the run of the component, 2 the making of its instance, calls begin at 16.

use crate::context::{self, Parent};
use crate::id::{RequestId, SpanId, TraceId};
use crate::span::Span;
use http::HeaderMap;
use std::borrow::Cow;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The run of a component, and the making of its instance, as numbers of spans.
pub(crate) const INVOKE: u32 = 1;
pub(crate) const INSTANTIATE: u32 = 2;
/// The number of the first call.
const FIRST: u32 = 16;
/// Names that are told apart beyond the budget; further ones count as `_other`.
const NAMES: usize = 32;
/// Open spans of a guest that are remembered as parents, one in another.
const DEPTH: usize = 64;

/// One request's place in its trace, and what it did.
#[derive(Debug)]
pub struct Scope {
    pub request: RequestId,
    pub trace: TraceId,
    /// The caller's span.
    pub parent: Option<SpanId>,
    /// The caller's `tracestate`.
    pub state: Option<Box<str>>,
    /// What the caller wants passed on.
    pub baggage: Option<String>,
    /// Its trace is kept whatever becomes of it.
    pub sampled: bool,
    /// Spans that are kept whole.
    budget: usize,
    /// The moment from which times are counted, and the same as nanoseconds since 1970.
    began: (Instant, u64),
    next: AtomicU32,
    calls: Mutex<Calls>,
}

/// What a request did.
#[derive(Debug, Default)]
pub struct Calls {
    pub spans: Vec<Span>,
    pub rest: Vec<Rest>,
    /// Spans that the guest has begun and not ended, the innermost last.
    open: Vec<SpanId>,
}

/// Calls beyond the budget, taken together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    pub name: Cow<'static, str>,
    pub count: u64,
    pub errors: u64,
    /// All of them together.
    pub nanos: u64,
}

/// A call that is under way.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    pub id: SpanId,
    /// The span it was made from: the guest's innermost, or the run of the component.
    pub parent: SpanId,
    pub start: u64,
}

impl Scope {
    /// `parent` and `state` as the request's headers say them; `began` is its arrival on both clocks.
    #[must_use]
    pub fn new(
        request: RequestId,
        parent: Option<Parent>,
        sampled: bool,
        budget: usize,
        began: (Instant, u64),
    ) -> Self {
        Self {
            request,
            trace: parent.map_or_else(|| TraceId::of(request), |parent| parent.trace),
            parent: parent.map(|parent| parent.span),
            state: None,
            baggage: None,
            sampled,
            budget,
            began,
            next: AtomicU32::new(FIRST),
            calls: Mutex::default(),
        }
    }

    /// The span of the request itself.
    #[must_use]
    pub fn server(&self) -> SpanId {
        SpanId::nth(self.request, 0)
    }

    /// The span of the component's run.
    #[must_use]
    pub fn invoke(&self) -> SpanId {
        SpanId::nth(self.request, INVOKE)
    }

    /// Now, as nanoseconds since 1970; never goes back within a request.
    #[must_use]
    pub fn now(&self) -> u64 {
        let (began, nanos) = self.began;
        nanos.saturating_add(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// A call of the component begins.
    #[must_use]
    pub fn open(&self) -> Open {
        let parent = self.calls().open.last().copied().unwrap_or_else(|| self.invoke());
        self.open_in(parent)
    }

    /// A call of ours begins, on behalf of the request.
    #[must_use]
    pub fn open_in(&self, parent: SpanId) -> Open {
        Open { id: SpanId::nth(self.request, self.next.fetch_add(1, Relaxed)), parent, start: self.now() }
    }

    /// A call has ended. `span` is asked for only when there is room for it.
    pub fn close(&self, open: Open, name: Cow<'static, str>, error: bool, span: impl FnOnce(Span) -> Span) {
        let end = self.now();
        let mut calls = self.calls();
        if calls.spans.len() < self.budget {
            let empty = Span::new(self.trace, open.id, name, crate::span::Kind::Client, (open.start, end));
            calls.spans.push(span(Span { parent: Some(open.parent), ..empty }));
        } else {
            calls.count(name, error, end.saturating_sub(open.start));
        }
    }

    /// The guest has begun a span: what it calls from here on is called from there.
    pub fn guest_began(&self, span: SpanId) {
        let mut calls = self.calls();
        if calls.open.len() < DEPTH {
            calls.open.push(span);
        }
    }

    /// The guest has ended a span of its own and says all about it. Its trace is ours, whatever it says: a guest can't write into
    /// other requests' traces.
    pub fn guest_ended(&self, mut span: Span) {
        span.trace = self.trace;
        span.parent = span.parent.or_else(|| Some(self.invoke()));
        let mut calls = self.calls();
        // Spans may end in another order than the reverse of their beginning.
        if let Some(at) = calls.open.iter().rposition(|open| *open == span.id) {
            calls.open.remove(at);
        }
        if calls.spans.len() < self.budget {
            calls.spans.push(span);
        } else {
            let (error, nanos) = (span.is_error(), span.duration());
            calls.count(Cow::Borrowed("guest"), error, nanos);
        }
    }

    /// The guest's innermost open span, or the run.
    #[must_use]
    pub fn current(&self) -> SpanId {
        self.calls().open.last().copied().unwrap_or_else(|| self.invoke())
    }

    /// Writes the headers of a request that is made for this one from `span`. A trace that the sender has named itself stays.
    pub fn pass_on(&self, span: SpanId, headers: &mut HeaderMap) {
        if headers.contains_key(context::TRACEPARENT) {
            return;
        }
        Parent { trace: self.trace, span, sampled: self.sampled }.set(headers, self.state.as_deref());
        let baggage = self.baggage.as_deref().and_then(|baggage| http::HeaderValue::from_str(baggage).ok());
        if let (Some(baggage), false) = (baggage, headers.contains_key(context::BAGGAGE)) {
            headers.insert(context::BAGGAGE, baggage);
        }
    }

    /// Writes the headers of the request itself as it goes on to `span`: what its caller said is ours to replace.
    pub fn hand_on(&self, span: SpanId, headers: &mut HeaderMap) {
        Parent { trace: self.trace, span, sampled: self.sampled }.set(headers, self.state.as_deref());
    }

    /// Takes what was noted.
    #[must_use]
    pub fn take(&self) -> Calls {
        std::mem::take(&mut *self.calls())
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Calls {
    fn count(&mut self, name: Cow<'static, str>, error: bool, nanos: u64) {
        let known = self.rest.iter().position(|rest| rest.name == name);
        let name = if known.is_none() && self.rest.len() >= NAMES { Cow::Borrowed("_other") } else { name };
        let at = known.or_else(|| self.rest.iter().position(|rest| rest.name == name)).unwrap_or_else(|| {
            self.rest.push(Rest { name, count: 0, errors: 0, nanos: 0 });
            self.rest.len() - 1
        });
        if let Some(rest) = self.rest.get_mut(at) {
            rest.count += 1;
            rest.errors += u64::from(error);
            rest.nanos = rest.nanos.saturating_add(nanos);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Scope;
    use crate::context::{Parent, TRACEPARENT};
    use crate::id::{RequestId, SpanId};
    use crate::span::{Kind, Span};
    use http::HeaderMap;
    use std::borrow::Cow;
    use std::time::Instant;

    fn scope(budget: usize) -> Scope {
        Scope::new(RequestId(7), None, true, budget, (Instant::now(), 1_000))
    }

    #[test]
    fn what_is_beyond_the_budget_is_counted() {
        let scope = scope(2);
        let name = Cow::Borrowed("get");
        for n in 0..5 {
            let open = scope.open();
            scope.close(open, name.clone(), n == 4, |span| span);
        }
        let calls = scope.take();
        assert_eq!(calls.spans.len(), 2);
        assert_eq!((calls.rest[0].count, calls.rest[0].errors), (3, 1));
        for n in 0..100 {
            let open = scope.open();
            scope.close(open, Cow::Owned(format!("f{n}")), false, |span| span);
        }
        let calls = scope.take();
        assert_eq!(calls.rest.len(), 33);
        assert_eq!(calls.rest.last().unwrap().name, "_other");
        assert_eq!(calls.rest.iter().map(|rest| rest.count).sum::<u64>(), 98);
    }

    #[test]
    fn calls_hang_on_the_guests_innermost_span() {
        let scope = scope(9);
        assert_eq!(scope.open().parent, scope.invoke());
        let [outer, inner] = [1, 2].map(|id| SpanId::new(id).unwrap());
        scope.guest_began(outer);
        scope.guest_began(inner);
        assert_eq!(scope.open().parent, inner);
        let foreign = Parent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap().trace;
        scope.guest_ended(Span::new(foreign, outer, "outer", Kind::Internal, (0, 1)));
        assert_eq!(scope.open().parent, inner);
        scope.guest_ended(Span::new(foreign, inner, "inner", Kind::Internal, (0, 1)));
        assert_eq!(scope.open().parent, scope.invoke());
        assert!(
            scope.take().spans.iter().all(|span| span.trace == scope.trace),
            "a guest writes into its own trace only"
        );
    }

    #[test]
    fn a_trace_named_by_the_sender_stays() {
        let scope = scope(9);
        let mut headers = HeaderMap::new();
        scope.pass_on(scope.invoke(), &mut headers);
        let passed = Parent::of(&headers).unwrap();
        assert_eq!((passed.trace, passed.span, passed.sampled), (scope.trace, scope.invoke(), true));
        let own = headers[TRACEPARENT].clone();
        scope.pass_on(scope.server(), &mut headers);
        assert_eq!(headers[TRACEPARENT], own);
    }
}
