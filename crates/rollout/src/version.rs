//! What answers a route's requests, so that one can be told from another for good: a component by the digest of its bytes, an
//! upstream by its name, for what runs behind it isn't ours to see.

use serde::{Deserialize, Serialize};
use std::fmt::{self, Display, Formatter};

/// Which of the two versions of a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arm {
    Old,
    New,
}

/// Something that answers, and never changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Version {
    Component {
        name: String,
        /// Of the component's bytes, in hex.
        digest: String,
    },
    Upstream {
        name: String,
    },
}

/// So much of a digest is shown.
const SHOWN: usize = 12;

impl Version {
    pub fn name(&self) -> &str {
        match self {
            Self::Component { name, .. } | Self::Upstream { name } => name,
        }
    }

    /// True when a person means this version by `text`: its label, its name where that is enough, or the first six or more
    /// digits of its digest.
    pub fn is(&self, text: &str) -> bool {
        let text = text.strip_prefix("sha256:").unwrap_or(text);
        match self {
            _ if text == self.to_string() => true,
            Self::Component { digest, .. } => text.len() >= 6 && digest.starts_with(text),
            Self::Upstream { name } => name == text,
        }
    }
}

/// The label: "price@3f0a91c2e7d4", or the name of an upstream. It stands in headers, cookies and reports.
impl Display for Version {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Component { name, digest } => write!(out, "{name}@{}", digest.get(..SHOWN).unwrap_or(digest)),
            Self::Upstream { name } => write!(out, "{name}"),
        }
    }
}

impl Arm {
    pub fn other(self) -> Self {
        match self {
            Self::Old => Self::New,
            Self::New => Self::Old,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_known_by_label_and_digest() {
        let price = Version::Component { name: "price".into(), digest: "3f0a91c2e7d4aabbcc".into() };
        assert_eq!(price.to_string(), "price@3f0a91c2e7d4");
        for text in ["price@3f0a91c2e7d4", "3f0a91", "sha256:3f0a91c2e7d4aabbcc"] {
            assert!(price.is(text), "{text}");
        }
        for text in ["price", "3f0a9", "", "sha256:", "4f0a91"] {
            assert!(!price.is(text), "{text}");
        }
        assert!(Version::Upstream { name: "node".into() }.is("node"));
    }
}
