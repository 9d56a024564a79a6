//! Streams the request body back chunk by chunk; `?mode=pass` hands the host's own stream back untouched.
//! `content-type` and `x-*` headers come back too, and trailers.

use coracle_guests_contract::is_echoed;
use coracle_guests_p3::{Answer, Body, body, next, respond_with, service, spawn_local, target, wit_stream};
use wasip3::http::types::{Fields, Request};
use wit_bindgen::StreamWriter;

service!(handle);

async fn handle(request: Request) -> Answer {
    let pass = target(&request).get("mode") == Some("pass");
    let echoed: Vec<_> = request.get_headers().copy_all().into_iter().filter(|(name, _)| is_echoed(name)).collect();
    let headers = Fields::from_list(&echoed).expect("the host accepted these headers once");
    let (incoming, trailers) = body(request);
    if pass {
        return Ok(respond_with(200, headers, Some(incoming), trailers));
    }
    let (writer, reader) = wit_stream::new();
    spawn_local(pump(incoming, writer));
    Ok(respond_with(200, headers, Some(reader), trailers))
}

async fn pump(mut from: Body, mut to: StreamWriter<u8>) {
    let mut buffer = Vec::new();
    while let Some(chunk) = next(&mut from, buffer).await {
        buffer = to.write_all(chunk).await;
        if !buffer.is_empty() {
            return; // The client left: what it didn't take came back.
        }
    }
}
