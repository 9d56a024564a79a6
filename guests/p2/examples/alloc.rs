//! `?mb=N` takes and touches N MiB, keeps them for `hold=MS`, and answers "held K of N MiB\n"; K < N when the host says no.

use coracle_guests_contract::hold;
use coracle_guests_p2::{proxy, target, text, wait};
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

proxy!(handle);

fn handle(request: IncomingRequest, out: ResponseOutparam) {
    let target = target(&request);
    let asked = target.number("mb", 1);
    let held = hold(asked);
    wait(target.number("hold", 0));
    text(out, 200, format!("held {} of {asked} MiB\n", held.len()));
}
