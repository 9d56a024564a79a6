//! `/`: 200, text/plain, "hello\n", with a content-length.

use coracle_guests_p2::{proxy, text};
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

proxy!(handle);

fn handle(_request: IncomingRequest, out: ResponseOutparam) {
    text(out, 200, "hello\n");
}
