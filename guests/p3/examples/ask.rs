//! Asks another component of the app by `uses`: see `contract::ask`.

use coracle_guests_contract::ask::reply;
use coracle_guests_p3::{Answer, answer, service, target};
use wasip3::http::types::Request;

service!(handle);

async fn handle(request: Request) -> Answer {
    Ok(answer(reply(&target(&request))))
}
