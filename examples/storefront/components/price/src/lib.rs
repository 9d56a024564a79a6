//! Prices of the storefront: an HTTP service (WASI 0.3) that answers
//!
//!   GET  /api/price?country=DE            every product, one of each
//!   GET  /api/price/:sku?qty=&country=    one product
//!   POST /api/price                       a cart, with shipping and codes
//!
//! The tables come from `/data`, a folder that the manifest grants read-only; single quotes are kept in the
//! store "cache". It makes no outbound request and keeps nothing in memory between requests.

mod ask;
mod cache;
mod quote;
mod tables;

use ask::Refusal;
use http::{Method, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use wasip3::http::types::{self, ErrorCode};
use wasip3::http_compat::{Request, http_from_wasi_request, http_into_wasi_response};

const BODY_LIMIT: usize = 64 * 1024;

struct Price;

wasip3::http::service::export!(Price);

impl wasip3::exports::http::handler::Guest for Price {
    async fn handle(request: types::Request) -> Result<types::Response, ErrorCode> {
        match serve(http_from_wasi_request(request)?).await {
            // Not an answer at all, so that the one who asked can turn to Node.
            Err(refusal) if refusal.status == StatusCode::INTERNAL_SERVER_ERROR => {
                eprintln!("{}", refusal.message);
                Err(ErrorCode::InternalError(Some(refusal.message)))
            }
            answer => http_into_wasi_response(respond(answer)),
        }
    }
}

/// A JSON body and whether it came from the cache, where that was asked.
struct Answer {
    json: String,
    cache: Option<&'static str>,
}

impl Answer {
    fn of(value: &impl serde::Serialize) -> Result<Self, Refusal> {
        let json = serde_json::to_string(value).map_err(Refusal::broken)?;
        Ok(Self { json, cache: None })
    }
}

async fn serve(request: Request) -> Result<Answer, Refusal> {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let rest = path.strip_prefix("/api/price").filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let rest = rest.ok_or_else(Refusal::no_such_page)?;
    match (request.method(), rest.trim_end_matches('/')) {
        (&Method::GET | &Method::HEAD, "") => {
            let tables = tables::read().await?;
            let place = ask::place(&tables, &query)?;
            Answer::of(&quote::list(&tables, &place))
        }
        (&Method::POST, "") => {
            let body = Limited::new(request.into_body(), BODY_LIMIT).collect().await;
            let body = body.map_err(|_| Refusal::too_large(BODY_LIMIT))?.to_bytes();
            let tables = tables::read().await?;
            let cart = ask::cart(&tables, &body)?;
            Answer::of(&quote::cart(&tables, &cart)?)
        }
        (_, "") => Err(Refusal::method("GET, HEAD, POST")),
        (&Method::GET | &Method::HEAD, sku) => one(sku.trim_start_matches('/'), &query).await,
        (_, _) => Err(Refusal::method("GET, HEAD")),
    }
}

/// A quote for one product: from the store if the tables have not changed since it was put there.
async fn one(sku: &str, query: &str) -> Result<Answer, Refusal> {
    let version = tables::version().await?;
    let key = cache::key(&version, sku, query);
    let store = cache::open();
    if let (Ok(bucket), Some(key)) = (&store, &key)
        && let Some(json) = cache::get(bucket, key)
    {
        return Ok(Answer { json, cache: Some("hit") });
    }
    let tables = tables::read().await?;
    let item = ask::single(&tables, sku, query)?;
    let mut answer = Answer::of(&quote::single(&tables, &item)?)?;
    // a region that the country does not have is ignored, and would be one more key for the same answer
    let key = key.filter(|key| key.region == item.place.region.map_or("", String::as_str));
    if let (Ok(bucket), Some(key)) = (&store, &key) {
        cache::set(bucket, key, &answer.json);
        answer.cache = Some("miss");
    }
    Ok(answer)
}

fn respond(answer: Result<Answer, Refusal>) -> Response<String> {
    let mut response = Response::builder().header(header::CONTENT_TYPE, "application/json; charset=utf-8");
    let body = match answer {
        Ok(answer) => {
            if let Some(cache) = answer.cache {
                response = response.header("x-quote-cache", cache);
            }
            answer.json
        }
        Err(refusal) => {
            response = response.status(refusal.status);
            if let Some(allow) = refusal.allow {
                response = response.header(header::ALLOW, allow);
            }
            refusal.json()
        }
    };
    response.body(body).expect("every header above is a valid constant")
}
