//! Do two answers to one request say the same? Status, headers, and JSON field by field. What the old version says differently
//! each time (`mask.rs`) and what the user doesn't care for (`rules.rs`) is overlooked.
//!
//! Pure and bounded: bodies come whole or not at all, places and samples are limited. What is kept of values is their shape:
//! nobody reads customers' data in a rollout's page.

mod json;
mod mask;
mod rules;
mod samples;

pub use mask::Mask;
pub use rules::Rules;
pub use samples::{Sample, Samples};

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, SET_COOKIE};
use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// More differences between two answers say no more.
const MOST: usize = 50;

/// One answer.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    pub status: u16,
    pub headers: &'a HeaderMap,
    /// `None` when it was too long to keep: then only status and headers are compared.
    pub body: Option<&'a [u8]>,
}

/// A place where two answers differ.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// "status", "header content-type", "body", `$.items[*].price`.
    pub place: String,
    /// What the old version said there, in shape: "a number", "a string of 12", "nothing".
    pub old: String,
    pub new: String,
}

/// Headers that differ between any two answers, or that are ours.
const OVERLOOKED: [&str; 14] = [
    "age",
    "alt-svc",
    "cf-ray",
    "connection",
    "keep-alive",
    "nel",
    "report-to",
    "server",
    "server-timing",
    "traceparent",
    "transfer-encoding",
    "via",
    "x-powered-by",
    "x-request-id",
];

/// Where `new` differs from `old`, each place once.
pub fn compare(old: Answer<'_>, new: Answer<'_>, rules: &Rules, mask: &Mask) -> Vec<Difference> {
    let mut found = BTreeSet::new();
    if old.status != new.status {
        found.insert(Difference {
            place: "status".to_owned(),
            old: old.status.to_string(),
            new: new.status.to_string(),
        });
    }
    headers(old.headers, new.headers, &mut found);
    bodies(old, new, &mut found);
    let mut places = BTreeSet::new();
    let seen = |one: &Difference| !rules.overlook(&one.place) && !mask.hides(&one.place);
    found.into_iter().filter(|one| seen(one) && places.insert(one.place.clone())).take(MOST).collect()
}

fn headers(old: &HeaderMap, new: &HeaderMap, found: &mut BTreeSet<Difference>) {
    let names: BTreeSet<_> = old.keys().chain(new.keys()).map(HeaderName::as_str).collect();
    for name in names {
        if [DATE, CONTENT_LENGTH].iter().any(|one| one == name)
            || OVERLOOKED.contains(&name)
            || name.starts_with("x-coracle-")
        {
            continue;
        }
        let values = |headers: &HeaderMap| {
            headers.get_all(name).iter().map(|value| value.as_bytes().to_vec()).collect::<Vec<_>>()
        };
        let (before, after) =
            if SET_COOKIE == name { (cookies(old), cookies(new)) } else { (values(old), values(new)) };
        if before != after {
            let shape = |values: &[Vec<u8>]| match values {
                [] => "nothing".to_owned(),
                // What type an answer has is no secret, and what one wants to know.
                [one] if CONTENT_TYPE == name => String::from_utf8_lossy(one).into_owned(),
                values => format!("{} bytes", values.iter().map(Vec::len).sum::<usize>()),
            };
            found.insert(Difference { place: format!("header {name}"), old: shape(&before), new: shape(&after) });
        }
    }
}

/// The names of the cookies that are set: their values are different for each client.
fn cookies(headers: &HeaderMap) -> Vec<Vec<u8>> {
    let name = |value: &[u8]| value.split(|byte| *byte == b'=').next().unwrap_or_default().to_vec();
    let mut names: Vec<_> = headers.get_all(SET_COOKIE).iter().map(|value| name(value.as_bytes())).collect();
    names.sort();
    names
}

fn bodies(old: Answer<'_>, new: Answer<'_>, found: &mut BTreeSet<Difference>) {
    let (Some(before), Some(after)) = (old.body, new.body) else { return };
    if before == after {
        return;
    }
    let parsed = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).ok();
    match (parsed(before), parsed(after)) {
        (Some(before), Some(after)) => json::compare(&before, &after, found),
        _ => {
            let shape = |body: &[u8]| format!("{} bytes", body.len());
            found.insert(Difference { place: "body".to_owned(), old: shape(before), new: shape(after) });
        }
    }
}
