//! Traps (a panic, its message on stderr): `when=before` the head, `when=after` the head and the bytes "some\n" of a body that
//! has no end, `when=post` after the whole response "whole\n", and `ms=` later. Without `when`: 200 "alive\n".

use coracle_guests_p2::{proxy, respond, target, text, text_headers, wait};
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

proxy!(handle);

fn handle(request: IncomingRequest, out: ResponseOutparam) {
    let target = target(&request);
    match target.get("when") {
        Some("before") => panic!("on purpose, before the head"),
        Some("after") => {
            let sink = respond(out, 200, text_headers());
            let _ = sink.write(b"some\n").and_then(|()| sink.flush());
            panic!("on purpose, after the head");
        }
        Some("post") => {
            let sink = respond(out, 200, text_headers());
            let _ = sink.write(b"whole\n");
            sink.end(None);
            wait(target.number("ms", 0));
            panic!("on purpose, after the response");
        }
        _ => text(out, 200, "alive\n"),
    }
}
