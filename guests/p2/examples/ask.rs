//! Asks another component of the app by `uses`: see `contract::ask`.

use coracle_guests_contract::ask::reply;
use coracle_guests_p2::{answer, proxy, target};
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

proxy!(handle);

fn handle(request: IncomingRequest, out: ResponseOutparam) {
    answer(out, reply(&target(&request)));
}
