//! Which version answers a request: a pure function of the request's head, the rollout as it is, the clock and dice.
//!
//! ```text
//! override header ─▶ version of the page (header → query → cookie) ─▶ share: hash of the key < weight
//!   works at 0 %        while that version still answers                 key: header, claim → cookie → address
//! ```
//! The hash is salted with the rollout's id: nobody is always the first to get what is new. As weights grow, whoever is on
//! the new version stays on it. Both versions get the same cookies, so that neither leaks users to the other.

mod cookies;
mod key;
mod overrides;

pub use overrides::{Override, sign};

use crate::version::{Arm, Version};
use coracle_manifest::rollout::{KeySource, Share};
use http::HeaderMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};
use xxhash_rust::xxh3::Xxh3;

/// A version that a request asks for by name. Outranks everything.
pub const OVERRIDE: &str = "coracle-version-override";
/// The version that answered; in a request, the version that the page is of.
pub const VERSION: &str = "x-coracle-version";
/// The same in a query.
pub const VERSION_QUERY: &str = "coracle-version";
/// The same in a cookie.
pub const VERSION_COOKIE: &str = "coracle-version";
/// What keeps a user on one version.
pub const KEY_COOKIE: &str = "coracle-key";

/// A rollout as far as assigning takes it. Made anew at each change and shared by all threads.
#[derive(Debug, Clone)]
pub struct Split {
    /// The rollout's id: the salt.
    pub id: String,
    pub old: Version,
    pub new: Version,
    pub old_label: String,
    pub new_label: String,
    /// What the new version answers.
    pub share: Share,
    pub keys: Vec<KeySource>,
    /// True while a page of the new version is answered by it: it is serving, and wasn't taken back.
    pub new_is_live: bool,
    /// Until when a page of the old version is answered by it; `None` is "as long as the rollout runs".
    pub old_until: Option<SystemTime>,
    pub skew: Duration,
    /// With a secret, only signed overrides count.
    pub secret: Option<Vec<u8>>,
}

/// The head of a request, as far as assigning takes it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub headers: &'a HeaderMap,
    pub query: Option<&'a str>,
    pub client: IpAddr,
    pub secure: bool,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub arm: Arm,
    pub why: Reason,
    /// The hash of the key, for what is counted of each user.
    pub key: Option<u64>,
    /// Values for `Set-Cookie`.
    pub cookies: Vec<String>,
}

/// Why this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Override,
    /// The page is of this version.
    Page,
    /// Its key's hash.
    Share,
}

/// The version for a request. `dice` becomes the key of a client that has none.
pub fn choose(split: &Split, asked: &Asked<'_>, now: SystemTime, dice: u128) -> Choice {
    let key = key::find(&split.keys, asked);
    let fresh = (key.is_none() && split.keys.contains(&KeySource::Cookie)).then(|| format!("{dice:032x}"));
    let hash = key.as_deref().or(fresh.as_deref()).map(|key| hash(&split.id, key));
    let page = is_page(asked.headers);
    let (arm, why) = match overrides::find(split, asked.headers, now) {
        Some(arm) => (arm, Reason::Override),
        None => match pinned(split, asked, page, now) {
            Some(arm) => (arm, Reason::Page),
            None => (share(split, hash, dice), Reason::Share),
        },
    };
    let mut set = Vec::new();
    if let Some(key) = &fresh {
        set.push(cookies::set(KEY_COOKIE, key, Duration::from_secs(30 * 24 * 3600), asked.secure));
    }
    if page && !split.skew.is_zero() {
        set.push(cookies::set(VERSION_COOKIE, split.label(arm), split.skew, asked.secure));
    }
    Choice { arm, why, key: hash, cookies: set }
}

/// The place of a key among 10 000: it is on the new version exactly when that is below its weight.
pub fn bucket(salt: &str, key: &str) -> u16 {
    (hash(salt, key) % 10_000) as u16
}

fn hash(salt: &str, key: &str) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(salt.as_bytes());
    // No salt holds it, so that no two pairs are one text.
    hash.update(&[0xff]);
    hash.update(key.as_bytes());
    hash.digest()
}

fn share(split: &Split, hash: Option<u64>, dice: u128) -> Arm {
    let bucket = hash.unwrap_or(dice as u64) % 10_000;
    if bucket < u64::from(split.share.basis_points()) { Arm::New } else { Arm::Old }
}

/// The version that the page is of, which the request comes from. The page itself is assigned anew: else nobody would ever
/// move.
fn pinned(split: &Split, asked: &Asked<'_>, page: bool, now: SystemTime) -> Option<Arm> {
    let header = asked.headers.get(VERSION).and_then(|value| value.to_str().ok());
    let label = header
        .map(str::to_owned)
        .or_else(|| cookies::query(asked.query?, VERSION_QUERY))
        .or_else(|| if page { None } else { cookies::find(asked.headers, VERSION_COOKIE) })?;
    if label == split.new_label {
        return split.new_is_live.then_some(Arm::New);
    }
    let old = label == split.old_label && split.old_until.is_none_or(|until| now < until);
    old.then_some(Arm::Old)
}

/// True for the navigation that loads a page, as far as the browser says (Fetch Metadata); by `Accept` where it doesn't.
fn is_page(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("sec-fetch-dest") {
        Some(destination) => destination == "document",
        None => text("accept").is_some_and(|accept| accept.contains("text/html")),
    }
}

impl Split {
    pub fn label(&self, arm: Arm) -> &str {
        match arm {
            Arm::Old => &self.old_label,
            Arm::New => &self.new_label,
        }
    }

    /// The version that a person means.
    pub fn arm(&self, text: &str) -> Option<Arm> {
        match text {
            "old" => Some(Arm::Old),
            "new" => Some(Arm::New),
            _ if self.new.is(text) => Some(Arm::New),
            _ if self.old.is(text) => Some(Arm::Old),
            _ => None,
        }
    }
}
