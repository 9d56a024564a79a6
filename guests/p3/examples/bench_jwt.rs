//! `/`: 200 and the subject of the bearer token if its signature is right, else 401; 200 `ready\n` without a token.

use coracle_guests_p3::{Answer, service, text};
use coracle_guests_work::verify;
use wasip3::http::types::Request;

service!(handle);

async fn handle(request: Request) -> Answer {
    let Some(value) = request.get_headers().get("authorization").into_iter().next() else {
        return Ok(text(200, "ready\n"));
    };
    let value = String::from_utf8_lossy(&value);
    Ok(match verify(value.trim_start_matches("Bearer ")) {
        Ok(subject) => text(200, format!("{subject}\n")),
        Err(error) => text(401, error),
    })
}
