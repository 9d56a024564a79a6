//! A server behind us: one pooled HTTP/1.1 client per shard, hop-by-hop headers, timeouts, upgrades.
//!
//! A request that never reached the server comes back inside the failure. It keeps path, query and `Host` as received.
//! Nothing is retried but a request without body whose method may be repeated, once,
//! when a kept connection turned out to be dead.

use crate::call::Call;
use crate::chain::chain;
use crate::forward;
use crate::health::{Health, Watch};
use crate::lent::{Lender, Lent, lend};
use crate::noted::{Noted, To};
use crate::tunnel::{Place, Tunnels};
use coracle_host::{BodyError, Cause, Failure, Response, empty};
use coracle_telemetry::{Blame, Stage, Telemetry};
use http::header::{CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING};
use http::uri::{Authority, Scheme};
use http::{HeaderValue, StatusCode, Uri, Version, request};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::sync::Arc;
use std::time::Duration;

pub type Client = legacy::Client<HttpsConnector<HttpConnector>, Lent>;

/// How long a kept connection may be idle: shorter than Node's 5 s, so that we close first and no request is lost.
const POOL_IDLE: Duration = Duration::from_secs(4);
/// After this the other end of a silent connection (a tunnel, most often) is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// How long a request waits for an upstream that is just being started.
const START_WAIT: Duration = Duration::from_secs(10);

/// How long an upstream may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    pub connect: Duration,
    /// Without any progress: from the last byte of the request that moved to the response's head.
    pub head: Duration,
}

/// One upstream, ready to be called.
pub struct Upstream {
    name: Arc<str>,
    scheme: Scheme,
    authority: Authority,
    clients: Vec<Client>,
    health: Watch,
    timeouts: Timeouts,
    tunnels: Tunnels,
    telemetry: Option<Arc<Telemetry>>,
}

/// What upstreams share with the rest of the process.
#[derive(Clone)]
pub struct Behind {
    pub tunnels: Tunnels,
    pub telemetry: Option<Arc<Telemetry>>,
}

/// What `Upstream::new` can't work with.
#[derive(Debug, thiserror::Error)]
pub enum BadUpstream {
    #[error("`{0}` is not an address that can be connected to")]
    Url(url::Url),
    #[error("TLS could not be set up")]
    Tls(#[source] rustls::Error),
}

impl Upstream {
    /// An upstream with a client for each of `shards` shards.
    ///
    /// # Errors
    /// When its URL can't be connected to.
    pub fn new(
        spec: &coracle_manifest::Upstream,
        shards: usize,
        timeouts: Timeouts,
        health: Watch,
        behind: Behind,
    ) -> Result<Self, BadUpstream> {
        let Behind { tunnels, telemetry } = behind;
        let uri: Uri = spec.url.as_str().parse().map_err(|_| BadUpstream::Url(spec.url.clone()))?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(BadUpstream::Url(spec.url.clone()));
        };
        let clients =
            (0..shards.max(1)).map(|_| client(timeouts.connect)).collect::<Result<_, _>>().map_err(BadUpstream::Tls)?;
        Ok(Self {
            name: Arc::from(spec.name.as_str()),
            scheme,
            authority,
            clients,
            health,
            timeouts,
            tunnels,
            telemetry,
        })
    }

    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Whether it answers, as far as is known.
    pub fn health(&self) -> Health {
        self.health.now()
    }

    /// Why it has not been seen to answer yet; `None` when it was, or when it isn't watched.
    pub fn not_ready(&self) -> Option<String> {
        match self.health.now() {
            Health::Ready => None,
            Health::Starting => Some("starting".to_owned()),
            Health::Down(reason) => Some(reason),
        }
    }

    /// Passes a request on.
    ///
    /// # Errors
    /// When there is no response's head; see [`Cause`].
    pub async fn call(&self, call: Call) -> Result<Response, Failure> {
        let meter = Arc::clone(&call.meter);
        let noted = self.telemetry.as_ref().zip(meter.scope()).map(|(telemetry, scope)| {
            let to = To { name: &self.name, authority: &self.authority, telemetry };
            Noted::begin(scope, to, call.request.method())
        });
        let outcome = self.pass(call, noted.as_ref()).await;
        if let (Some(noted), Some(scope)) = (noted, meter.scope()) {
            noted.end(scope, &outcome);
        }
        outcome
    }

    async fn pass(&self, call: Call, noted: Option<&Noted<'_>>) -> Result<Response, Failure> {
        let Call { request, shard, place, meter, .. } = call;
        let (mut parts, mut body) = request.into_parts();
        if let (Some(noted), Some(scope)) = (noted, meter.scope()) {
            noted.hand_on(scope, &mut parts.headers);
        }
        if let Err(reason) = self.health.ready(START_WAIT).await {
            let failure = self.failure(Stage::Connect, Cause::Unreachable, &reason);
            return Err(failure.with_request(http::Request::from_parts(parts, body)));
        }
        let repeatable = forward::is_idempotent(&parts.method) && http_body::Body::is_end_stream(&body);
        let mut tries_left = u8::from(repeatable);
        loop {
            let (lent, lender) = lend(body);
            let Some(outgoing) = self.outgoing(&parts, lent) else {
                return Err(Failure::new(
                    Stage::Connect,
                    Blame::Client,
                    Cause::UpstreamProtocol,
                    "the path can't be passed on",
                ));
            };
            match self.send(outgoing, &lender, shard).await {
                Ok(response) => {
                    let client = parts.extensions.get::<OnUpgrade>().cloned();
                    return self.incoming(response, client.map(|client| (client, place)));
                }
                Err(Sending::Dead(_)) if tries_left > 0 => {
                    tries_left -= 1;
                    body = lender.take_back().unwrap_or_else(empty);
                }
                Err(sending) => return Err(self.gave_up(sending, parts, &lender)),
            }
        }
    }

    /// The request as the upstream gets it. `None` when its path makes no address.
    fn outgoing(&self, parts: &request::Parts, body: Lent) -> Option<http::Request<Lent>> {
        let mut uri = http::uri::Parts::default();
        uri.scheme = Some(self.scheme.clone());
        uri.authority = Some(self.authority.clone());
        uri.path_and_query = parts.uri.path_and_query().cloned();
        let endless = !http_body::Body::is_end_stream(&body) && http_body::Body::size_hint(&body).exact().is_none();
        let mut request = http::Request::new(body);
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = Uri::from_parts(uri).ok()?;
        let headers = request.headers_mut();
        headers.clone_from(&parts.headers);
        let protocol = forward::upgrade(parts.version, headers);
        forward::strip_hop_by_hop(headers);
        forward::join_cookies(headers);
        // Our own server has already answered `100 Continue`.
        headers.remove(EXPECT);
        if let Some(host) = parts.uri.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok()) {
            headers.insert(HOST, host);
        }
        if let Some(protocol) = protocol.filter(|_| parts.extensions.get::<OnUpgrade>().is_some()) {
            forward::ask_upgrade(headers, protocol);
        }
        if endless {
            // Without it the client leaves out the body of a GET, HEAD or CONNECT whose length nobody knows.
            headers.remove(CONTENT_LENGTH);
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        *request.version_mut() = Version::HTTP_11;
        Some(request)
    }

    async fn send(
        &self,
        request: http::Request<Lent>,
        lender: &Lender,
        shard: usize,
    ) -> Result<http::Response<Incoming>, Sending> {
        let client = self.clients.get(shard).or_else(|| self.clients.first()).ok_or(Sending::Timeout)?;
        let mut sent = Box::pin(client.request(request));
        loop {
            let polls = lender.polls();
            match tokio::time::timeout(self.timeouts.head, &mut sent).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(error)) => return Err(Sending::from(error)),
                Err(_) if lender.polls() > polls => {}
                Err(_) => return Err(Sending::Timeout),
            }
        }
    }

    fn incoming(
        &self,
        mut response: http::Response<Incoming>,
        client: Option<(OnUpgrade, Place)>,
    ) -> Result<Response, Failure> {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let protocol = forward::upgrade(Version::HTTP_11, response.headers());
            let (Some(protocol), Some((client, place))) = (protocol, client) else {
                let detail = "the upstream changed protocols without being asked";
                return Err(self.failure(Stage::Head, Cause::UpstreamProtocol, detail));
            };
            self.tunnels.join(client, hyper::upgrade::on(&mut response), place);
            let mut response = response.map(|_| empty());
            forward::strip_hop_by_hop(response.headers_mut());
            forward::ask_upgrade(response.headers_mut(), protocol);
            return Ok(response);
        }
        forward::strip_hop_by_hop(response.headers_mut());
        Ok(response.map(|body| body.map_err(BodyError::from).boxed_unsync()))
    }

    fn gave_up(&self, sending: Sending, parts: request::Parts, lender: &Lender) -> Failure {
        if lender.broken() {
            return Failure::new(Stage::Head, Blame::Client, Cause::ClientGone, "the request's body broke off");
        }
        match sending {
            Sending::Connect(error) => {
                let failure = self.failure(Stage::Connect, Cause::Unreachable, &error);
                match lender.take_back() {
                    Some(body) => failure.with_request(http::Request::from_parts(parts, body)),
                    None => failure,
                }
            }
            Sending::Dead(error) | Sending::Protocol(error) => {
                self.failure(Stage::Head, Cause::UpstreamProtocol, &error)
            }
            Sending::Timeout => {
                let detail = format!("no answer within {:?}", self.timeouts.head);
                self.failure(Stage::Head, Cause::UpstreamTimeout, &detail)
            }
        }
    }

    fn failure(&self, stage: Stage, cause: Cause, detail: &str) -> Failure {
        let detail = format!("upstream `{}` at {}://{}: {detail}", self.name, self.scheme, self.authority);
        Failure::new(stage, Blame::Upstream, cause, detail)
    }
}

/// Why sending failed.
enum Sending {
    /// No connection: nothing was sent.
    Connect(String),
    /// The connection was closed before an answer began.
    Dead(String),
    Protocol(String),
    Timeout,
}

impl From<Error> for Sending {
    fn from(error: Error) -> Self {
        let text = chain(&error);
        let hyper = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<hyper::Error>());
        let dead = hyper.is_some_and(|hyper| hyper.is_incomplete_message() || hyper.is_canceled() || was_reset(hyper));
        match (error.is_connect(), dead) {
            (true, _) => Self::Connect(text),
            (false, true) => Self::Dead(text),
            (false, false) => Self::Protocol(text),
        }
    }
}

fn was_reset(error: &hyper::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
    let io = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    io.is_some_and(|io| matches!(io.kind(), ConnectionReset | BrokenPipe))
}

/// A client whose connections belong to the runtime that first uses it.
///
/// # Errors
/// When TLS can't be set up.
pub fn client(connect: Duration) -> Result<Client, rustls::Error> {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(KEEPALIVE));
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(connect));
    let provider = rustls::crypto::ring::default_provider();
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(provider)?
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    builder
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(256);
    Ok(builder.build(connector))
}
