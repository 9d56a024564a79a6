//! One request, from its head to its response, without back and forth:
//! admit → route → plan → run (→ fall back) → respond; the record fires by itself (`record.rs`). A route in a rollout has two
//! versions: which one is part of the plan, and how it went goes with the record (`rollout/`).
//!
//! It can't fail: whatever goes wrong becomes a response in `respond`.

use crate::call::{Answer, Call};
use crate::destination::Destination;
use crate::fits::check_limits;
use crate::forward::{self, Peer};
use crate::links::{self, End};
use crate::loaded::Route;
use crate::record::{Armed, From, Head, Sink};
use crate::respond::{self, Refusal};
use crate::rollout::{Chosen, Observed, Shadow};
use crate::running::Running;
use crate::state::AppState;
use crate::tunnel::Place;
use coracle_host::{BodyError, Failure, Request, Response};
use coracle_rollout::version::Arm;
use coracle_telemetry::{Blame, RequestId};
use http::header::HOST;
use http::uri::Authority;
use http::{HeaderValue, Method, Uri, Version};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// What a request needs to know of the connection it came over.
#[derive(Clone)]
pub struct Connection {
    pub peer: Peer,
    /// Our end, for requests of HTTP/1.0 that name no host.
    pub local: SocketAddr,
    /// Balancers that may name the client.
    pub trusted: Arc<[IpNet]>,
    pub shard: usize,
    pub sink: Arc<Sink>,
    /// What it takes of the connections we may have; a tunnel keeps it.
    pub place: Place,
    pub running: Running,
}

/// What one request is going to do: where it goes first, and where if that can't answer.
pub struct Plan<'a> {
    pub first: &'a Destination,
    pub fallback: Option<&'a Destination>,
    /// Which version, and why, where there are two.
    pub chosen: Option<Chosen>,
}

/// Answers one request.
pub async fn serve(state: Arc<AppState>, connection: Connection, request: http::Request<Incoming>) -> Response {
    let id = RequestId(rand::random());
    let host = authority(&request, connection.local);
    let head = Head {
        method: request.method().clone(),
        host: host.as_ref().map(|host| host.host().to_ascii_lowercase()).unwrap_or_default(),
        path: request.uri().path().to_owned(),
    };
    let from =
        From { sink: Arc::clone(&connection.sink), state: Arc::clone(&state), running: connection.running.one() };
    let mut record = Armed::new(id, head, request.headers(), from);
    let answer = match host.and_then(|host| admit(request, host, &connection, &record)) {
        Ok(request) => answer(&state, &connection, request, &mut record).await,
        Err(refusal) => Ok(Answer::Refused(refusal)),
    };
    let mut response = match answer {
        Ok(Answer::Response(response)) => response,
        Ok(Answer::Refused(refusal)) => respond::refused(&refusal, id),
        Err(failure) => {
            tell(&failure, id);
            record.failed(&failure);
            respond::failed(&failure, id)
        }
    };
    record.tag(&mut response);
    record.follow(response)
}

/// Where a request goes. Without a rollout that is what the route says.
fn plan<'a>(route: &'a Route, request: &Request) -> Plan<'a> {
    let Some(steered) = &route.steered else {
        return Plan { first: &route.first, fallback: route.fallback.as_ref(), chosen: None };
    };
    let chosen = steered.choose(request, client(request));
    let arm = chosen.choice.arm;
    // The old version stands by for the new one, whatever else the route names.
    let fallback = match arm {
        Arm::New => Some(&steered.old),
        Arm::Old => route.fallback.as_ref().filter(|fallback| !fallback.is_same(&steered.old)),
    };
    Plan { first: steered.destination(arm), fallback, chosen: Some(chosen) }
}

/// Routes, plans and runs.
async fn answer(
    state: &AppState,
    connection: &Connection,
    request: Request,
    record: &mut Armed,
) -> Result<Answer, Failure> {
    let host = request.uri().host().unwrap_or_default();
    let route = match state.route(host, request.method(), request.uri().path()) {
        Ok(route) => route,
        Err(refusal) => return Ok(Answer::Refused(refusal)),
    };
    if let Some(Err(wait)) = route.rate.as_ref().map(|rate| rate.admit(client(&request), request.headers())) {
        return Ok(Answer::Refused(Refusal::TooMany(wait)));
    }
    let Plan { first, fallback, chosen } = plan(route, &request);
    record.routed(&route.pattern, first.name());
    let mut shadow = None;
    if let (Some(chosen), Some(steered)) = (chosen, &route.steered) {
        if chosen.choice.arm == Arm::Old && route.middleware.is_empty() {
            shadow = Shadow::of(steered, &request, (connection.shard, &connection.place));
        }
        record.observe(Observed::new(Arc::clone(steered), chosen, connection.shard));
    }
    if !route.middleware.is_empty() {
        let end = End { first: first.clone(), fallback: fallback.cloned() };
        let (meter, place) = (record.meter(), Arc::clone(&connection.place));
        let call = Call { request, id: record.id(), meter, keep: false, depth: 0, shard: connection.shard, place };
        let (answer, told) = Box::pin(links::call(&route.middleware, end, call)).await;
        if let Some((to, failure)) = told.fell_back {
            record.observed_failure(&failure);
            record.fell_back(to, failure);
        }
        if let Err(failure) = &answer {
            record.observed_failure(failure);
        }
        return answer;
    }
    check_limits(first, &request)?;
    let keep = fallback.is_some();
    let call = |request: Request, keep: bool, record: &Armed| Call {
        request,
        id: record.id(),
        meter: record.meter(),
        keep,
        depth: 0,
        shard: connection.shard,
        place: Arc::clone(&connection.place),
    };
    let mut failure = match first.call(call(request, keep, record)).await {
        Ok(Answer::Response(response)) => return Ok(Answer::Response(shadowed(response, shadow))),
        Ok(refused @ Answer::Refused(_)) => return Ok(refused),
        Err(failure) => failure,
    };
    record.observed_failure(&failure);
    match (fallback, failure.request.take()) {
        (Some(fallback), Some(request)) if !is_the_clients(&failure) && may_retry(route) => {
            tell(&failure, record.id());
            record.fell_back(fallback.name(), failure);
            check_limits(fallback, &request)?;
            fallback.call(call(*request, false, record)).await
        }
        _ => Err(failure),
    }
}

/// The client's address, as `identify` has written it.
fn client(request: &Request) -> IpAddr {
    let written = request.headers().get("x-forwarded-for").and_then(|value| value.to_str().ok()?.parse().ok());
    written.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED))
}

fn shadowed(response: Response, shadow: Option<Shadow>) -> Response {
    match shadow {
        Some(shadow) => shadow.follow(response),
        None => response,
    }
}

/// Retries are a share of the requests: a version that fails everything must not double the load on the other one.
fn may_retry(route: &Route) -> bool {
    route.steered.as_ref().is_none_or(|steered| steered.may_retry())
}

/// A request that another destination could not answer either.
fn is_the_clients(failure: &Failure) -> bool {
    failure.blame == Blame::Client
}

/// Makes the address absolute, so that a guest sees scheme and host, and the body one of ours; replaces what the request says
/// about its sender, so that whoever answers may believe it.
fn admit(
    request: http::Request<Incoming>,
    authority: Authority,
    connection: &Connection,
    record: &Armed,
) -> Result<Request, Refusal> {
    if request.method() == Method::CONNECT {
        return Err(Refusal::NotImplemented("this is no forward proxy"));
    }
    let (mut parts, body) = request.into_parts();
    let host =
        HeaderValue::from_str(authority.as_str()).map_err(|_| Refusal::BadRequest("the Host header is no host"))?;
    let peer = connection.peer.behind(&connection.trusted, &parts.headers);
    let upgrade = forward::upgrade(parts.version, &parts.headers);
    // What a client's `Connection` names goes before ours is set, so that it can't name what we say of it.
    forward::strip_hop_by_hop(&mut parts.headers);
    match upgrade {
        Some(protocol) => forward::ask_upgrade(&mut parts.headers, protocol),
        None => drop(parts.extensions.remove::<OnUpgrade>()),
    }
    forward::identify(&mut parts.headers, &peer, &host);
    let unresolved = parts.uri.path().contains('\\') || parts.uri.path().split('/').any(is_dots);
    let mut uri = parts.uri.into_parts();
    if !uri.path_and_query.as_ref().is_some_and(|path| path.as_str().starts_with('/')) {
        return Err(Refusal::BadRequest("the request's target is no path"));
    }
    if unresolved {
        return Err(Refusal::BadRequest("the path has a `.` or `..` segment or a backslash; send it resolved"));
    }
    uri.scheme = Some(peer.scheme);
    uri.authority = Some(authority);
    parts.uri = Uri::from_parts(uri).map_err(|_| Refusal::BadRequest("the request's target is no address"))?;
    // Most requests have none: nothing to count, and nothing to wrap.
    let body = if http_body::Body::is_end_stream(&body) {
        coracle_host::empty()
    } else {
        record.count_in(body.map_err(BodyError::from).boxed_unsync())
    };
    Ok(Request::from_parts(parts, body))
}

/// A segment that servers resolve: the path would then be another one than the one that was routed.
fn is_dots(segment: &str) -> bool {
    let may_be = segment.len() <= "%2e%2e".len() && segment.starts_with(['.', '%']);
    may_be && matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}

/// The host asked for: of an absolute target, else of the one `Host` header (RFC 9112 §3.2).
fn authority(request: &http::Request<Incoming>, local: SocketAddr) -> Result<Authority, Refusal> {
    let hosts = request.headers().get_all(HOST);
    if hosts.iter().nth(1).is_some() {
        return Err(Refusal::BadRequest("the request has more than one Host header"));
    }
    let bad = Refusal::BadRequest("the Host header is no host");
    let authority = match (request.uri().authority(), hosts.iter().next()) {
        (Some(authority), _) => authority.clone(),
        (None, Some(host)) => Authority::try_from(host.as_bytes()).map_err(|_| bad.clone())?,
        (None, None) if request.version() < Version::HTTP_11 => {
            Authority::try_from(local.to_string()).map_err(|_| bad.clone())?
        }
        (None, None) => return Err(Refusal::BadRequest("the request has no Host header")),
    };
    let plain = !authority.as_str().contains(['@', '"', '\\']) && !authority.host().is_empty();
    if plain { Ok(authority) } else { Err(bad) }
}

/// The failure's detail, for the log alone.
fn tell(failure: &Failure, id: RequestId) {
    let Failure { stage, blame, cause, detail, .. } = failure;
    match blame {
        Blame::Client => tracing::debug!(request = %id, ?stage, ?blame, ?cause, "{detail}"),
        Blame::Guest | Blame::Collateral | Blame::Limit | Blame::Upstream => {
            tracing::warn!(request = %id, ?stage, ?blame, ?cause, "{detail}");
        }
        Blame::Host => tracing::error!(request = %id, ?stage, ?blame, ?cause, "{detail}"),
    }
}
