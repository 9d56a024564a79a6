//! wasi:keyvalue@0.2.0-draft2 by URL: see `contract::kv`.

use coracle_guests_contract::kv::draft2::reply;
use coracle_guests_p3::{Answer, answer, body, collect, method, service, target};
use wasip3::http::types::Request;

service!(handle);

async fn handle(request: Request) -> Answer {
    let (method, target) = (method(&request), target(&request));
    let (incoming, _) = body(request);
    Ok(answer(reply(&method, &target, collect(incoming).await)))
}
