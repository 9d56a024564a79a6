//! Figures for Prometheus: the answer to a scrape, on the admin listener, and on one of its own where `OTEL_METRICS_EXPORTER=prometheus`
//! asks for it (`OTEL_EXPORTER_PROMETHEUS_HOST` and `_PORT`).

use crate::figures;
use crate::listen::{self, ListenError};
use crate::live::Live;
use crate::respond::{self, Refusal};
use coracle_host::{Response, full};
use coracle_telemetry::metrics::text::{self, Dialect};
use coracle_telemetry::{RequestId, Telemetry};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long a scrape's head may take.
const HEAD: Duration = Duration::from_secs(10);

/// The answer to a scrape, in the dialect that it asks for.
pub fn answer(live: &Live, telemetry: &Telemetry, headers: &HeaderMap) -> Response {
    let dialect = Dialect::asked(headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()));
    let text = text::write(&figures::now(live, telemetry), telemetry.resource(), dialect);
    let mut response = Response::new(full(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(dialect.content_type()));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Listens for scrapes until the process ends, on the runtime of who calls.
///
/// # Errors
/// When the address is taken.
pub fn start(addr: SocketAddr, live: &Arc<Live>) -> Result<(), ListenError> {
    let (addr, listener) = listen::exclusive(addr)?;
    tracing::info!("metrics for Prometheus on http://{addr}/metrics");
    let live = Arc::clone(live);
    tokio::spawn(async move {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = live.stop.cancelled() => return,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let live = Arc::clone(&live);
            let service = service_fn(move |request: Request<Incoming>| {
                let live = Arc::clone(&live);
                async move { Ok::<_, Infallible>(routed(&live, &request)) }
            });
            tokio::spawn(async move {
                let mut server = http1::Builder::new();
                server.timer(TokioTimer::new()).header_read_timeout(HEAD);
                // A scraper that goes away loses its figures, nothing else.
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    Ok(())
}

fn routed(live: &Live, request: &Request<Incoming>) -> Response {
    match (&live.telemetry, request.uri().path()) {
        (Some(telemetry), "/metrics") => answer(live, telemetry, request.headers()),
        _ => respond::refused(&Refusal::NotFound, RequestId(rand::random())),
    }
}
