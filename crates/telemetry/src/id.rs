//! Ids: of requests (`x-request-id`), of traces and of spans. The first two have one shape, 128 bits as 32 hex digits, so that a
//! request that begins a trace gives it its own id. Span ids of a request are counted off from it, not drawn: no hot path asks for
//! randomness twice.

use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};
use std::str::FromStr;

/// Identifies one request in responses (`x-request-id`), logs and records.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u128);

/// Identifies a trace: all that happens for one cause, across processes. Never zero (W3C Trace Context).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(NonZeroU128);

/// Identifies a span within its trace. Never zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(NonZeroU64);

/// Not an id: wrong length, no hex digits, or zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id: an id has 32 (trace, request) or 16 (span) hex digits and is not zero")]
pub struct NoId;

impl TraceId {
    /// `None` for zero.
    #[must_use]
    pub fn new(id: u128) -> Option<Self> {
        NonZeroU128::new(id).map(Self)
    }

    /// The trace that a request begins.
    #[must_use]
    pub fn of(request: RequestId) -> Self {
        Self(NonZeroU128::new(request.0).unwrap_or(NonZeroU128::MIN))
    }

    #[must_use]
    pub fn get(self) -> u128 {
        self.0.get()
    }
}

impl SpanId {
    /// `None` for zero.
    #[must_use]
    pub fn new(id: u64) -> Option<Self> {
        NonZeroU64::new(id).map(Self)
    }

    /// The `n`th span of a request; 0 is the server span. Different for all `n` of a request: the mixing is a bijection.
    #[must_use]
    pub fn nth(request: RequestId, n: u32) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "the two halves are folded on purpose")]
        let seed = (request.0 as u64) ^ ((request.0 >> 64) as u64).rotate_left(32);
        Self(NonZeroU64::new(mix(seed.wrapping_add(u64::from(n)))).unwrap_or(NonZeroU64::MIN))
    }

    #[must_use]
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014).
fn mix(n: u64) -> u64 {
    let n = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ (n >> 31)
}

impl FromStr for RequestId {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        hex(text, 32).map(Self)
    }
}

impl FromStr for TraceId {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        Self::new(hex(text, 32)?).ok_or(NoId)
    }
}

impl FromStr for SpanId {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        u64::try_from(hex(text, 16)?).ok().and_then(Self::new).ok_or(NoId)
    }
}

fn hex(text: &str, digits: usize) -> Result<u128, NoId> {
    // `from_str_radix` would take a sign.
    let hex = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hex { u128::from_str_radix(text, 16).map_err(|_| NoId) } else { Err(NoId) }
}

macro_rules! shown {
    ($($id:ident $format:literal),*) => {$(
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, $format, self.0)
            }
        }

        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl serde::Serialize for $id {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}

shown!(RequestId "{:032x}", TraceId "{:032x}", SpanId "{:016x}");

#[cfg(test)]
mod tests {
    use super::{RequestId, SpanId, TraceId};
    use std::collections::HashSet;

    #[test]
    fn ids_are_read_as_they_are_printed() {
        let request = RequestId(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        assert_eq!(request.to_string().parse(), Ok(request));
        assert_eq!(request.to_string().parse(), Ok(TraceId::of(request)));
        let span = SpanId::nth(request, 3);
        assert_eq!(span.to_string().parse(), Ok(span));
        for bad in
            ["", "00", "00000000000000000000000000000000", "+af7651916cd43dd8448eb211c80319c", "0000000000000000"]
        {
            assert!(bad.parse::<TraceId>().is_err() && bad.parse::<SpanId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn spans_of_a_request_differ() {
        let ids: HashSet<SpanId> = (0..10_000).map(|n| SpanId::nth(RequestId(7), n)).collect();
        assert_eq!(ids.len(), 10_000);
    }
}
