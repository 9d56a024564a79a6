//! `?items=N` answers the price of N items; above 2 it traps, two functions deep. `?nested=N` traps N calls deep.

use coracle_guests_named::{checkout, nested};
use coracle_guests_p3::{Answer, service, target, text};
use wasip3::http::types::Request;

service!(handle);

async fn handle(request: Request) -> Answer {
    let target = target(&request);
    if target.get("nested").is_some() {
        return Ok(text(200, nested(target.number("nested", 0)).to_string()));
    }
    Ok(text(200, checkout(target.number("items", 0)).to_string()))
}
