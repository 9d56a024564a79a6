//! Whether a request fits into what a destination takes, before it is given to it.

use crate::destination::Destination;
use crate::forward;
use coracle_host::{Cause, Failure, Request};
use coracle_telemetry::{Blame, Stage};

/// Headers that are too large never reach a component; the host counts the body as it streams.
pub fn check_limits(destination: &Destination, request: &Request) -> Result<(), Failure> {
    let Destination::Component(component) = destination else { return Ok(()) };
    let limits = &component.limits;
    let bytes = forward::header_bytes(request.headers());
    if bytes > limits.request_headers {
        let detail =
            format!("{bytes} bytes of headers are more than request_headers = {} allows", limits.request_headers);
        return Err(Failure::new(Stage::Admit, Blame::Client, Cause::HeadersTooLarge, detail));
    }
    Ok(())
}
