//! `?mb=N` takes and touches N MiB, keeps them for `hold=MS`, and answers "held K of N MiB\n"; K < N when the host says no.

use coracle_guests_contract::hold;
use coracle_guests_p3::{Answer, service, target, text, wait};
use wasip3::http::types::Request;

service!(handle);

async fn handle(request: Request) -> Answer {
    let target = target(&request);
    let asked = target.number("mb", 1);
    let held = hold(asked);
    wait(target.number("hold", 0)).await;
    Ok(text(200, format!("held {} of {asked} MiB\n", held.len())))
}
