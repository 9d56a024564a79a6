//! Attacks by way of host calls, chosen by `do=`: `clock` and `random` without end, `fields` and `pollables` are handles without
//! end, `hoard` fills `n=` of them with memory of the host's, `sleep` waits for an hour, `unfinished` leaves a body open and
//! waits, `stdout` writes without end and without a line's end. Without `do`: 200 "alive\n".

use coracle_guests_p2::{proxy, respond, target, text, text_headers, write};
use wasip2::cli::stdout;
use wasip2::clocks::monotonic_clock;
use wasip2::http::types::{Fields, IncomingRequest, ResponseOutparam};
use wasip2::random::random;

proxy!(handle);

const HOUR_NS: u64 = 3_600_000_000_000;

fn handle(request: IncomingRequest, out: ResponseOutparam) {
    let target = target(&request);
    match target.get("do") {
        Some("unfinished") => {
            let _sink = respond(out, 200, text_headers());
            sleep();
        }
        Some("sleep") => {
            sleep();
            text(out, 200, "slept\n");
        }
        Some(way) => {
            attack(way, target.number("n", 0));
            text(out, 400, format!("no such attack: {way}\n"));
        }
        None => text(out, 200, "alive\n"),
    }
}

fn sleep() {
    monotonic_clock::subscribe_duration(HOUR_NS).block();
}

/// Goes on until the host ends it.
fn attack(way: &str, count: u64) {
    match way {
        "clock" => loop {
            std::hint::black_box(monotonic_clock::now());
        },
        "random" => loop {
            std::hint::black_box(random::get_random_bytes(1 << 20));
        },
        "fields" => {
            let mut kept = Vec::new();
            loop {
                kept.push(Fields::new());
            }
        }
        "pollables" => {
            let mut kept = Vec::new();
            loop {
                kept.push(monotonic_clock::subscribe_duration(HOUR_NS));
            }
        }
        "hoard" => {
            let value = vec![b'x'; 100 << 10];
            let mut kept = Vec::new();
            while (kept.len() as u64) < count {
                let fields = Fields::new();
                fields.append("x-hoard", &value).expect("below the limit of one");
                kept.push(fields);
            }
            sleep();
        }
        "stdout" => {
            let stream = stdout::get_stdout();
            let chunk = vec![b'x'; 64 << 10];
            while write(&stream, &chunk).is_ok() {}
        }
        _ => {}
    }
}
