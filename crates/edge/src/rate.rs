//! How many requests a route takes from one client: the generic cell rate algorithm, by the client's address or by a header that
//! names it. An IPv6 client counts by its /64, which one subscriber has whole. All shards count together.

use coracle_manifest::{RateKey, RateLimit};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use http::{HeaderMap, HeaderName};
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

type Limiter = RateLimiter<Key, DashMapStateStore<Key>, DefaultClock, NoOpMiddleware>;

/// The limit of one route.
pub struct Rate {
    limiter: Limiter,
    by: Option<HeaderName>,
    /// Requests since those who have been quiet were last forgotten.
    seen: AtomicU64,
}

/// Whose requests count together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Address(IpAddr),
    /// Of the header's value: values are clients' choice, and may be long.
    Named(u64),
}

/// After so many requests those who have been quiet are forgotten, so that addresses don't add up.
const SWEEP: u64 = 16 * 1024;

impl Rate {
    /// `None` when the limit allows nothing at all, which no manifest says.
    pub fn new(limit: &RateLimit) -> Option<Self> {
        let quota = Quota::with_period(limit.per / limit.requests.max(1))?.allow_burst(NonZeroU32::new(limit.burst)?);
        let by = match &limit.by {
            RateKey::Client => None,
            RateKey::Header(name) => Some(name.parse().ok()?),
        };
        Some(Self { limiter: RateLimiter::dashmap(quota), by, seen: AtomicU64::new(0) })
    }

    /// Counts a request.
    ///
    /// # Errors
    /// When it is one too many, with how long to wait.
    pub fn admit(&self, client: IpAddr, headers: &HeaderMap) -> Result<(), Duration> {
        if self.seen.fetch_add(1, Relaxed) % SWEEP == SWEEP - 1 {
            self.limiter.retain_recent();
        }
        let key = self.key(client, headers);
        self.limiter.check_key(&key).map_err(|not_yet| not_yet.wait_time_from(DefaultClock::default().now()))
    }

    fn key(&self, client: IpAddr, headers: &HeaderMap) -> Key {
        use std::hash::BuildHasher as _;
        let named = self.by.as_ref().and_then(|name| headers.get(name));
        match (named, client.to_canonical()) {
            (Some(value), _) => Key::Named(self.hasher().hash_one(value.as_bytes())),
            // Who does not say who he is counts by his address.
            (None, IpAddr::V6(v6)) => Key::Address(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into()),
            (None, v4) => Key::Address(v4),
        }
    }

    /// Keyed by chance, so that nobody can choose a value that counts as another's.
    fn hasher(&self) -> std::hash::RandomState {
        static STATE: std::sync::LazyLock<std::hash::RandomState> = std::sync::LazyLock::new(Default::default);
        STATE.clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Rate;
    use coracle_manifest::{RateKey, RateLimit};
    use http::HeaderMap;
    use std::time::Duration;

    fn limited(by: RateKey) -> Rate {
        Rate::new(&RateLimit { requests: 10, per: Duration::from_secs(60), burst: 2, by }).unwrap()
    }

    fn named(name: &str) -> HeaderMap {
        [("x-api-key".parse().unwrap(), name.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn each_client_has_its_own_count() {
        let rate = limited(RateKey::Client);
        let none = HeaderMap::new();
        let ask = |client: &str| rate.admit(client.parse().unwrap(), &none).is_ok();
        assert_eq!(
            [ask("10.0.0.1"), ask("::ffff:10.0.0.1"), ask("10.0.0.1"), ask("10.0.0.2")],
            [true, true, false, true]
        );
        // One subscriber's network.
        assert_eq!(
            [ask("2001:db8::1"), ask("2001:db8::2"), ask("2001:db8::3"), ask("2001:db8:0:1::1")],
            [true, true, false, true]
        );
        let wait = rate.admit("10.0.0.1".parse().unwrap(), &none).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(6), "{wait:?}");
    }

    #[test]
    fn a_header_may_name_the_client() {
        let rate = limited(RateKey::Header("x-api-key".to_owned()));
        let ask = |name: &str| rate.admit("10.0.0.1".parse().unwrap(), &named(name)).is_ok();
        assert_eq!([ask("a"), ask("a"), ask("a"), ask("b")], [true, true, false, true]);
        let unnamed = || rate.admit("10.0.0.1".parse().unwrap(), &HeaderMap::new()).is_ok();
        assert_eq!([unnamed(), unnamed(), unnamed()], [true, true, false]);
    }
}
