//! `POST /`: 200, the body's Markdown as HTML; GET: 200 `ready\n`.

use coracle_guests_p3::{Answer, body, collect, service, text};
use coracle_guests_work::markdown;
use wasip3::http::types::Request;

service!(handle);

async fn handle(request: Request) -> Answer {
    let document = collect(body(request).0).await;
    if document.is_empty() {
        return Ok(text(200, "ready\n"));
    }
    Ok(text(200, markdown(&String::from_utf8_lossy(&document))))
}
