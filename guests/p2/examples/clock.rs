//! Answers wall clock, monotonic clock and 16 random bytes as JSON: wall_ms, monotonic_ns, random (hexadecimal).

use coracle_guests_contract::time;
use coracle_guests_p2::{answer, proxy};
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::http::types::{IncomingRequest, ResponseOutparam};
use wasip2::random::random;

proxy!(handle);

fn handle(_request: IncomingRequest, out: ResponseOutparam) {
    let wall = wall_clock::now();
    let wall_ms = wall.seconds * 1000 + u64::from(wall.nanoseconds / 1_000_000);
    answer(out, time(wall_ms, monotonic_clock::now(), &random::get_random_bytes(16)));
}
