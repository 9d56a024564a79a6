//! Streams 8 KiB chunks without end; once a write fails because the client left, requests `ping=URL`.

use coracle_guests_p2::{fetch, proxy, respond, target, text_headers};
use wasip2::http::types::{IncomingRequest, Method, ResponseOutparam};

proxy!(handle);

fn handle(request: IncomingRequest, out: ResponseOutparam) {
    let target = target(&request);
    let sink = respond(out, 200, text_headers());
    let chunk = [b'.'; 8192];
    while sink.write(&chunk).is_ok() {}
    drop(sink);
    if let Some(url) = target.get("ping")
        && let Err(error) = fetch(&Method::Get, url)
    {
        eprintln!("ping failed: {error}");
    }
}
