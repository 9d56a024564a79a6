//! Streams 8 KiB chunks without end; once a write fails because the client left, requests `ping=URL`.

use coracle_guests_p3::{Answer, fetch, respond, service, spawn_local, target, text_headers, wit_stream};
use wasip3::http::types::{Method, Request};

service!(handle);

async fn handle(request: Request) -> Answer {
    let target = target(&request);
    let (mut writer, reader) = wit_stream::new();
    spawn_local(async move {
        let mut chunk = vec![b'.'; 8192];
        loop {
            chunk = writer.write_all(chunk).await;
            if !chunk.is_empty() {
                break;
            }
            chunk.resize(8192, b'.');
        }
        if let Some(url) = target.get("ping")
            && let Err(error) = fetch(Method::Get, url, None).await
        {
            eprintln!("ping failed: {error}");
        }
    });
    Ok(respond(200, text_headers(), Some(reader)))
}
