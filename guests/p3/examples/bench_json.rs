//! `/`: 200, a JSON document of 16 KiB, made anew for each request.

use coracle_guests_p3::{Answer, service, text};
use coracle_guests_work::document;
use wasip3::http::types::Request;

service!(handle);

async fn handle(_request: Request) -> Answer {
    Ok(text(200, document()))
}
