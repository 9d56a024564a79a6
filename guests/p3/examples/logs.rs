//! Writes lines to stdout and stderr: `out=TEXT` and `err=TEXT` (each as often as given), `flood=N` lines "flood 1" ... to
//! stdout, `tail=TEXT` to stdout without a line end. `std=TEXT` goes through Rust's println (WASI 0.2's stdout here).

use coracle_guests_p3::{Answer, service, target, text, wit_stream};
use futures::join;
use wasip3::cli::{stderr, stdout};
use wasip3::http::types::Request;

service!(handle);

async fn handle(request: Request) -> Answer {
    let target = target(&request);
    let line = |text: &str| format!("{text}\n");
    let mut out: String = target.all("out").map(line).collect();
    out.extend((1..=target.number("flood", 0)).map(|number| format!("flood {number}\n")));
    out.extend(target.get("tail"));
    let err: String = target.all("err").map(line).collect();
    let (mut out_writer, out_reader) = wit_stream::new();
    let (mut err_writer, err_reader) = wit_stream::new();
    let (out_result, err_result) = (stdout::write_via_stream(out_reader), stderr::write_via_stream(err_reader));
    join!(async move { out_writer.write_all(out.into_bytes()).await }, async move {
        err_writer.write_all(err.into_bytes()).await
    },);
    for text in target.all("std") {
        println!("{text}");
    }
    match out_result.await.and(err_result.await) {
        Ok(()) => Ok(text(200, "ok\n")),
        Err(error) => Ok(text(500, format!("{error:?}"))),
    }
}
