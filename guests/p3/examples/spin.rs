//! Burns CPU without end: `when=before` the head, `when=after` the head and the bytes "some\n", `when=post`
//! the whole response "whole\n" and `ms=` later. `ms=N` alone burns N ms by the
//! monotonic clock and answers "done\n"; without either: 200 "alive\n".

use coracle_guests_contract::burn;
use coracle_guests_p3::{Answer, respond, service, spawn_local, target, text, text_headers, wait, wit_stream};
use wasip3::clocks::monotonic_clock;
use wasip3::http::types::Request;

service!(handle);

async fn handle(request: Request) -> Answer {
    let target = target(&request);
    match target.get("when") {
        Some("before") => forever(),
        Some("after") => {
            let (mut writer, reader) = wit_stream::new();
            spawn_local(async move {
                writer.write_all(b"some\n".to_vec()).await;
                forever()
            });
            return Ok(respond(200, text_headers(), Some(reader)));
        }
        Some("post") => {
            spawn_local(async move {
                wait(target.number("ms", 0)).await;
                forever()
            });
            return Ok(text(200, "whole\n"));
        }
        _ => {}
    }
    let until = monotonic_clock::now() + target.number("ms", 0) * 1_000_000;
    if target.get("ms").is_none() {
        return Ok(text(200, "alive\n"));
    }
    while monotonic_clock::now() < until {
        burn();
    }
    Ok(text(200, "done\n"))
}

fn forever() -> ! {
    loop {
        burn();
    }
}
