//! `?a=URL&b=URL...` requests all at once; `?post=URL` posts the incoming body, streamed; `method=M` is theirs instead of GET.
//! Answers a line for each, see `contract::fanned`.

use coracle_guests_contract::fanned;
use coracle_guests_p3::{Answer, answer, body, fetch, service, target};
use futures::future::{LocalBoxFuture, join_all};
use wasip3::http::types::{Method, Request};

service!(handle);

async fn handle(request: Request) -> Answer {
    let target = target(&request);
    let mut incoming = target.get("post").is_some().then(|| body(request));
    let mut fetches: Vec<LocalBoxFuture<'_, _>> = Vec::new();
    for (name, url) in target.pairs() {
        let (method, body) = match name.as_str() {
            "method" => continue,
            "post" => (Method::Post, incoming.take()),
            _ => (target.get("method").map_or(Method::Get, |name| Method::Other(name.to_owned())), None),
        };
        fetches.push(Box::pin(async move { (name.clone(), fetch(method, url, body).await) }));
    }
    Ok(answer(fanned(join_all(fetches).await)))
}
