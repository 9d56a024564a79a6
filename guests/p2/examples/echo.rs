//! Streams the request body back chunk by chunk; `?mode=pass` lets the host splice it.
//! `content-type` and `x-*` headers come back too, and trailers.

use coracle_guests_contract::is_echoed;
use coracle_guests_p2::{Source, proxy, respond, target};
use wasip2::http::types::{Fields, IncomingRequest, ResponseOutparam};

proxy!(handle);

fn handle(request: IncomingRequest, out: ResponseOutparam) {
    let pass = target(&request).get("mode") == Some("pass");
    let echoed: Vec<_> = request.headers().entries().into_iter().filter(|(name, _)| is_echoed(name)).collect();
    let headers = Fields::from_list(&echoed).expect("the host accepted these headers once");
    let source = Source::of(&request);
    let sink = respond(out, 200, headers);
    if pass {
        sink.splice(source.stream());
    } else {
        while let Some(chunk) = source.next() {
            if sink.write(&chunk).is_err() || sink.flush().is_err() {
                return; // The client left.
            }
        }
    }
    sink.end(source.end());
}
