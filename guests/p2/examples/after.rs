//! Answers "accepted\n" at once; then waits `ms=` and requests `ping=URL`, when the client has long been served.

use coracle_guests_p2::{fetch, proxy, target, text, wait};
use wasip2::http::types::{IncomingRequest, Method, ResponseOutparam};

proxy!(handle);

fn handle(request: IncomingRequest, out: ResponseOutparam) {
    let target = target(&request);
    text(out, 202, "accepted\n");
    wait(target.number("ms", 0));
    if let Some(url) = target.get("ping")
        && let Err(error) = fetch(&Method::Get, url)
    {
        eprintln!("ping failed: {error}");
    }
}
