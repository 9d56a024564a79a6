//! Burns CPU without end: `when=before` the head, `when=after` the head and the bytes "some\n", `when=post`
//! the whole response "whole\n" and `ms=` later. `ms=N` alone burns N ms by the
//! monotonic clock and answers "done\n"; without either: 200 "alive\n".

use coracle_guests_contract::burn;
use coracle_guests_p2::{proxy, respond, target, text, text_headers, wait};
use wasip2::clocks::monotonic_clock;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

proxy!(handle);

fn handle(request: IncomingRequest, out: ResponseOutparam) {
    let target = target(&request);
    match target.get("when") {
        Some("before") => forever(),
        Some("after") => {
            let sink = respond(out, 200, text_headers());
            let _ = sink.write(b"some\n").and_then(|()| sink.flush());
            forever()
        }
        Some("post") => {
            text(out, 200, "whole\n");
            wait(target.number("ms", 0));
            forever()
        }
        _ => {}
    }
    if target.get("ms").is_none() {
        return text(out, 200, "alive\n");
    }
    let until = monotonic_clock::now() + target.number("ms", 0) * 1_000_000;
    while monotonic_clock::now() < until {
        burn();
    }
    text(out, 200, "done\n");
}

fn forever() -> ! {
    loop {
        burn();
    }
}
