//! The routes of real applications in Rust; `APP` in the environment says which one answers. The content of the application
//! is at /content, read-only. Only what the load of apps.mjs asks for is here, but that in full: run.mjs compares answers.

use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

mod json_server;
mod raneto;
mod reveal_md;
mod svg_placeholder;
mod token;

/// What a route answers.
pub struct Answer {
    pub kind: &'static str,
    pub body: String,
}

struct Component;
wasip2::http::proxy::export!(Component);

impl wasip2::exports::http::incoming_handler::Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let answer = match std::env::var("APP").unwrap_or_default().as_str() {
            "json-server" => json_server::list(path, query),
            "svg-placeholder" => svg_placeholder::image(path),
            "reveal-md" => reveal_md::slides(path),
            "raneto" => raneto::search(query),
            "oauth2-mock-server" => token::issue(&body(&request)),
            _ => None,
        };
        send(out, answer);
    }
}

fn body(request: &IncomingRequest) -> String {
    let mut all = Vec::new();
    if let Ok(body) = request.consume() {
        if let Ok(stream) = body.stream() {
            while let Ok(chunk) = stream.blocking_read(65536) {
                all.extend(chunk);
            }
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}

fn send(out: ResponseOutparam, answer: Option<Answer>) {
    let headers = Fields::new();
    let Answer { kind, body } = match answer {
        Some(answer) => answer,
        None => Answer { kind: "", body: String::new() },
    };
    let _ = headers.append("content-type", kind.as_bytes());
    let response = OutgoingResponse::new(headers);
    if kind.is_empty() {
        let _ = response.set_status_code(404);
    }
    let Ok(stream) = response.body() else { return };
    ResponseOutparam::set(out, Ok(response));
    if let Ok(write) = stream.write() {
        for chunk in body.as_bytes().chunks(4096) {
            let _ = write.blocking_write_and_flush(chunk);
        }
    }
    let _ = OutgoingBody::finish(stream, None);
}
