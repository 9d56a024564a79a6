//! `?a=URL&b=URL...` requests all at once; `?post=URL` posts the incoming body, streamed; `method=M` is theirs instead of GET.
//! Answers a line for each, see `contract::fanned`.

use coracle_guests_contract::{Target, fanned};
use coracle_guests_p2::{Sink, Source, answer, proxy, receive, send, target};
use wasip2::http::types::{FutureIncomingResponse, IncomingRequest, Method, ResponseOutparam};

proxy!(handle);

fn handle(request: IncomingRequest, out: ResponseOutparam) {
    let target = target(&request);
    let sending: Vec<_> = target.pairs().iter().filter_map(|(name, url)| start(&request, &target, name, url)).collect();
    let results = sending.into_iter().map(|(name, sending)| (name, sending.and_then(receive)));
    answer(out, fanned(results.collect()));
}

type Sending = Result<FutureIncomingResponse, String>;

/// Starts one request, the body of `post` included; None for a parameter that is not a request.
fn start(request: &IncomingRequest, target: &Target, name: &str, url: &str) -> Option<(String, Sending)> {
    let method = match name {
        "method" => return None,
        "post" => Method::Post,
        _ => target.get("method").map_or(Method::Get, |name| Method::Other(name.to_owned())),
    };
    let sending = send(&method, url).map(|(sending, sink)| {
        match name {
            "post" => pump(Source::of(request), sink),
            _ => sink.end(None),
        }
        sending
    });
    Some((name.to_owned(), sending))
}

/// A write that fails is told by the answer, or the error in its place; a body that broke off must not look whole.
fn pump(source: Source, sink: Sink) {
    loop {
        match source.next() {
            Ok(Some(chunk)) if sink.write(&chunk).and_then(|()| sink.flush()).is_ok() => {}
            Ok(None) => break,
            _ => return,
        }
    }
    if let Ok(trailers) = source.end() {
        sink.end(trailers);
    }
}
