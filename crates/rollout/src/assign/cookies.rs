//! Cookies (RFC 6265) and the query, as far as assigning takes them. Over TLS a cookie's name begins with `__Host-`, so that no
//! other host of the domain can set it.

use http::HeaderMap;
use http::header::COOKIE;
use std::time::Duration;

const HOST: &str = "__Host-";

/// The value of a cookie of ours, under either name.
pub fn find(headers: &HeaderMap, name: &str) -> Option<String> {
    let pairs =
        headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    let mut plain = None;
    for (key, value) in pairs.filter_map(|pair| pair.trim().split_once('=')) {
        if key.strip_prefix(HOST) == Some(name) {
            return Some(value.to_owned());
        }
        if key == name && plain.is_none() {
            plain = Some(value.to_owned());
        }
    }
    plain
}

/// The value for `Set-Cookie`.
pub fn set(name: &str, value: &str, age: Duration, secure: bool) -> String {
    let (prefix, flag) = if secure { (HOST, "; Secure") } else { ("", "") };
    format!("{prefix}{name}={value}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{flag}", age.as_secs())
}

/// The value of a key of a query. Labels need no percent encoding but for the `@`.
pub fn query(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value.replace("%40", "@"))
}
