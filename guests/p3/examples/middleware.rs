//! A link of a chain. `?stop=NAME` is answered by the link whose variable `NAME` that is, with 401; `?trap=NAME` traps there, before
//! the request is handed on, `?late=NAME` after it. Else the request goes on, and the answer gets the header `x-through` with the
//! link's name put before what is in it.

use coracle_guests_p3::{Answer, service, target, text};
use wasip3::http::types::{Fields, Request, Response};
use wasip3::wit_future;

mod bindings {
    wit_bindgen::generate!({
        path: "../wit3",
        world: "link",
        with: {
            "wasi:http/handler@0.3.2": generate,
            "wasi:http/types@0.3.2": wasip3::http::types,
            "wasi:clocks/types@0.3.2": wasip3::clocks::types,
        },
    });
}

service!(handle);

async fn handle(request: Request) -> Answer {
    let name = std::env::var("NAME").unwrap_or_default();
    let target = target(&request);
    let is = |key: &str| target.get(key) == Some(name.as_str());
    if is("stop") {
        return Ok(text(401, format!("stopped by {name}")));
    }
    if is("trap") {
        core::arch::wasm32::unreachable();
    }
    // Those that belong to a connection can't be set, and needn't be.
    let headers = Fields::new();
    for (name, value) in request.get_headers().copy_all() {
        let _ = headers.append(&name, &value);
    }
    let _ = headers.append("x-link", name.as_bytes());
    let (method, path) = (request.get_method(), request.get_path_with_query());
    let (_, received) = wit_future::new(|| Ok(()));
    let (body, trailers) = Request::consume_body(request, received);
    let (onward, _sent) = Request::new(headers, Some(body), trailers, None);
    let _ = onward.set_method(&method);
    let _ = onward.set_path_with_query(path.as_deref());
    let answer = bindings::wasi::http::handler::handle(onward).await?;
    if is("late") {
        core::arch::wasm32::unreachable();
    }
    let status = answer.get_status_code();
    let mut fields = answer.get_headers().copy_all();
    let before = fields
        .iter()
        .find(|(name, _)| name == "x-through")
        .map(|(_, value)| String::from_utf8_lossy(value).into_owned());
    fields.retain(|(name, _)| name != "x-through");
    let through = before.map_or_else(|| name.clone(), |before| format!("{name},{before}"));
    fields.push(("x-through".to_owned(), through.into_bytes()));
    let (_, received) = wit_future::new(|| Ok(()));
    let (body, trailers) = Response::consume_body(answer, received);
    let headers = Fields::from_list(&fields).unwrap_or_else(|_| Fields::new());
    let (answer, _sent) = Response::new(headers, Some(body), trailers);
    let _ = answer.set_status_code(status);
    Ok(answer)
}
