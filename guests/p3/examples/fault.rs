//! Serves several requests in one instance: answers "good\n" after `ms=`, with `head=first` the head at once and the body after
//! `ms=`; `when=before` traps before the head.

use coracle_guests_p3::{Answer, respond, service, spawn_local, target, text, text_headers, wait, wit_stream};
use wasip3::http::types::Request;

service!(handle);

async fn handle(request: Request) -> Answer {
    let target = target(&request);
    if target.get("when") == Some("before") {
        panic!("on purpose, before the head");
    }
    let ms = target.number("ms", 0);
    if target.get("head") == Some("first") {
        let (mut writer, reader) = wit_stream::new();
        spawn_local(async move {
            wait(ms).await;
            writer.write_all(b"good\n".to_vec()).await;
        });
        return Ok(respond(200, text_headers(), Some(reader)));
    }
    wait(ms).await;
    Ok(text(200, "good\n"))
}
