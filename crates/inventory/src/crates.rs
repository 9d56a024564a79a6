//! The map from npm packages to Rust crates, `data/crates.json`: which package, from which version on, which crate does
//! the same work, and what is different about it.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// What to do with the work of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    /// A crate does the same.
    Adopt,
    /// A crate does the same, but the package is machine code already: isolation gains, speed may lose.
    AdoptNative,
    /// A crate helps, but the code around the package must be written anew.
    Rewrite,
    /// Nothing in Rust; the package itself could run as a component.
    Move,
    Leave,
}

/// The kind of work that most of the time goes into; each has constants of its own in the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    Numeric,
    Bytes,
    Text,
    Regex,
    Json,
    Crypto,
    Compress,
    Markdown,
    Schema,
    Template,
    /// Machine code behind JavaScript.
    Native,
    /// Waiting, calling, passing on.
    Glue,
}

impl Work {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Numeric => "numeric",
            Self::Bytes => "bytes",
            Self::Text => "text",
            Self::Regex => "regex",
            Self::Json => "json",
            Self::Crypto => "crypto",
            Self::Compress => "compress",
            Self::Markdown => "markdown",
            Self::Schema => "schema",
            Self::Template => "template",
            Self::Native => "native",
            Self::Glue => "glue",
        }
    }
}

/// What is known about a package.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// A lower bound: `>=8`.
    pub versions: String,
    pub advice: Remedy,
    /// Empty when there is none.
    #[serde(rename = "crate")]
    pub krate: String,
    pub crate_version: String,
    pub work: Work,
    /// It is usually fed what strangers send.
    pub untrusted: bool,
    pub differences: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Map {
    version: String,
    packages: FxHashMap<String, Known>,
}

static MAP: LazyLock<Map> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../data/crates.json")).expect("the committed map is read by a test")
});

/// The version of the map.
#[must_use]
pub fn version() -> &'static str {
    &MAP.version
}

/// The names of all packages in the map.
pub fn packages() -> impl Iterator<Item = &'static str> {
    MAP.packages.keys().map(String::as_str)
}

#[must_use]
pub fn known(package: &str) -> Option<&'static Known> {
    MAP.packages.get(package)
}

impl Known {
    /// Whether the map speaks of this version of the package; an unknown version is taken to be covered.
    #[must_use]
    pub fn covers(&self, version: &str) -> bool {
        let numbers = |text: &str| -> Vec<u64> {
            text.split(['.', '-', '+']).map_while(|part| part.parse().ok()).take(3).collect()
        };
        version.is_empty() || numbers(version) >= numbers(self.versions.trim_start_matches(">="))
    }
}
