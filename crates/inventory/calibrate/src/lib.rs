//! The kernels of the micro-suite in Rust. `GET /NAME?TIMES` does the work that many times and answers with the nanoseconds
//! of the guest's own clock; `GET /nothing` answers at once; `POST /echo` gives back what it is given.

use std::hint::black_box;
use wasip2::clocks::monotonic_clock::now;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

mod kernels;

struct Component;
wasip2::http::proxy::export!(Component);

impl wasip2::exports::http::incoming_handler::Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let answer = match target.trim_start_matches('/') {
            "nothing" => Vec::new(),
            "echo" => body(&request),
            asked => measure(asked).into_bytes(),
        };
        send(out, &answer);
    }
}

fn measure(asked: &str) -> String {
    let (name, times) = asked.split_once('?').unwrap_or((asked, "1"));
    let times: u32 = times.parse().unwrap_or(1);
    let Some(work) = kernels::kernel(name) else { return "unknown".to_owned() };
    black_box(work());
    let begun = now();
    for _ in 0..times {
        black_box(work());
    }
    ((now() - begun) / u64::from(times.max(1))).to_string()
}

fn body(request: &IncomingRequest) -> Vec<u8> {
    let mut all = Vec::new();
    if let Ok(body) = request.consume() {
        if let Ok(stream) = body.stream() {
            while let Ok(chunk) = stream.blocking_read(65536) {
                all.extend(chunk);
            }
        }
    }
    all
}

fn send(out: ResponseOutparam, bytes: &[u8]) {
    let response = OutgoingResponse::new(Fields::new());
    let Ok(body) = response.body() else { return };
    ResponseOutparam::set(out, Ok(response));
    if let Ok(stream) = body.write() {
        for chunk in bytes.chunks(4096) {
            let _ = stream.blocking_write_and_flush(chunk);
        }
    }
    let _ = OutgoingBody::finish(body, None);
}
