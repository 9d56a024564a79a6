//! A request that is passed on to an upstream, noted: its span in the trace of the request that caused it, the headers by which the
//! upstream's own spans join that trace, and its figures.

use coracle_host::{Failure, Response};
use coracle_telemetry::metrics::names::Name;
use coracle_telemetry::span::Status;
use coracle_telemetry::{Open, Scope, Span, Telemetry};
use http::uri::Authority;
use http::{HeaderMap, Method};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

/// Where a request goes.
#[derive(Clone, Copy)]
pub struct To<'a> {
    pub name: &'a Arc<str>,
    pub authority: &'a Authority,
    pub telemetry: &'a Telemetry,
}

/// A request on its way to an upstream.
pub struct Noted<'a> {
    open: Open,
    to: To<'a>,
    method: &'static str,
    began: Instant,
}

impl<'a> Noted<'a> {
    pub fn begin(scope: &Scope, to: To<'a>, method: &Method) -> Self {
        let method = coracle_telemetry::method(method);
        Self { open: scope.open_in(scope.server()), to, method, began: Instant::now() }
    }

    /// Writes the trace's headers: what the client said of its trace is ours to replace.
    pub fn hand_on(&self, scope: &Scope, headers: &mut HeaderMap) {
        if self.to.telemetry.passes_on() {
            scope.hand_on(self.open.id, headers);
        }
    }

    /// There is a response's head, or there will be none.
    pub fn end(self, scope: &Scope, outcome: &Result<Response, Failure>) {
        let Self { open, to, method, began } = self;
        let (status, error) = match outcome {
            Ok(response) => (Some(response.status()), None),
            Err(failure) => (None, Some(failure.cause.name())),
        };
        let code = status.as_ref().map_or("", http::StatusCode::as_str);
        let failed = error.is_some() || status.is_some_and(|status| status.as_u16() >= 400);
        let labels = [&**to.name, method, code, error.unwrap_or_default()];
        to.telemetry.metrics.observe(Name::UpstreamDuration, &labels, began.elapsed().as_secs_f64());
        let fill = |mut span: Span| {
            span.set("http.request.method", method);
            span.set("server.address", to.authority.host().to_owned());
            if let Some(port) = to.authority.port_u16() {
                span.set("server.port", port);
            }
            span.set("coracle.upstream", to.name);
            if let Some(status) = status {
                span.set("http.response.status_code", status.as_u16());
            }
            if failed {
                match error {
                    Some(error) => span.set("error.type", error),
                    None => span.set("error.type", code.to_owned()),
                }
                span.status = Status::Error(String::new());
            }
            span
        };
        let name = if method == "_OTHER" { "HTTP" } else { method };
        scope.close(open, Cow::Borrowed(name), failed, fill);
    }
}
