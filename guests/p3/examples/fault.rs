//! Serves several requests in one instance: burns `spin=` ms, waits `ms=`, then answers "good\n"; with `head=first` the head
//! comes at once and the body after `ms=`. `when=before` traps before the head, `when=post` after the response.

use coracle_guests_p3::{Answer, respond, service, spawn_local, target, text, text_headers, wait, wit_stream};
use wasip3::clocks::monotonic_clock;
use wasip3::http::types::Request;

service!(handle);

async fn handle(request: Request) -> Answer {
    let target = target(&request);
    let start = monotonic_clock::now();
    while monotonic_clock::now() - start < target.number("spin", 0) * 1_000_000 {}
    if target.get("when") == Some("before") {
        panic!("on purpose, before the head");
    }
    let ms = target.number("ms", 0);
    if target.get("when") == Some("post") || target.get("head") == Some("first") {
        let trap = target.get("when") == Some("post");
        let (mut writer, reader) = wit_stream::new();
        spawn_local(async move {
            wait(ms).await;
            writer.write_all(b"good\n".to_vec()).await;
            drop(writer);
            if trap {
                wait(1).await;
                panic!("on purpose, after the response");
            }
        });
        return Ok(respond(200, text_headers(), Some(reader)));
    }
    wait(ms).await;
    Ok(text(200, "good\n"))
}
