//! wasi:config/store: `/?key=K` answers a value or 404, `/all` a JSON object.

use coracle_guests_contract::config::reply;
use coracle_guests_p2::{answer, proxy, target};
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

proxy!(handle);

fn handle(request: IncomingRequest, out: ResponseOutparam) {
    answer(out, reply(&target(&request)));
}
