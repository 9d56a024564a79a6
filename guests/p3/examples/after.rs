//! Answers "accepted\n" at once; then waits `ms=` and requests `ping=URL`, when the client has long been served.

use coracle_guests_p3::{Answer, fetch, service, spawn_local, target, text, wait};
use wasip3::http::types::{Method, Request};

service!(handle);

async fn handle(request: Request) -> Answer {
    let target = target(&request);
    spawn_local(async move {
        wait(target.number("ms", 0)).await;
        if let Some(url) = target.get("ping")
            && let Err(error) = fetch(Method::Get, url, None).await
        {
            eprintln!("ping failed: {error}");
        }
    });
    Ok(text(202, "accepted\n"))
}
