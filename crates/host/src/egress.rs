//! Outbound HTTP: [`Rules`] say where a component may go, the one [`Client`] of an engine goes there, [`Outbound`]
//! joins the two for an instance.
//!
//! ```text
//! guest ─ Outbound: rules ─▶ a place among the component's connections ─▶ pool ─▶ resolve ─ check address ─▶ connect
//!            │ no rule: denied, counted, logged with the line to add              │ not public, not named: prohibited
//! ```
//! Redirects are not followed: a guest follows them itself, and each hop is a request that the rules are asked about.
//! Connections are shared by all components, but those that may reach private addresses live in a pool of their own.
//! A request with a safe method (GET, HEAD, OPTIONS, TRACE; RFC 9110, 9.2.1) is no effect; any other counts as one from
//! the moment it is allowed, for nobody knows how much of it arrives.

mod address;
mod connect;
mod error;
mod rules;
#[cfg(test)]
mod tests;

pub use address::Addresses;
pub use rules::{Decision, Reach, Rule, RuleError, Rules};

use crate::calls::{Calls, Ended, Function, HostCall};
use crate::neighbours::{MAX_DEPTH, Neighbour, Neighbours};
use bytes::Bytes;
use connect::Connector;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep, timeout};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// How long a request waits for a place and a connection, unless the guest says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request waits for the response's head, unless the guest says otherwise.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a response's body may be silent, unless the guest says otherwise.
const BETWEEN_BYTES_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes copied out of a guest's body at once.
const CHUNK: usize = 64 * 1024;
/// How long an unused connection is kept. Shorter than most servers do, so that they seldom close it first.
const IDLE_CONNECTION: Duration = Duration::from_secs(20);
const IDLE_CONNECTIONS_PER_HOST: usize = 32;
/// The same denial is logged once in this time, and no more than this many denials in a second.
const DENIAL_LOG_INTERVAL: Duration = Duration::from_secs(60);
const DENIALS_LOGGED_PER_SECOND: u32 = 10;

type Pooled = legacy::Client<HttpsConnector<Connector>, WasiBody>;
type Transmission = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(http::Response<WasiBody>, Transmission), Error>;

/// The HTTP client of an engine: HTTP/1.1 and HTTP/2 with kept connections, one TLS configuration.
pub struct Client {
    public: Pooled,
    named: Pooled,
    denials: Mutex<Denials>,
}

/// Why the client could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the TLS configuration of the outbound HTTP client could not be made")]
pub struct ClientError(#[source] rustls::Error);

impl Client {
    /// Makes the client; opens nothing yet.
    ///
    /// # Errors
    /// When the TLS library refuses its own defaults.
    pub fn new() -> Result<Self, ClientError> {
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions();
        let tls = tls.map_err(ClientError)?.with_webpki_roots().with_no_client_auth();
        Ok(Self {
            public: pooled(tls.clone(), Reach::Public),
            named: pooled(tls, Reach::Named),
            denials: Mutex::new(Denials::default()),
        })
    }

    fn within(&self, reach: Reach) -> &Pooled {
        match reach {
            Reach::Public => &self.public,
            Reach::Named => &self.named,
        }
    }
}

fn pooled(tls: rustls::ClientConfig, reach: Reach) -> Pooled {
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().enable_http2();
    legacy::Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_CONNECTION)
        .pool_max_idle_per_host(IDLE_CONNECTIONS_PER_HOST)
        .build(connector.wrap_connector(Connector::new(reach)))
}

/// What the instances of a component share of their outbound HTTP.
#[derive(Clone)]
pub struct Shared {
    pub client: Arc<Client>,
    /// A place for each of the component's outbound connections; a response holds its own until its body has ended.
    pub places: Arc<Semaphore>,
    /// Counts the requests that were not let out.
    pub denied: Arc<AtomicU64>,
    pub component: Arc<str>,
    /// The other components of its app.
    pub neighbours: Arc<Neighbours>,
}

/// The outbound HTTP of one instance.
pub struct Outbound {
    shared: Shared,
    rules: Option<Arc<Rules>>,
    effects: Arc<AtomicU64>,
    /// How many components called each other to get here.
    depth: u32,
    calls: Calls,
}

impl Outbound {
    /// Without rules every request is denied. `effects` belongs to the instance.
    pub(crate) fn new(shared: Shared, rules: Option<Arc<Rules>>, effects: Arc<AtomicU64>, calls: Calls) -> Self {
        Self { shared, rules, effects, calls, depth: 0 }
    }

    pub(crate) fn depth(&self) -> u32 {
        self.depth
    }

    pub(crate) fn at_depth(&mut self, depth: u32) {
        self.depth = depth;
    }

    fn admit(&self, method: &http::Method, uri: &http::Uri) -> Result<Reach, Error> {
        if *method == http::Method::CONNECT {
            return Err(Error::HttpRequestMethodInvalid);
        }
        let decision = self.rules.as_ref().map_or(Decision::Denied, |rules| rules.allows(method, uri));
        match decision {
            Decision::Allowed(reach) => Ok(reach),
            Decision::Invalid => Err(Error::HttpRequestUriInvalid),
            Decision::Denied => {
                self.shared.deny(false, method, uri);
                Err(Error::HttpRequestDenied)
            }
        }
    }
}

impl WasiHttpHooks for Outbound {
    /// The client sets it for HTTP/1.1; in HTTP/2 it is `:authority`.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK
    }

    fn send_request(
        &mut self,
        mut request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Transmission,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let mut call = self.calls.begin(SEND);
        describe(&mut call, &request);
        let reach = match self.admit(request.method(), request.uri()) {
            Ok(reach) => reach,
            Err(error) => {
                call.end(ended(&error));
                return Box::new(std::future::ready(Err(error)));
            }
        };
        call.pass_on(request.headers_mut());
        if !request.method().is_safe() {
            self.effects.fetch_add(1, Relaxed);
        }
        if let Some(neighbour) = self.shared.neighbours.addressed(request.uri()) {
            return Box::new(inside(neighbour, request, self.depth + 1, options.unwrap_or_default()));
        }
        let exchange = Exchange { shared: self.shared.clone(), reach, options: options.unwrap_or_default() };
        Box::new(async move {
            let response = exchange.run(request).await;
            match &response {
                Ok(response) => {
                    let status = response.status();
                    call.set("http.response.status_code", status.as_u16());
                    call.end(if status.as_u16() >= 400 { Ended::Badly("status") } else { Ended::Well });
                }
                Err(error) => call.end(ended(error)),
            }
            let response = response?;
            // The pool drives the connection; nothing is left for the guest's store to drive.
            let done: Transmission = Box::new(std::future::ready(Ok(())));
            Ok((response, done))
        })
    }
}

/// A request to another component of the app: in this process, without a connection.
async fn inside(
    neighbour: Arc<dyn Neighbour>,
    request: http::Request<WasiBody>,
    depth: u32,
    options: RequestOptions,
) -> Sent {
    if depth > MAX_DEPTH {
        tracing::warn!(component = %neighbour.name(), "components call each other more than {MAX_DEPTH} deep");
        return Err(Error::LoopDetected);
    }
    let patience = options.first_byte_timeout.unwrap_or(FIRST_BYTE_TIMEOUT);
    match timeout(patience, neighbour.answer(request, depth)).await {
        Ok(Ok(response)) => Ok((response, Box::new(std::future::ready(Ok(()))))),
        Ok(Err(failure)) => {
            tracing::debug!("{failure}");
            Err(failure.cause.as_error())
        }
        Err(_) => Err(Error::ConnectionReadTimeout),
    }
}

/// The call of a guest that sends a request.
const SEND: Function = Function { grant: "http", interface: "wasi:http/client", name: "send", span: "HTTP" };

/// By the semantic conventions for HTTP clients. Neither path nor query are told: they may hold secrets of others.
fn describe(call: &mut HostCall, request: &http::Request<WasiBody>) {
    if !call.is_noted() {
        return;
    }
    let method = coracle_telemetry::method(request.method());
    call.rename(if method == "_OTHER" { "HTTP".to_owned() } else { method.to_owned() });
    call.set("http.request.method", method);
    let uri = request.uri();
    if let Some(host) = uri.host() {
        call.set("server.address", host.to_owned());
    }
    let https = uri.scheme_str() != Some("http");
    call.set("server.port", uri.port_u16().unwrap_or(if https { 443 } else { 80 }));
    call.set("url.scheme", if https { "https" } else { "http" });
}

fn ended(error: &Error) -> Ended {
    match error {
        Error::HttpRequestDenied | Error::DestinationIpProhibited => Ended::Denied,
        Error::ConnectionTimeout => Ended::Badly("connect_timeout"),
        Error::ConnectionReadTimeout => Ended::Badly("read_timeout"),
        Error::ConnectionLimitReached => Ended::Badly("connection_limit"),
        Error::ConnectionRefused => Ended::Badly("refused"),
        Error::DnsError { .. } => Ended::Badly("dns"),
        Error::HttpRequestUriInvalid | Error::HttpRequestMethodInvalid => Ended::Badly("invalid"),
        _ => Ended::Badly("_OTHER"),
    }
}

/// One request on its way.
struct Exchange {
    shared: Shared,
    reach: Reach,
    options: RequestOptions,
}

impl Exchange {
    async fn run(self, mut request: http::Request<WasiBody>) -> Result<http::Response<WasiBody>, Error> {
        let connect = self.options.connect_timeout.unwrap_or(CONNECT_TIMEOUT);
        let first_byte = self.options.first_byte_timeout.unwrap_or(FIRST_BYTE_TIMEOUT);
        let begun = Instant::now();
        let place = self.place(connect).await?;
        let asked = (request.method().clone(), request.uri().clone());

        let mut connected = capture_connection(&mut request);
        let mut response = std::pin::pin!(self.shared.client.within(self.reach).request(request));
        let answered = tokio::select! {
            biased;
            answered = &mut response => Some(answered),
            _ = connected.wait_for_connection_metadata() => None,
            () = sleep(connect.saturating_sub(begun.elapsed())) => return Err(Error::ConnectionTimeout),
        };
        let answered = match answered {
            Some(answered) => answered,
            None => timeout(first_byte, response).await.map_err(|_| Error::ConnectionReadTimeout)?,
        };
        let response = answered.map_err(|error| {
            let error = error::of_request(&error);
            if matches!(error, Error::DestinationIpProhibited) {
                self.shared.deny(true, &asked.0, &asked.1);
            }
            error
        })?;
        let silence = self.options.between_bytes_timeout.unwrap_or(BETWEEN_BYTES_TIMEOUT);
        Ok(response.map(|body| {
            let place = (!body.is_end_stream()).then_some(place);
            Incoming { body, silence, waiting: None, place }.boxed_unsync()
        }))
    }

    /// One of the component's places for a connection.
    async fn place(&self, patience: Duration) -> Result<OwnedSemaphorePermit, Error> {
        let place = timeout(patience, Arc::clone(&self.shared.places).acquire_owned()).await;
        place.ok().and_then(Result::ok).ok_or_else(|| {
            tracing::debug!(
                component = &*self.shared.component,
                "every outbound connection is in use (`outbound_connections` of the limits); a response frees its own \
                 when its body has been read or dropped",
            );
            Error::ConnectionLimitReached
        })
    }
}

/// A response's body: gives its place back at its end, and fails when it is silent for too long.
struct Incoming {
    body: hyper::body::Incoming,
    silence: Duration,
    /// Runs while the body has nothing.
    waiting: Option<Pin<Box<Sleep>>>,
    place: Option<OwnedSemaphorePermit>,
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if polled.is_pending() {
            let silence = self.silence;
            let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(silence)));
            ready!(waiting.as_mut().poll(context));
            return Poll::Ready(Some(Err(Error::ConnectionReadTimeout)));
        }
        self.waiting = None;
        if self.body.is_end_stream() || !matches!(polled, Poll::Ready(Some(Ok(_)))) {
            self.place = None;
        }
        polled.map_err(|error| error::of_hyper(&error))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Which denials were logged of late. A guest chooses hosts at will, so it is bounded.
#[derive(Default)]
struct Denials {
    logged: HashMap<(Arc<str>, String), Instant>,
    second: Option<Instant>,
    this_second: u32,
}

impl Denials {
    fn may_log(&mut self, component: &Arc<str>, origin: String, now: Instant) -> bool {
        if self.second.is_none_or(|second| now.duration_since(second) >= Duration::from_secs(1)) {
            self.second = Some(now);
            self.this_second = 0;
            self.logged.retain(|_, logged| now.duration_since(*logged) < DENIAL_LOG_INTERVAL);
        }
        if self.this_second == DENIALS_LOGGED_PER_SECOND
            || self.logged.contains_key(&(Arc::clone(component), origin.clone()))
        {
            return false;
        }
        self.this_second += 1;
        self.logged.insert((Arc::clone(component), origin), now);
        true
    }
}

impl Shared {
    /// Counts a request that was not let out, and says which line of the manifest would let it. `prohibited`: a rule
    /// covers it, but its address is not public.
    fn deny(&self, prohibited: bool, method: &http::Method, uri: &http::Uri) {
        self.denied.fetch_add(1, Relaxed);
        let component = &self.component;
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let origin = format!("{}://{authority}", uri.scheme_str().unwrap_or("https"));
        let mut denials = self.client.denials.lock().unwrap_or_else(PoisonError::into_inner);
        let may_log = denials.may_log(component, origin.clone(), Instant::now());
        drop(denials);
        if may_log {
            let path = uri.path();
            let what = if prohibited { "prohibited, for its address is not public" } else { "denied" };
            // An address and `localhost` are named by being written; any other name has to be marked.
            let written = uri.host().is_some_and(|host| host == "localhost" || connect::literal(uri).is_some());
            let mark = if prohibited && !written { "private " } else { "" };
            tracing::warn!(
                component = &**component,
                "outbound request {what}: {method} {origin}{path}; to allow it, add to [component.{component}.grants]: \
                 http = [\"{mark}{method} {origin}{path}\"]"
            );
        }
    }
}
