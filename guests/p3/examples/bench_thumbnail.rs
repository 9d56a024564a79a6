//! `POST /`: 200, the body's JPEG with at most 256 pixels an edge; GET: 200 `ready\n`.

use coracle_guests_p3::{Answer, body, collect, service, text};
use coracle_guests_work::thumbnail;
use wasip3::http::types::Request;

service!(handle);

async fn handle(request: Request) -> Answer {
    let document = collect(body(request).0).await;
    if document.is_empty() {
        return Ok(text(200, "ready\n"));
    }
    Ok(match thumbnail(&document) {
        Ok(small) => text(200, small),
        Err(error) => text(422, error),
    })
}
