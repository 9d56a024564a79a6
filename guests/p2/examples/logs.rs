//! Writes lines to stdout and stderr: `out=TEXT` and `err=TEXT` (each as often as given), `flood=N` lines "flood 1" ... to
//! stdout, `tail=TEXT` to stdout without a line end. `std=TEXT` goes through Rust's println.

use coracle_guests_p2::{proxy, target, text, write};
use wasip2::cli::{stderr, stdout};
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

proxy!(handle);

fn handle(request: IncomingRequest, out: ResponseOutparam) {
    let target = target(&request);
    let line = |text: &str| format!("{text}\n");
    let mut lines: String = target.all("out").map(line).collect();
    lines.extend((1..=target.number("flood", 0)).map(|number| format!("flood {number}\n")));
    lines.extend(target.get("tail"));
    let errors: String = target.all("err").map(line).collect();
    let (stdout, stderr) = (stdout::get_stdout(), stderr::get_stderr());
    let result = write(&stdout, lines.as_bytes())
        .and_then(|()| stdout.blocking_flush())
        .and_then(|()| write(&stderr, errors.as_bytes()))
        .and_then(|()| stderr.blocking_flush());
    for text in target.all("std") {
        println!("{text}");
    }
    match result {
        Ok(()) => text(out, 200, "ok\n"),
        Err(error) => text(out, 500, format!("{error:?}")),
    }
}
