//! The admin listener: health for orchestrators, status for people and scripts, the reload call, and what telemetry shows: the
//! dashboard (`assets`), its data (`api`, `live`), `/metrics`, and the receiver (`receive`).
//!
//! It has an OS thread and a runtime of its own, so that no guest and no load can keep it from answering. Whoever asks must name
//! it by address or `localhost` (a name could be rebound to it); what changes something needs the token, and no foreign page
//! may send it.

mod api;
mod assets;
mod cards;
mod live;
mod query;
mod receive;
mod rollouts;
mod status;
mod token;

use self::live::Followed;
use self::query::{Bad, Query};

use crate::figures;
use crate::live::{Live, Reload};
use crate::respond::{self, Refusal};
use crate::scrape;
use crate::settings::Settings;
use coracle_host::{Response, full};
use coracle_telemetry::receive::Signal;
use coracle_telemetry::{RequestId, Telemetry};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// One point of the sparklines.
const POINT: Duration = Duration::from_secs(5);
/// How long a request's head may take.
const HEAD: Duration = Duration::from_secs(10);

/// What the admin listener answers from.
#[derive(Clone)]
pub struct Admin {
    pub token: String,
    /// Where the token was written to, if it was made up.
    pub token_file: Option<PathBuf>,
    addr: SocketAddr,
    live: Arc<Live>,
    reloads: mpsc::Sender<Reload>,
}

impl Admin {
    /// Takes the token of the settings, or makes one up and writes it to a file that only this user can read.
    ///
    /// # Errors
    /// When that file can't be written.
    pub fn new(
        settings: &Settings,
        addr: SocketAddr,
        live: &Arc<Live>,
        reloads: mpsc::Sender<Reload>,
    ) -> io::Result<Self> {
        if !addr.ip().is_loopback() {
            tracing::warn!(%addr, "the admin listener can be reached from other machines");
        }
        let (token, token_file) = match &settings.admin_token {
            Some(token) => (token.clone(), None),
            None => {
                let state = live.state.load();
                let dir = settings.state_dir.clone().unwrap_or_else(|| state.app.base_dir.join(".coracle"));
                let (token, file) = token::make(&dir)?;
                (token, Some(file))
            }
        };
        Ok(Self { token, token_file, addr, live: Arc::clone(live), reloads })
    }

    async fn answer(&self, request: http::Request<Incoming>) -> Response {
        let id = RequestId(rand::random());
        if let Some(signal) = Signal::of(request.uri().path()) {
            let origin = receive::page(request.headers());
            let mut response = match self.receive(signal, request, origin.is_err()).await {
                Ok(response) => response,
                Err(refusal) => respond::refused(&refusal, id),
            };
            if let Ok(Some(origin)) = origin {
                receive::allow(&mut response, origin);
            }
            return response;
        }
        let path = request.uri().path();
        let answer = match path.starts_with("/v1/") || path.starts_with("/ofrep/") {
            true => self.rollouts(request, id).await,
            false => self.route(&request, id).await,
        };
        answer.unwrap_or_else(|refusal| respond::refused(&refusal, id))
    }

    /// Rollouts and flags: the only calls with a body.
    async fn rollouts(&self, request: http::Request<Incoming>, id: RequestId) -> Result<Response, Refusal> {
        let host = named_by_address(&request)?;
        if rollouts::changes(request.method(), request.uri().path()) {
            self.may_change(&request, &host)?;
        }
        let (parts, body) = request.into_parts();
        let body = Limited::new(body, rollouts::MAX_BODY).collect().await;
        let body = body.map_err(|_| Refusal::BadRequest("the body is too long, or broke off"))?.to_bytes();
        let (path, query) = (parts.uri.path(), parts.uri.query());
        let called = rollouts::Called { method: &parts.method, path, query, headers: &parts.headers, body: &body, id };
        rollouts::answer(&self.live, called).await
    }

    async fn route(&self, request: &http::Request<Incoming>, id: RequestId) -> Result<Response, Refusal> {
        let host = named_by_address(request)?;
        let get = matches!(*request.method(), Method::GET | Method::HEAD);
        match request.uri().path() {
            "/livez" | "/readyz" | "/status" if !get => Err(Refusal::MethodNotAllowed("GET, HEAD".to_owned())),
            "/livez" => Ok(json(StatusCode::OK, &serde_json::json!({ "alive": true }))),
            "/readyz" => {
                let reasons = self.live.not_ready();
                let status = respond::readiness(reasons.is_empty());
                Ok(json(status, &serde_json::json!({ "ready": reasons.is_empty(), "reasons": reasons })))
            }
            "/status" => Ok(json(StatusCode::OK, &status::of(&self.live))),
            "/reload" if request.method() != Method::POST => Err(Refusal::MethodNotAllowed("POST".to_owned())),
            "/reload" => {
                self.may_change(request, &host)?;
                Ok(self.reload(id).await)
            }
            "/metrics" => self.metrics(request),
            path if path.starts_with("/api/") => self.api(request, &host).await,
            path if get => assets::find(path, request.headers()).ok_or(Refusal::NotFound),
            _ => Err(Refusal::NotFound),
        }
    }

    fn telemetry(&self) -> Result<&Arc<Telemetry>, Refusal> {
        self.live.telemetry.as_ref().ok_or(Refusal::NotFound)
    }

    /// The figures for Prometheus, without a token as scrapers are: they hold no more than `/status`.
    fn metrics(&self, request: &http::Request<Incoming>) -> Result<Response, Refusal> {
        Ok(scrape::answer(&self.live, self.telemetry()?, request.headers()))
    }

    /// What is kept, for whoever has the token.
    async fn api(&self, request: &http::Request<Incoming>, host: &Authority) -> Result<Response, Refusal> {
        self.may_change(request, host)?;
        if request.method() != Method::GET {
            return Err(Refusal::MethodNotAllowed("GET".to_owned()));
        }
        let telemetry = self.telemetry()?;
        let (path, query) = (request.uri().path(), Query(request.uri().query().unwrap_or_default()));
        let bad = |Bad(text): Bad| Refusal::Unreadable(text);
        if let Some(followed) = Followed::parse(path, query).map_err(bad)? {
            let mut response = Response::new(followed.body(Arc::clone(telemetry)));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            return Ok(response);
        }
        if path == "/api/profile" {
            let seconds = query.number("seconds", 10).map_err(bad)?.clamp(1, 300);
            let profile = self.live.engine.profile(Duration::from_secs(seconds as u64)).await;
            let profile = profile.ok_or_else(|| Refusal::Unreadable("a profile is being taken already".to_owned()))?;
            return Ok(json(StatusCode::OK, &profile));
        }
        match api::answer(&self.live, telemetry, path, query).map_err(bad)? {
            None | Some(serde_json::Value::Null) => Err(Refusal::NotFound),
            Some(value) => Ok(json(StatusCode::OK, &value)),
        }
    }

    /// Takes OTLP: from whoever has the token, and while the listener is of this machine only from all programs on it.
    async fn receive(
        &self,
        signal: Signal,
        request: http::Request<Incoming>,
        foreign: bool,
    ) -> Result<Response, Refusal> {
        named_by_address(&request)?;
        let telemetry = self.telemetry()?;
        if foreign {
            return Err(Refusal::Forbidden("a page of another machine may not send telemetry here"));
        }
        if request.method() == Method::OPTIONS {
            return Ok(receive::preflight());
        }
        if request.method() != Method::POST {
            return Err(Refusal::MethodNotAllowed("POST".to_owned()));
        }
        if !self.addr.ip().is_loopback() {
            self.has_token(&request)?;
        }
        let taken = receive::take(telemetry, signal, request).await;
        taken.map_err(|error| receive::refusal(&error))
    }

    /// Token and origin: checked before anything changes.
    fn may_change(&self, request: &http::Request<Incoming>, host: &Authority) -> Result<(), Refusal> {
        if let Some(origin) = request.headers().get(ORIGIN) {
            let own = format!("http://{host}");
            if !origin.as_bytes().eq_ignore_ascii_case(own.as_bytes()) {
                return Err(Refusal::Forbidden("a page of another origin may not do this"));
            }
        }
        self.has_token(request)
    }

    fn has_token(&self, request: &http::Request<Incoming>) -> Result<(), Refusal> {
        let given = request.headers().get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        match given {
            Some(given) if token::equal(given, self.token.as_bytes()) => Ok(()),
            Some(_) => Err(Refusal::Forbidden("the token is not the one of this process")),
            None => Err(Refusal::Unauthorized),
        }
    }

    async fn reload(&self, id: RequestId) -> Response {
        let (done, outcome) = oneshot::channel();
        let sent = self.reloads.send(done).await;
        match (sent, outcome.await) {
            (Ok(()), Ok(Ok(reloaded))) => json(StatusCode::OK, &reloaded),
            (Ok(()), Ok(Err(error))) => respond::not_loaded(&error.render(false), id),
            _ => respond::refused(&Refusal::Closing, id),
        }
    }
}

/// Serves until the process ends.
///
/// # Errors
/// When the thread does not start.
pub fn start(admin: Admin, listener: TcpListener) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("admin".to_owned()).spawn(move || {
        let serving = || -> io::Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                tokio::select! {
                    () = accept(&admin, listener) => {}
                    () = look(&admin.live) => {}
                    () = admin.live.stop.cancelled() => {}
                }
                Ok(())
            })
        };
        if let Err(error) = serving() {
            tracing::error!(%error, "the admin listener ended");
        }
    })
}

/// Adds a point to the history of figures at each interval.
async fn look(live: &Live) {
    let mut ticks = tokio::time::interval(POINT);
    loop {
        ticks.tick().await;
        if let Some(telemetry) = &live.telemetry {
            telemetry.store.history.tick(figures::now(live, telemetry));
        }
    }
}

async fn accept(admin: &Admin, listener: tokio::net::TcpListener) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "no admin connection could be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let admin = admin.clone();
        let service = service_fn(move |request| {
            let admin = admin.clone();
            async move { Ok::<_, Infallible>(admin.answer(request).await) }
        });
        tokio::spawn(async move {
            let server = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = server.await {
                tracing::debug!(%error, "an admin connection broke off");
            }
        });
    }
}

/// The `Host` a request names, if that is an address or `localhost`.
fn named_by_address(request: &http::Request<Incoming>) -> Result<Authority, Refusal> {
    let host = request.headers().get(HOST).ok_or(Refusal::BadRequest("the request has no Host header"))?;
    let host = Authority::try_from(host.as_bytes()).map_err(|_| Refusal::BadRequest("the Host header is no host"))?;
    let name = host.host().trim_matches(['[', ']']);
    if name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok() {
        Ok(host)
    } else {
        Err(Refusal::Forbidden("name this listener by its address, not by a host name"))
    }
}

fn json(status: StatusCode, value: &impl serde::Serialize) -> Response {
    let mut response = Response::new(full(serde_json::to_vec(value).unwrap_or_default()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
