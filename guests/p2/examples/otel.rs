//! wasi:otel and wasi:logging: see `contract::otel`.

use coracle_guests_contract::otel::reply;
use coracle_guests_p2::{answer, proxy, target};
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

proxy!(handle);

fn handle(request: IncomingRequest, out: ResponseOutparam) {
    answer(out, reply(&target(&request)));
}
