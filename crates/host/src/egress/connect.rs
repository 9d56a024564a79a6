//! Connects outbound requests. The addresses that are connected to are the ones that were checked: the check sits
//! between the resolver and the socket, so that a name can't point elsewhere a moment later (DNS rebinding).
//! Proxies named in the environment are not used.

use super::address::{is_loopback, is_private, is_public};
use super::rules::Reach;
use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tower_service::Service;

/// The longest that one attempt to connect may take, whatever a guest asks for: an attempt may outlive the request
/// that began it, for it then fills the pool.
const LONGEST_CONNECT: Duration = Duration::from_secs(60);

/// The address is not one that the request may reach.
#[derive(Debug, thiserror::Error)]
#[error("the address {0} is not public and no rule names it")]
pub(super) struct Prohibited(IpAddr);

/// The name could not be resolved.
#[derive(Debug, thiserror::Error)]
#[error("the host name could not be resolved")]
pub(super) struct Unresolved(#[source] io::Error);

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type BoxFuture<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Opens TCP connections within a reach.
#[derive(Clone)]
pub(super) struct Connector {
    tcp: HttpConnector<Resolver>,
    reach: Reach,
}

impl Connector {
    pub(super) fn new(reach: Reach) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Resolver { reach });
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(LONGEST_CONNECT));
        Self { tcp, reach }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = BoxFuture<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        // The library doesn't ask the resolver about addresses.
        if self.reach == Reach::Public
            && let Some(ip) = literal(&uri)
            && !is_public(ip)
        {
            return Box::pin(std::future::ready(Err(Prohibited(ip).into())));
        }
        let connection = self.tcp.call(uri);
        Box::pin(async move { connection.await.map_err(Into::into) })
    }
}

/// The host, if it is written as an address.
pub(super) fn literal(uri: &Uri) -> Option<IpAddr> {
    uri.host()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Resolves names and lets only permitted addresses through.
#[derive(Clone)]
struct Resolver {
    reach: Reach,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = BoxFuture<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let reach = self.reach;
        Box::pin(async move {
            // The connector sets the port.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(Unresolved)?;
            Ok(permitted(reach, name.as_str(), found)?.into_iter())
        })
    }
}

/// Those of the addresses that may be connected to, or the first one that may not.
fn permitted(reach: Reach, name: &str, found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, BoxError> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let permits = |ip: IpAddr| match reach {
        Reach::Public => is_public(ip),
        Reach::Named if name.eq_ignore_ascii_case("localhost") => is_loopback(ip),
        Reach::Named => is_public(ip) || is_private(ip),
    };
    let (permitted, prohibited): (Vec<_>, Vec<_>) = found.partition(|address| permits(address.ip()));
    match (permitted.is_empty(), prohibited.first()) {
        (true, Some(address)) => Err(Prohibited(address.ip()).into()),
        (true, None) => Err(Unresolved(io::ErrorKind::NotFound.into()).into()),
        (false, _) => Ok(permitted),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_resolved_name_reaches_only_what_was_meant() {
        let mixed = ["127.0.0.1:0", "10.0.0.1:0", "169.254.169.254:0", "1.1.1.1:0", "[fd00:ec2::254]:0"];
        let check = |reach, name: &str, expected: &[&str]| {
            let found = mixed.iter().map(|text| text.parse::<SocketAddr>().unwrap());
            let left: Vec<String> = permitted(reach, name, found).unwrap().iter().map(ToString::to_string).collect();
            assert_eq!(left, expected, "{reach:?} {name}");
        };
        check(Reach::Public, "rebinding.example", &["1.1.1.1:0"]);
        check(Reach::Named, "redis.internal", &["127.0.0.1:0", "10.0.0.1:0", "1.1.1.1:0"]);
        check(Reach::Named, "LocalHost.", &["127.0.0.1:0"]);
        let private = ["10.0.0.1:0".parse::<SocketAddr>().unwrap()];
        let error = permitted(Reach::Public, "x.example", private.into_iter()).unwrap_err();
        assert!(error.is::<Prohibited>(), "{error}");
        let error = permitted(Reach::Public, "x.example", std::iter::empty()).unwrap_err();
        assert!(error.is::<Unresolved>(), "{error}");
    }
}
