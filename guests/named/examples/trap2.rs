//! As `trap3`, for WASI 0.2.

use coracle_guests_named::{checkout, nested};
use coracle_guests_p2::{proxy, target, text};
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

proxy!(handle);

fn handle(request: IncomingRequest, out: ResponseOutparam) {
    let target = target(&request);
    if target.get("nested").is_some() {
        return text(out, 200, nested(target.number("nested", 0)).to_string());
    }
    text(out, 200, checkout(target.number("items", 0)).to_string());
}
