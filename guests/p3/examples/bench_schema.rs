//! `POST /`: 200 `valid\n` or 422 `invalid\n` for a JSON document by the schema of orders; GET: 200 `ready\n`.

use coracle_guests_p3::{Answer, body, collect, service, text};
use coracle_guests_work::validate;
use wasip3::http::types::Request;

service!(handle);

async fn handle(request: Request) -> Answer {
    let document = collect(body(request).0).await;
    if document.is_empty() {
        return Ok(text(200, "ready\n"));
    }
    Ok(match validate(&document) {
        Ok(true) => text(200, "valid\n"),
        Ok(false) => text(422, "invalid\n"),
        Err(error) => text(400, error),
    })
}
