//! The `kv` and `kv2` cases: every function of wasi:keyvalue by URL, the same imports beside WASI 0.2 and 0.3.
//!
//! `parse` reads the request, `run` carries it out on a bucket of either draft; `draft` and `draft2` map the two onto one
//! trait. The URLs are listed in the guests' README. Nothing is kept between requests: each opens its bucket anew.

use std::str::FromStr;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::{Reply, Target};

pub mod draft;
pub mod draft2;

/// The functions of a bucket that both drafts have; an error is the reply it leads to.
trait Bucket {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Reply>;
    fn set(&self, key: &str, value: &[u8]) -> Result<(), Reply>;
    fn delete(&self, key: &str) -> Result<(), Reply>;
    fn exists(&self, key: &str) -> Result<bool, Reply>;
    /// One page of keys, and the cursor of the next.
    fn keys(&self, cursor: Option<&str>) -> Result<(Vec<String>, Option<String>), Reply>;
    fn increment(&self, key: &str, delta: &str) -> Result<String, Reply>;
    fn swap(&self, key: &str, swap: &Swap) -> Result<(), Reply>;
    /// Pairs as the host returned them.
    fn get_many(&self, keys: &[String]) -> Result<Vec<Found>, Reply>;
    fn set_many(&self, pairs: &[(String, Vec<u8>)]) -> Result<(), Reply>;
    fn delete_many(&self, keys: &[String]) -> Result<(), Reply>;
}

/// A key, and its value if it exists.
type Found = (String, Option<Vec<u8>>);

/// A compare-and-swap.
struct Swap {
    /// The value that must be there; None for a key that must not exist.
    expected: Option<Vec<u8>>,
    value: Vec<u8>,
    /// A value set between reading and swapping, so that the swap must fail.
    race: Option<Vec<u8>>,
}

enum Call {
    Get(String),
    Exists(String),
    Set(String, Vec<u8>),
    Delete(String),
    Increment(String, String),
    Swap(String, Swap),
    AllKeys,
    PageOfKeys(Option<String>),
    GetMany(Vec<String>),
    SetMany(Vec<(String, Vec<u8>)>),
    DeleteMany(Vec<String>),
}

/// The store's name and what to do with it; a reply of 400 or 404 for anything that the README doesn't list.
fn parse(method: &str, target: &Target, body: Vec<u8>) -> Result<(String, Call), Reply> {
    let unknown = || Reply::text(400, format!("no such call: {method} {}", target.path()));
    let (store, rest) = target.path().strip_prefix("/s/").and_then(|path| path.split_once('/')).ok_or_else(unknown)?;
    let call = match rest.strip_prefix("k/") {
        Some(key) => on_key(method, decode(key), target, body),
        None => on_store(method, rest, target, body),
    };
    Ok((decode(store), call.ok_or_else(unknown)?))
}

fn on_key(method: &str, key: String, target: &Target, body: Vec<u8>) -> Option<Call> {
    let bytes = |value: &str| value.as_bytes().to_vec();
    Some(match method {
        "GET" if target.get("exists").is_some() => Call::Exists(key),
        "GET" => Call::Get(key),
        "PUT" => Call::Set(key, body),
        "DELETE" => Call::Delete(key),
        "POST" => match (target.get("incr"), target.get("cas")) {
            (Some(delta), None) => Call::Increment(key, delta.to_owned()),
            (None, Some(expected)) => {
                let expected = Some(bytes(expected)).filter(|expected| !expected.is_empty());
                Call::Swap(key, Swap { expected, value: body, race: target.get("race").map(bytes) })
            }
            _ => return None,
        },
        _ => return None,
    })
}

fn on_store(method: &str, call: &str, target: &Target, body: Vec<u8>) -> Option<Call> {
    Some(match (method, call) {
        ("GET", "list") => match target.get("cursor") {
            None => Call::AllKeys,
            Some(cursor) => Call::PageOfKeys(Some(cursor.to_owned()).filter(|cursor| !cursor.is_empty())),
        },
        ("POST", "get-many") => Call::GetMany(serde_json::from_slice(&body).ok()?),
        ("POST", "delete-many") => Call::DeleteMany(serde_json::from_slice(&body).ok()?),
        ("POST", "set-many") => {
            let pairs: Map<String, Value> = serde_json::from_slice(&body).ok()?;
            let pairs = pairs.into_iter().map(|(key, value)| Some((key, value.as_str()?.as_bytes().to_vec())));
            Call::SetMany(pairs.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

fn run(bucket: &impl Bucket, call: Call) -> Result<Reply, Reply> {
    Ok(match call {
        Call::Get(key) => bucket.get(&key)?.map_or_else(|| Reply::text(404, "no such key"), Reply::bytes),
        Call::Exists(key) => Reply::text(200, bucket.exists(&key)?.to_string()),
        Call::Set(key, value) => done(bucket.set(&key, &value)?),
        Call::Delete(key) => done(bucket.delete(&key)?),
        Call::Increment(key, delta) => Reply::text(200, bucket.increment(&key, &delta)?),
        Call::Swap(key, swap) => done(bucket.swap(&key, &swap)?),
        Call::AllKeys => Reply::json(&all_keys(bucket)?.into()),
        Call::PageOfKeys(cursor) => {
            let (keys, cursor) = bucket.keys(cursor.as_deref())?;
            Reply::json(&json!({ "keys": keys, "cursor": cursor }))
        }
        Call::GetMany(keys) => {
            let shown = |value: Vec<u8>| String::from_utf8_lossy(&value).into_owned();
            let pairs = bucket.get_many(&keys)?;
            Reply::json(&pairs.into_iter().map(|(key, value)| json!([key, value.map(shown)])).collect())
        }
        Call::SetMany(pairs) => done(bucket.set_many(&pairs)?),
        Call::DeleteMany(keys) => done(bucket.delete_many(&keys)?),
    })
}

fn all_keys(bucket: &impl Bucket) -> Result<Vec<String>, Reply> {
    let (mut all, mut cursor) = bucket.keys(None)?;
    while let Some(next) = cursor {
        let (keys, following) = bucket.keys(Some(&next))?;
        all.extend(keys);
        cursor = following;
    }
    all.sort();
    Ok(all)
}

fn done((): ()) -> Reply {
    Reply::done()
}

fn decode(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

fn number<N: FromStr>(text: &str) -> Result<N, Reply> {
    text.parse().map_err(|_| Reply::text(400, format!("not a number of this draft: {text}")))
}

fn no_such_store() -> Reply {
    Reply::text(404, "no such store")
}

fn access_denied() -> Reply {
    Reply::text(403, "access denied")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_stores_are_decoded_and_keys_may_hold_slashes() {
        for (path, store, key) in [
            ("/s/cache/k/a", "cache", "a"),
            ("/s/cache/k/thumbs/1", "cache", "thumbs/1"),
            ("/s/a%2Fb/k/x%20y", "a/b", "x y"),
            ("/s//k/a", "", "a"),
        ] {
            let (found, call) = parse("GET", &Target::parse(Some(path.to_owned())), Vec::new()).ok().expect(path);
            assert_eq!(found, store, "{path}");
            assert!(matches!(call, Call::Get(found) if found == key), "{path}");
        }
    }

    #[test]
    fn an_empty_expectation_means_that_the_key_must_not_exist() {
        for (query, expected) in [("cas=", None), ("cas=old", Some(b"old".to_vec()))] {
            let target = Target::parse(Some(format!("/s/cache/k/a?{query}")));
            let (_, call) = parse("POST", &target, b"new".to_vec()).ok().expect(query);
            assert!(matches!(call, Call::Swap(_, swap) if swap.expected == expected), "{query}");
        }
    }

    #[test]
    fn what_is_not_a_call_is_refused() {
        for (method, path) in
            [("GET", "/"), ("GET", "/s/cache"), ("PATCH", "/s/cache/k/a"), ("POST", "/s/cache/get-many")]
        {
            let reply = parse(method, &Target::parse(Some(path.to_owned())), b"{".to_vec()).err().expect(path);
            assert_eq!(reply.status, 400, "{method} {path}");
        }
    }
}
