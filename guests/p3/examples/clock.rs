//! Answers wall clock, monotonic clock and 16 random bytes as JSON: wall_ms, monotonic_ns, random (hexadecimal).

use coracle_guests_contract::time;
use coracle_guests_p3::{Answer, answer, service};
use wasip3::clocks::{monotonic_clock, system_clock};
use wasip3::http::types::Request;
use wasip3::random::random;

service!(handle);

async fn handle(_request: Request) -> Answer {
    let wall = system_clock::now();
    let wall_ms = u64::try_from(wall.seconds).unwrap_or(0) * 1000 + u64::from(wall.nanoseconds / 1_000_000);
    Ok(answer(time(wall_ms, monotonic_clock::now(), &random::get_random_bytes(16))))
}
