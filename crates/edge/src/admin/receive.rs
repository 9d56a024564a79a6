//! The receiver: `/v1/traces`, `/v1/logs`, `/v1/metrics` take OTLP from the user's own programs, so that browser, Coracle and Node are one
//! trace.
//!
//! A program on this machine needs no token while the listener is reachable from here only; a page needs an origin of this machine, too,
//! for a browser sends what any page asks it to.

use crate::respond::Refusal;
use coracle_host::{Response, full};
use coracle_telemetry::Telemetry;
use coracle_telemetry::receive::{Encoding, MOST, NotTaken, Signal, unpack};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
    CONTENT_ENCODING, CONTENT_TYPE, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use std::net::IpAddr;
use std::time::SystemTime;

/// Takes a message. Whether its sender may send has been decided.
///
/// # Errors
/// When it can't be read.
pub async fn take(telemetry: &Telemetry, signal: Signal, request: Request<Incoming>) -> Result<Response, NotTaken> {
    let (parts, body) = request.into_parts();
    let text = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let encoding = Encoding::of(text(CONTENT_TYPE).unwrap_or_default())?;
    let body = Limited::new(body, MOST).collect().await.map_err(|_| NotTaken::TooLarge)?.to_bytes();
    let body = unpack(&body, text(CONTENT_ENCODING))?;
    let now = coracle_telemetry::span::nanos(SystemTime::now());
    let answer = telemetry.receive(signal, encoding, &body, now)?;
    let mut response = Response::new(full(answer));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(encoding.content_type()));
    Ok(response)
}

/// What the sender of a message that was not taken is told.
pub fn refusal(not_taken: &NotTaken) -> Refusal {
    let text = not_taken.to_string();
    match not_taken {
        NotTaken::Type | NotTaken::Encoding => Refusal::UnknownType(text),
        NotTaken::TooLarge => Refusal::TooLarge(text),
        NotTaken::Unreadable(_) => Refusal::Unreadable(text),
    }
}

/// The origin of the page that asks, if it is of this machine; `Err` when it is of another.
pub fn page(headers: &HeaderMap) -> Result<Option<HeaderValue>, ()> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(None) };
    let host = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    let host = host.as_ref().and_then(Uri::host).unwrap_or_default().trim_matches(['[', ']']);
    let loopback = host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if host == "localhost" || host.ends_with(".localhost") || loopback { Ok(Some(origin.clone())) } else { Err(()) }
}

/// The answer to a browser that asks whether its page may send.
pub fn preflight() -> Response {
    let mut response = Response::new(full(""));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    let allowed = HeaderValue::from_static("authorization, content-type, content-encoding, x-requested-with");
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
    response
}

/// Lets the page read the answer.
pub fn allow(response: &mut Response, origin: HeaderValue) {
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    response.headers_mut().insert(VARY, HeaderValue::from_static("origin"));
}

#[cfg(test)]
mod tests {
    use super::page;
    use http::HeaderMap;

    #[test]
    fn pages_of_this_machine() {
        let check = |origin: &str, expected: Result<bool, ()>| {
            let mut headers = HeaderMap::new();
            headers.insert("origin", origin.parse().unwrap());
            assert_eq!(page(&headers).map(|origin| origin.is_some()), expected, "{origin}");
        };
        check("http://localhost:3000", Ok(true));
        check("http://127.0.0.1:5173", Ok(true));
        check("http://[::1]:5173", Ok(true));
        check("https://shop.localhost", Ok(true));
        check("https://evil.example", Err(()));
        check("http://localhost.evil.example", Err(()));
        check("null", Err(()));
        assert_eq!(page(&HeaderMap::new()), Ok(None));
    }
}
