//! What each Node and Web API means for a component: the table `data/portability.json`, its version and its look-up.
//!
//! The table is data with evidence; this file only finds the entry. An API without an entry is unknown, and unknown is
//! never OK.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// What an API means for code that is to run as a component, the better first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// There, and behaves as in Node.
    Works,
    /// A bundler puts a replacement into the component.
    Shimmed,
    /// Some of it, or only with a grant.
    Partial,
    /// Nobody has looked.
    Unknown,
    /// Impossible.
    Blocked,
}

impl Status {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Shimmed => "shimmed",
            Self::Partial => "partial",
            Self::Unknown => "unknown",
            Self::Blocked => "blocked",
        }
    }
}

/// An entry of the table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub status: Status,
    pub note: String,
    /// How it is known: `probe` (run in our runtime), `node` (not there in Node either), `design` (of what is blocked), `none`.
    pub evidence: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    version: String,
    language: Vec<String>,
    entries: FxHashMap<String, Entry>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../data/portability.json")).expect("the committed table is read by a test")
});

/// The version of the table.
#[must_use]
pub fn version() -> &'static str {
    &TABLE.version
}

/// Every entry of the table, by its key.
pub fn entries() -> impl Iterator<Item = (&'static str, &'static Entry)> {
    TABLE.entries.iter().map(|(key, entry)| (key.as_str(), entry))
}

/// Whether a global belongs to the language itself, wherever it runs.
#[must_use]
pub fn is_language(name: &str) -> bool {
    let root = name.split('.').next().unwrap_or(name);
    TABLE.language.iter().any(|known| known == root)
}

/// Whether an API is blocked only because its JavaScript replacement failed when it was probed; in Rust there are crates.
#[must_use]
pub fn only_in_javascript(api: &str) -> bool {
    let entry = TABLE.entries.get(api);
    api.starts_with("node:") && entry.is_some_and(|entry| entry.evidence == "probe")
}

/// What is known about an API: its own entry, or that of what it belongs to.
#[must_use]
pub fn look_up(api: &str) -> (Status, String) {
    if let Some(name) = api.strip_prefix("native addon ") {
        let note = format!("{name} is machine code for Node; it can't be loaded into a component");
        return (Status::Blocked, note);
    }
    if let Some(name) = api.strip_prefix("missing module ") {
        return (Status::Unknown, format!("\"{name}\" is not installed here, so nobody can tell what it needs"));
    }
    let mut key = api;
    loop {
        if let Some(entry) = TABLE.entries.get(key) {
            return (entry.status, entry.note.clone());
        }
        match key.rfind(['.', '/']) {
            Some(at) => key = key.get(..at).unwrap_or_default(),
            None => return (Status::Unknown, "nothing is known about it".to_owned()),
        }
    }
}
