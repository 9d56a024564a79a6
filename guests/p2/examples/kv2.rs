//! wasi:keyvalue@0.2.0-draft2 by URL: see `contract::kv`.

use coracle_guests_contract::kv::draft2::reply;
use coracle_guests_p2::{Source, answer, method, proxy, target, text};
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

proxy!(handle);

fn handle(request: IncomingRequest, out: ResponseOutparam) {
    match Source::of(&request).collect() {
        Ok(body) => answer(out, reply(&method(&request), &target(&request), body)),
        Err(error) => text(out, 400, error),
    }
}
