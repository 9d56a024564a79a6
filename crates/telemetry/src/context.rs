//! Where a request stands in its trace, as the W3C headers say it: `traceparent` and `tracestate` (Trace Context, level 2) and
//! `baggage`. What is malformed counts as absent, as the standard asks.

use crate::id::{SpanId, TraceId};
use http::{HeaderMap, HeaderName, HeaderValue};

pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
pub const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// Longer states are dropped, as the standard allows beyond 512 bytes.
const MAX_STATE: usize = 512;
/// Members of a state (Trace Context, 3.3.1.1).
const MAX_STATE_MEMBERS: usize = 32;
/// Limits of the baggage standard: members and bytes that have to be passed on.
const MAX_BAGGAGE_MEMBERS: usize = 64;
const MAX_BAGGAGE: usize = 8192;

/// What a `traceparent` says: the caller's span, and whether the caller keeps its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    pub trace: TraceId,
    pub span: SpanId,
    pub sampled: bool,
}

impl Parent {
    /// Reads a `traceparent`: `00-<trace>-<span>-<flags>`. A later version may have more after the flags.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let lower = |text: &str| !text.bytes().any(|byte| byte.is_ascii_uppercase());
        let mut parts = header.trim_matches([' ', '\t']).split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let hex = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let more = parts.next().is_some();
        if !hex(version) || !hex(flags) || version == "ff" || (version == "00" && more) || !lower(header) {
            return None;
        }
        let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
        Some(Self { trace: trace.parse().ok()?, span: span.parse().ok()?, sampled })
    }

    /// The one parent that a request's headers name.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut all = headers.get_all(TRACEPARENT).iter();
        let one = all.next()?.to_str().ok()?;
        if all.next().is_some() { None } else { Self::parse(one) }
    }

    /// As a header's value.
    #[must_use]
    pub fn header(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }

    /// Sets it, with the state that belongs to the trace.
    pub fn set(&self, headers: &mut HeaderMap, state: Option<&str>) {
        if let Ok(value) = HeaderValue::from_str(&self.header()) {
            headers.insert(TRACEPARENT, value);
        }
        match state.and_then(|state| HeaderValue::from_str(state).ok()) {
            Some(state) => headers.insert(TRACESTATE, state),
            None => headers.remove(TRACESTATE),
        };
    }
}

/// The `tracestate` of a request, its lines joined; only of use beside a valid parent. `None` also when it is malformed.
#[must_use]
pub fn state(headers: &HeaderMap) -> Option<Box<str>> {
    let mut members: Vec<&str> = Vec::new();
    for line in headers.get_all(TRACESTATE) {
        members.extend(line.to_str().ok()?.split(',').map(str::trim).filter(|member| !member.is_empty()));
    }
    let keys: Vec<&str> = members.iter().map(|member| member.split('=').next().unwrap_or_default()).collect();
    let twice = keys.iter().enumerate().any(|(at, key)| keys.iter().skip(at + 1).any(|other| other == key));
    let well_formed = members.iter().all(|member| is_state_member(member));
    let text = members.join(",");
    let fits = !members.is_empty() && members.len() <= MAX_STATE_MEMBERS && text.len() <= MAX_STATE;
    (fits && well_formed && !twice).then(|| text.into_boxed_str())
}

fn is_state_member(member: &str) -> bool {
    let Some((key, value)) = member.split_once('=') else { return false };
    let key_char = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(&byte);
    let begins = key.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let value_char = |byte: u8| (0x20..=0x7e).contains(&byte) && byte != b'=';
    begins
        && key.len() <= 256
        && key.bytes().all(key_char)
        && (1..=256).contains(&value.len())
        && value.bytes().all(value_char)
}

/// The `baggage` of a request as it may be passed on: within the standard's limits, members that don't fit left out. Values are never
/// looked into, logged or shown: what they hold is the sender's.
#[must_use]
pub fn baggage(headers: &HeaderMap) -> Option<String> {
    let mut kept = String::new();
    let lines = headers.get_all(BAGGAGE).iter().filter_map(|line| line.to_str().ok());
    let members = lines.flat_map(|line| line.split(',')).map(str::trim).filter(|member| is_baggage_member(member));
    for member in members.take(MAX_BAGGAGE_MEMBERS) {
        let comma = usize::from(!kept.is_empty());
        if kept.len() + comma + member.len() > MAX_BAGGAGE {
            continue;
        }
        if comma == 1 {
            kept.push(',');
        }
        kept.push_str(member);
    }
    (!kept.is_empty()).then_some(kept)
}

fn is_baggage_member(member: &str) -> bool {
    let Some((key, value)) = member.split_once('=') else { return false };
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let key = key.trim_end();
    !key.is_empty()
        && key.bytes().all(token)
        && value.bytes().all(|byte| (0x20..=0x7e).contains(&byte) || byte == b'\t')
}

#[cfg(test)]
mod tests {
    use super::{BAGGAGE, Parent, TRACEPARENT, TRACESTATE, baggage, state};
    use http::{HeaderMap, HeaderValue};

    fn headers(name: http::HeaderName, lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(&name, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    #[test]
    fn traceparent() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let parent = Parent::parse(good).unwrap();
        assert!(parent.sampled);
        assert_eq!(parent.header(), good);
        let check = |header: &str, expected: Option<bool>| {
            assert_eq!(Parent::parse(header).map(|parent| parent.sampled), expected, "{header}");
        };
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", Some(false));
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03", Some(true));
        check("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-later", Some(true));
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-later", None);
        check("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None);
        check("00-00000000000000000000000000000000-b7ad6b7169203331-01", None);
        check("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", None);
        check("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", None);
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1", None);
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", None);
        check("", None);
        assert_eq!(Parent::of(&headers(TRACEPARENT, &[good])), Some(parent));
        assert_eq!(Parent::of(&headers(TRACEPARENT, &[good, good])), None);
    }

    #[test]
    fn tracestate() {
        let check = |lines: &[&str], expected: Option<&str>| {
            assert_eq!(state(&headers(TRACESTATE, lines)).as_deref(), expected, "{lines:?}");
        };
        check(&["a=1, b=2", "c=3"], Some("a=1,b=2,c=3"));
        check(&["tenant@vendor=x y"], Some("tenant@vendor=x y"));
        check(&["a=1,a=2"], None);
        check(&["A=1"], None);
        check(&["a"], None);
        check(&[""], None);
        check(&[&format!("a={}", "x".repeat(600))], None);
    }

    #[test]
    fn baggage_is_kept_within_its_limits() {
        let check = |lines: &[&str], expected: Option<&str>| {
            assert_eq!(baggage(&headers(BAGGAGE, lines)).as_deref(), expected, "{lines:?}");
        };
        check(&["user=7;p=1 , b = 2", "nonsense,c=%20"], Some("user=7;p=1,b = 2,c=%20"));
        check(&["(x)=1"], None);
        let many: Vec<String> = (0..100).map(|n| format!("k{n}=1")).collect();
        assert_eq!(baggage(&headers(BAGGAGE, &[&many.join(",")])).unwrap().split(',').count(), 64);
        let long = format!("a=1,b={},c=3", "x".repeat(9000));
        check(&[&long], Some("a=1,c=3"));
    }
}
