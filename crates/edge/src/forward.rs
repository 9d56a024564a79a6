//! The headers of a request and response that pass through us: pure functions, after RFC 9110 §7.6 and RFC 7239.
//!
//! What a client says about where it comes from is replaced, not extended: whoever stands behind us may believe it.

use http::header::{CONNECTION, COOKIE, FORWARDED, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::uri::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// Who sent a request, as far as we know for sure.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The client: the other end of the connection, or whom a balancer that we trust named.
    pub addr: SocketAddr,
    /// `http` or `https`.
    pub scheme: Scheme,
    /// The client's certificate as `Client-Cert` has it (RFC 9440).
    pub certificate: Option<HeaderValue>,
}

impl Peer {
    /// Who sent this request, if the connection comes from a balancer that we trust: the last address in `X-Forwarded-For` that is
    /// none of those balancers, and what `X-Forwarded-Proto` says.
    pub fn behind(&self, trusted: &[IpNet], headers: &HeaderMap) -> Self {
        let is_trusted = |ip: IpAddr| trusted.iter().any(|network| network.contains(&ip.to_canonical()));
        if trusted.is_empty() || !is_trusted(self.addr.ip()) {
            return self.clone();
        }
        let text = |value: &'_ HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let chain: Vec<String> = headers.get_all(X_FORWARDED_FOR).iter().map(text).collect();
        let mut peer = self.clone();
        for hop in chain.join(",").rsplit(',').map(str::trim) {
            // What is no address ends the chain: nobody can vouch for what stands before it.
            let Some(addr) = hop.parse().map(|ip: IpAddr| SocketAddr::new(ip, 0)).or_else(|_| hop.parse()).ok() else {
                break;
            };
            peer.addr = addr;
            if !is_trusted(addr.ip()) {
                break;
            }
        }
        match headers.get(X_FORWARDED_PROTO).map(HeaderValue::as_bytes) {
            Some(b"https") => peer.scheme = Scheme::HTTPS,
            Some(b"http") => peer.scheme = Scheme::HTTP,
            _ => {}
        }
        peer
    }
}

/// Headers that belong to one connection, besides those that `Connection` names.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authorization"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");

/// The protocol to change to, when that is asked or answered properly (HTTP/1.1, `Connection: upgrade`) and it is `websocket`.
/// Any other is none of ours to pass: through a tunnel of `h2c` a client would send requests that nobody here routes.
pub fn upgrade(version: Version, headers: &HeaderMap) -> Option<HeaderValue> {
    let named = || connection_options(headers).any(|option| option.eq_ignore_ascii_case("upgrade"));
    let mut protocols = headers.get_all(UPGRADE).iter();
    let (Some(protocol), None) = (protocols.next(), protocols.next()) else { return None };
    let passes = version == Version::HTTP_11 && protocol.as_bytes().eq_ignore_ascii_case(b"websocket") && named();
    passes.then(|| protocol.clone())
}

/// Takes away what belongs to the connection it came over.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = connection_options(headers).filter_map(|option| option.parse().ok()).collect();
    // `Connection: close, host` must not be able to take away what every hop needs.
    for name in named.iter().filter(|name| **name != HOST && **name != TRAILER) {
        headers.remove(name);
    }
    let trailers =
        headers.get(TE).is_some_and(|te| te.as_bytes().to_ascii_lowercase().windows(8).any(|word| word == b"trailers"));
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// Says that the next hop should change protocols too.
pub fn ask_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

/// Says who asked, for what host and over what, in both common spellings.
pub fn identify(headers: &mut HeaderMap, peer: &Peer, host: &HeaderValue) {
    headers.remove(X_FORWARDED_PORT);
    headers.remove(X_REAL_IP);
    headers.remove(CLIENT_CERT_CHAIN);
    headers.remove(CLIENT_CERT);
    if let Some(certificate) = &peer.certificate {
        headers.insert(CLIENT_CERT, certificate.clone());
    }
    let scheme = if peer.scheme == Scheme::HTTPS { "https" } else { "http" };
    let scheme = HeaderValue::from_static(scheme);
    let ip = peer.addr.ip().to_canonical();
    let node = if ip.is_ipv6() { format!("\"[{ip}]\"") } else { ip.to_string() };
    let host_text = host.to_str().unwrap_or_default();
    let forwarded = format!("for={node};host=\"{host_text}\";proto={}", peer.scheme);
    // An authority was parsed out of `host`, so that it holds neither quotes nor control characters.
    if let Ok(value) = HeaderValue::from_str(&forwarded) {
        headers.insert(FORWARDED, value);
    }
    if let Ok(value) = HeaderValue::from_str(&ip.to_string()) {
        headers.insert(X_FORWARDED_FOR, value);
    }
    headers.insert(X_FORWARDED_HOST, host.clone());
    headers.insert(X_FORWARDED_PROTO, scheme);
}

/// HTTP/2 may split cookies over several headers; HTTP/1.1 has one (RFC 9113 §8.2.3).
pub fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let joined = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect::<Vec<_>>().join(&b"; "[..]);
    if let Ok(value) = HeaderValue::from_bytes(&joined) {
        headers.insert(COOKIE, value);
    }
}

/// True when sending the request a second time does no harm (RFC 9110 §9.2.2), its body aside.
pub fn is_idempotent(method: &Method) -> bool {
    method.is_idempotent()
}

/// Bytes of the headers as a client sends them: names, values, separators.
pub fn header_bytes(headers: &HeaderMap) -> u64 {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    bytes as u64
}

fn connection_options(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}
