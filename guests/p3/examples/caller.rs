//! Asks wasi:config for `K.entry`, waits, asks from two interleaved branches for `K.left` and `K.right`, answers "asked\n",
//! and asks from a spawned task for `K.after`. For the tests of who is calling. `?key=K&ms=T`.

use coracle_guests_contract::config::ask;
use coracle_guests_p3::{Answer, service, spawn_local, target, text, wait};
use wasip3::http::types::Request;

service!(handle);

async fn handle(request: Request) -> Answer {
    let target = target(&request);
    let key = target.get("key").unwrap_or_default().to_owned();
    let ms = target.number("ms", 1);
    ask(&format!("{key}.entry"));
    let branch = async |name: &str, times: u64| {
        for _ in 0..times {
            wait(ms).await;
            ask(&format!("{key}.{name}"));
        }
    };
    futures::join!(branch("left", 3), branch("right", 2));
    spawn_local({
        let key = key.clone();
        async move {
            wait(ms).await;
            ask(&format!("{key}.after"));
        }
    });
    Ok(text(200, "asked\n"))
}
