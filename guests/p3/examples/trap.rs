//! Traps (a panic, its message on stderr): `when=before` the head, `when=after` the head and the bytes "some\n" of a body that
//! has no end, `when=post` after the whole response "whole\n", and `ms=` later. Without `when`: 200 "alive\n".

use coracle_guests_p3::{Answer, respond, service, spawn_local, target, text, text_headers, wait, wit_stream};
use wasip3::http::types::Request;

service!(handle);

async fn handle(request: Request) -> Answer {
    let target = target(&request);
    let (mut writer, reader) = wit_stream::new();
    match target.get("when") {
        Some("before") => panic!("on purpose, before the head"),
        Some("after") => {
            spawn_local(async move {
                writer.write_all(b"some\n".to_vec()).await;
                panic!("on purpose, after the head");
            });
        }
        Some("post") => {
            spawn_local(async move {
                writer.write_all(b"whole\n".to_vec()).await;
                drop(writer);
                wait(target.number("ms", 0)).await;
                panic!("on purpose, after the response");
            });
        }
        _ => return Ok(text(200, "alive\n")),
    }
    Ok(respond(200, text_headers(), Some(reader)))
}
