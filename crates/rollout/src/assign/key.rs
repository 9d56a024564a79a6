//! The key of a request: what is the same for all requests of one user. Nothing here is a check of who somebody is.

use super::{Asked, KEY_COOKIE, cookies};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use coracle_manifest::rollout::KeySource;
use http::HeaderMap;
use http::header::AUTHORIZATION;

/// Longer keys are no keys.
const LONGEST: usize = 1024;
/// Longer tokens aren't looked into.
const LONGEST_TOKEN: usize = 8 * 1024;

/// The key of the first source that has one.
pub fn find(sources: &[KeySource], asked: &Asked<'_>) -> Option<String> {
    let one = |source: &KeySource| match source {
        KeySource::Header(name) => asked.headers.get(name)?.to_str().ok().map(str::to_owned),
        KeySource::Claim(name) => claim(asked.headers, name),
        KeySource::Cookie => cookies::find(asked.headers, KEY_COOKIE),
        KeySource::Address => Some(asked.client.to_canonical().to_string()),
    };
    sources.iter().filter_map(one).find(|key| !key.is_empty() && key.len() <= LONGEST)
}

/// A claim of the bearer token (RFC 7519), not verified.
fn claim(headers: &HeaderMap, name: &str) -> Option<String> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.len() > LONGEST_TOKEN {
        return None;
    }
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?.trim_end_matches('=')).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&payload).ok()?;
    match claims.get(name)? {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
