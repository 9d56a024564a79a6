//! `Coracle-Version-Override: price="new"`: a tester, or a smoke test at 0 %, asks for one version. A dictionary of RFC 8941 by
//! the name of what a route leads to; the value is "old", "new", a label, or the first digits of a digest.
//!
//! Where a secret is set, an override counts only when it is signed: `price="new";exp=1790000000;sig=:…:`, with the HMAC-SHA256 of
//! `price="new";exp=1790000000`. Without one everybody may choose, which is what one wants before there is anything to hide.

use super::{OVERRIDE, Split};
use crate::version::Arm;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use http::HeaderMap;
use sfv::{Dictionary, Item, ListEntry, Parser, StringRef, TokenRef};
use sha2::Sha256;
use std::time::SystemTime;

/// An override as it is signed.
#[derive(Debug, Clone, Copy)]
pub struct Override<'a> {
    /// The component or upstream that the route leads to.
    pub name: &'a str,
    pub version: &'a str,
    /// Seconds since 1970.
    pub until: i64,
}

/// The version that the request asks for, if it may.
pub fn find(split: &Split, headers: &HeaderMap, now: SystemTime) -> Option<Arm> {
    let mut values = headers.get_all(OVERRIDE).iter().peekable();
    values.peek()?;
    // Several lines are one dictionary (RFC 8941 §4.2).
    let joined = values.map(|value| value.as_bytes()).collect::<Vec<_>>().join(&b", "[..]);
    let dictionary: Dictionary = Parser::new(&joined).parse().ok()?;
    let ListEntry::Item(item) = dictionary.get(split.new.name())? else { return None };
    let version = text(item)?;
    if let Some(secret) = &split.secret {
        let until = item.params.get("exp")?.as_integer()?.into();
        let seconds = now.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        if until < i64::try_from(seconds).ok()? {
            return None;
        }
        let signed = mac(secret, Override { name: split.new.name(), version, until });
        signed?.verify_slice(item.params.get("sig")?.as_byte_sequence()?).ok()?;
    }
    split.arm(version)
}

/// The header's value for an override, signed.
pub fn sign(secret: &[u8], what: Override<'_>) -> Option<String> {
    let signature = STANDARD.encode(mac(secret, what)?.finalize().into_bytes());
    Some(format!("{};sig=:{signature}:", signed_part(what)))
}

fn signed_part(Override { name, version, until }: Override<'_>) -> String {
    format!("{name}=\"{version}\";exp={until}")
}

fn mac(secret: &[u8], what: Override<'_>) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(signed_part(what).as_bytes());
    Some(mac)
}

fn text(item: &Item) -> Option<&str> {
    let string = item.bare_item.as_string().map(StringRef::as_str);
    string.or_else(|| item.bare_item.as_token().map(TokenRef::as_str))
}
