//! wasi:config/store: `/?key=K` answers a value or 404, `/all` a JSON object.

use coracle_guests_contract::config::reply;
use coracle_guests_p3::{Answer, answer, service, target};
use wasip3::http::types::Request;

service!(handle);

async fn handle(request: Request) -> Answer {
    Ok(answer(reply(&target(&request))))
}
