//! Streams the request body back chunk by chunk; `?mode=pass` lets the host splice it.
//! `content-type` and `x-*` headers come back too, and trailers.

use coracle_guests_contract::is_echoed;
use coracle_guests_p2::{Sink, Source, proxy, respond, target};
use wasip2::http::types::{Fields, IncomingRequest, ResponseOutparam};

proxy!(handle);

fn handle(request: IncomingRequest, out: ResponseOutparam) {
    let pass = target(&request).get("mode") == Some("pass");
    let echoed: Vec<_> = request.headers().entries().into_iter().filter(|(name, _)| is_echoed(name)).collect();
    let headers = Fields::from_list(&echoed).expect("the host accepted these headers once");
    let source = Source::of(&request);
    let sink = respond(out, 200, headers);
    let copied = if pass { splice(&source, &sink) } else { pump(&source, &sink) };
    // Of a request that broke off, the echo breaks off too: its body isn't ended.
    if let (Ok(()), Ok(trailers)) = (copied, source.end()) {
        sink.end(trailers);
    }
}

fn splice(source: &Source, sink: &Sink) -> Result<(), String> {
    sink.splice(source.stream()).map_err(|error| error.to_string())
}

fn pump(source: &Source, sink: &Sink) -> Result<(), String> {
    while let Some(chunk) = source.next()? {
        // An error here is a client that left.
        sink.write(&chunk).and_then(|()| sink.flush()).map_err(|error| error.to_string())?;
    }
    Ok(())
}
