//! The name of an imported or exported interface, `wasi:http/types@0.3.0`, and when two versions fit together.
//! Names come from a component's import and export sections; this file never looks at types.

use std::fmt;

use semver::Version;
use wasmparser::names::{ComponentName, ComponentNameKind};

/// The interfaces of WASI that have had stable releases since 0.2.0. A pre-release of one of these is outdated;
/// other packages (keyvalue, config, logging, blobstore) exist only as drafts and are linked by exact version.
const STABLE: [&str; 7] = ["cli", "clocks", "filesystem", "http", "io", "random", "sockets"];

/// An interface as named in a component's imports or exports.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Interface {
    /// `wasi` in `wasi:http/types@0.3.0`.
    pub namespace: String,
    /// `http` in `wasi:http/types@0.3.0`.
    pub package: String,
    /// `types` in `wasi:http/types@0.3.0`.
    pub name: String,
    /// `0.3.0` in `wasi:http/types@0.3.0`; packages may be unversioned.
    pub version: Option<Version>,
}

impl Interface {
    /// Reads an interface name; `None` when `text` is another kind of name (a plain function, a URL, a hash).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let parsed = ComponentName::new(text, 0).ok()?;
        let ComponentNameKind::Interface(name) = parsed.kind() else {
            return None;
        };
        Some(Self {
            namespace: name.namespace().as_str().to_owned(),
            package: name.package().as_str().to_owned(),
            name: name.projection().as_str().to_owned(),
            version: name.version(None).ok()?,
        })
    }

    /// Whether this is the interface `name` of `package` (written with its namespace, `wasi:http`), in any version.
    #[must_use]
    pub fn is(&self, package: &str, name: &str) -> bool {
        self.name == name && self.is_of(package)
    }

    /// Whether this belongs to `package` (written with its namespace, `wasi:http`), in any version.
    #[must_use]
    pub fn is_of(&self, package: &str) -> bool {
        package
            .split_once(':')
            .is_some_and(|(namespace, package)| namespace == self.namespace && package == self.package)
    }

    /// Whether the version is a release `major.minor.*`.
    #[must_use]
    pub fn on_track(&self, major: u64, minor: u64) -> bool {
        self.version.as_ref().is_some_and(|v| v.pre.is_empty() && (v.major, v.minor) == (major, minor))
    }

    /// Whether an import of `self` can be satisfied by a host that offers `offered`: equal names and either equal
    /// versions or releases of one track. This is the component linking rule (`alternate_lookup_key` in Wasmtime).
    #[must_use]
    pub fn links_with(&self, offered: &Self) -> bool {
        let named =
            (&self.namespace, &self.package, &self.name) == (&offered.namespace, &offered.package, &offered.name);
        named && (self.version == offered.version || (self.track().is_some() && self.track() == offered.track()))
    }

    /// Whether this is a pre-release or unversioned draft of a WASI interface that has since been released.
    #[must_use]
    pub fn is_outdated_draft(&self) -> bool {
        self.namespace == "wasi"
            && STABLE.contains(&self.package.as_str())
            && self.version.as_ref().is_none_or(|version| !version.pre.is_empty())
    }

    /// The semver track within which versions replace each other; pre-releases and 0.0.x match only exactly.
    fn track(&self) -> Option<(u64, u64)> {
        let version = self.version.as_ref().filter(|version| version.pre.is_empty())?;
        match (version.major, version.minor) {
            (0, 0) => None,
            (0, minor) => Some((0, minor)),
            (major, _) => Some((major, 0)),
        }
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}/{}", self.namespace, self.package, self.name)?;
        match &self.version {
            Some(version) => write!(out, "@{version}"),
            None => Ok(()),
        }
    }
}
