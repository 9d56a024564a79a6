//! `?n=N&ms=T`: N lines "drip 1\n", "drip 2\n"..., the first at once, then one each T ms by the monotonic clock.

use coracle_guests_p3::{Answer, respond, service, spawn_local, target, text_headers, wait, wit_stream};
use wasip3::http::types::Request;

service!(handle);

async fn handle(request: Request) -> Answer {
    let target = target(&request);
    let (lines, pause) = (target.number("n", 3), target.number("ms", 100));
    let (mut writer, reader) = wit_stream::new();
    spawn_local(async move {
        for line in 1..=lines {
            if line > 1 {
                wait(pause).await;
            }
            if !writer.write_all(format!("drip {line}\n").into_bytes()).await.is_empty() {
                return; // The client left.
            }
        }
    });
    Ok(respond(200, text_headers(), Some(reader)))
}
