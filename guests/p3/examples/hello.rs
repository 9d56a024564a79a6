//! `/`: 200, text/plain, "hello\n", with a content-length.

use coracle_guests_p3::{Answer, service, text};
use wasip3::http::types::Request;

service!(handle);

async fn handle(_request: Request) -> Answer {
    Ok(text(200, "hello\n"))
}
