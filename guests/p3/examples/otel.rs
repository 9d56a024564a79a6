//! wasi:otel and wasi:logging: see `contract::otel`.

use coracle_guests_contract::otel::reply;
use coracle_guests_p3::{Answer, answer, service, target};
use wasip3::http::types::Request;

service!(handle);

async fn handle(request: Request) -> Answer {
    Ok(answer(reply(&target(&request))))
}
