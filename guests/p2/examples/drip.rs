//! `?n=N&ms=T`: N lines "drip 1\n", "drip 2\n"..., the first at once, then one each T ms by the monotonic clock.

use coracle_guests_p2::{proxy, respond, target, text_headers, wait};
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

proxy!(handle);

fn handle(request: IncomingRequest, out: ResponseOutparam) {
    let target = target(&request);
    let (lines, pause) = (target.number("n", 3), target.number("ms", 100));
    let sink = respond(out, 200, text_headers());
    for line in 1..=lines {
        if line > 1 {
            wait(pause);
        }
        if sink.write(format!("drip {line}\n").as_bytes()).and_then(|()| sink.flush()).is_err() {
            return; // The client left.
        }
    }
    sink.end(None);
}
