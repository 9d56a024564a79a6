//! The only place that makes error responses: from a [`Refusal`] of the edge or a [`Failure`] of a destination to a
//! `application/problem+json` (RFC 9457) with the request's id.
//!
//! A client learns the kind of the problem and the id, never the detail: that stands in the log under the same id.

use crate::not_done::NotDone;
use coracle_host::{Body, Cause, Failure, Response, full};
use coracle_telemetry::{Blame, RequestId};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use std::time::Duration;

/// The header that carries the request's id on error responses.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Why a request was not given to any destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not a request that can be routed; the text says why and may be shown.
    BadRequest(&'static str),
    /// No route, or no such file.
    NotFound,
    /// Of many apps none answers for this host.
    UnknownHost,
    /// The value of `Allow`.
    MethodNotAllowed(String),
    /// CONNECT, or an upgrade that can't be passed on.
    NotImplemented(&'static str),
    /// An admin call without the token.
    Unauthorized,
    /// An admin call that may not be made; the text says why.
    Forbidden(&'static str),
    /// One request too many of this client; how long to wait.
    TooMany(Duration),
    /// An admin call whose query or body can't be understood; the text says why.
    Unreadable(String),
    /// A body of a kind that is not taken, or too large; likewise.
    UnknownType(String),
    TooLarge(String),
    /// The process is shutting down.
    Closing,
}

/// The response to a refused request.
pub fn refused(refusal: &Refusal, id: RequestId) -> Response {
    match refusal {
        Refusal::BadRequest(why) => problem(StatusCode::BAD_REQUEST, "bad-request", why, id),
        Refusal::Unreadable(why) => problem(StatusCode::BAD_REQUEST, "bad-request", why, id),
        Refusal::UnknownType(why) => problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unknown-type", why, id),
        Refusal::TooLarge(why) => problem(StatusCode::PAYLOAD_TOO_LARGE, "too-large", why, id),
        Refusal::NotFound => problem(StatusCode::NOT_FOUND, "not-found", "nothing answers at this address", id),
        Refusal::UnknownHost => {
            let text = "no app answers for this host: of the apps here, NAME answers for the hosts NAME and NAME.*";
            problem(StatusCode::NOT_FOUND, "unknown-host", text, id)
        }
        Refusal::NotImplemented(why) => problem(StatusCode::NOT_IMPLEMENTED, "not-implemented", why, id),
        Refusal::Forbidden(why) => problem(StatusCode::FORBIDDEN, "forbidden", why, id),
        Refusal::Closing => problem(StatusCode::SERVICE_UNAVAILABLE, "closing", "the process is shutting down", id),
        Refusal::TooMany(wait) => {
            let text = "too many requests from this client; wait as long as Retry-After says";
            let mut response = problem(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", text, id);
            response.headers_mut().insert(RETRY_AFTER, whole_seconds(*wait));
            response
        }
        Refusal::Unauthorized => {
            let text = "send `Authorization: Bearer TOKEN`; the token's file is named when the process starts";
            let mut response = problem(StatusCode::UNAUTHORIZED, "unauthorized", text, id);
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            response
        }
        Refusal::MethodNotAllowed(allow) => {
            let text = "this address exists with other methods only";
            let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", text, id);
            if let Ok(allow) = HeaderValue::from_str(allow) {
                response.headers_mut().insert(ALLOW, allow);
            }
            response
        }
    }
}

/// What a readiness probe is told: 503 keeps a load balancer from sending requests.
pub fn readiness(ready: bool) -> StatusCode {
    if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// The response to a request that no destination could answer.
pub fn failed(failure: &Failure, id: RequestId) -> Response {
    let (status, kind, text) = meaning(&failure.cause, failure.blame);
    let mut response = problem(status, kind, text, id);
    if let Cause::Busy { retry_after } | Cause::NoRoom { retry_after } | Cause::NotLoaded { retry_after } =
        &failure.cause
    {
        response.headers_mut().insert(RETRY_AFTER, whole_seconds(*retry_after));
    }
    response
}

/// The answer to an admin call that would have loaded an app with errors. The report is for whoever holds the token.
pub fn not_loaded(report: &str, id: RequestId) -> Response {
    problem(StatusCode::UNPROCESSABLE_ENTITY, "not-loaded", report, id)
}

/// The answer to an admin call about a rollout that wasn't done. The text is for whoever holds the token.
pub fn not_done(why: &NotDone, id: RequestId) -> Response {
    match why {
        NotDone::Unknown(text) => problem(StatusCode::NOT_FOUND, "no-rollout", text, id),
        NotDone::Malformed(text) => problem(StatusCode::BAD_REQUEST, "bad-request", text, id),
        NotDone::Refused(text) => problem(StatusCode::CONFLICT, "not-now", text, id),
        NotDone::Broken(text) => problem(StatusCode::INTERNAL_SERVER_ERROR, "internal", text, id),
    }
}

/// What a client knows is still so.
pub fn unchanged() -> Response {
    let mut response = Response::new(coracle_host::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response
}

/// Status, kind and sentence of a cause. A fault of a component is ours (500), one behind us is a gateway's (502, 504).
fn meaning(cause: &Cause, blame: Blame) -> (StatusCode, &'static str, &'static str) {
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    let internal = StatusCode::INTERNAL_SERVER_ERROR;
    match cause {
        Cause::Busy { .. } => (unavailable, "busy", "too many requests are waiting; try again later"),
        Cause::NoRoom { .. } => (unavailable, "no-room", "there is no room for this request; try again later"),
        Cause::NotLoaded { .. } => (unavailable, "not-loaded", "the component could not be loaded; try again later"),
        Cause::Closing => (unavailable, "closing", "the service is being replaced; try again"),
        Cause::Deadline => (StatusCode::GATEWAY_TIMEOUT, "deadline", "the component did not answer in time"),
        Cause::Unreachable => (StatusCode::BAD_GATEWAY, "unreachable", "the service behind could not be reached"),
        Cause::UpstreamTimeout => {
            (StatusCode::GATEWAY_TIMEOUT, "upstream-timeout", "the service behind did not answer in time")
        }
        Cause::UpstreamProtocol => (StatusCode::BAD_GATEWAY, "upstream-protocol", "the service behind broke off"),
        Cause::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "the request's body is too large"),
        Cause::HeadersTooLarge => {
            (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers-too-large", "the request's headers are too large")
        }
        Cause::ClientGone => (StatusCode::BAD_REQUEST, "client-gone", "the request broke off"),
        Cause::Instantiate => (internal, "instantiate", "the component could not be started"),
        Cause::Trap if blame == Blame::Host => (internal, "internal", "the server failed"),
        Cause::Trap => (internal, "trap", "the component failed"),
        Cause::CpuLimit => (internal, "cpu-limit", "the component used up its CPU time"),
        Cause::MemoryLimit => (internal, "memory-limit", "the component used up its memory"),
        Cause::NoResponse => (internal, "no-response", "the component gave no answer"),
        Cause::ErrorCode(_) => (internal, "error-code", "the component answered with an error"),
    }
}

#[derive(serde::Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    instance: String,
}

fn problem(status: StatusCode, kind: &str, text: &str, id: RequestId) -> Response {
    let problem = Problem {
        r#type: format!("urn:coracle:problem:{kind}"),
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        detail: text,
        instance: format!("urn:coracle:request:{id}"),
    };
    let body: Body = full(serde_json::to_vec(&problem).unwrap_or_default());
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// At least one second, rounded up.
fn whole_seconds(wait: Duration) -> HeaderValue {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    HeaderValue::from(seconds.max(1))
}
