//! What a component is, by what it exports. Decided from names alone; whether that can be served is `Admitted::serve`.

use std::fmt;

use semver::Version;

use crate::interface::Interface;

/// The role a component can play. A component that exports both HTTP generations counts as 0.3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum World {
    /// Exports `wasi:http/handler@0.3.x`.
    HttpService03 {
        /// The exported version, the highest if there are several.
        version: Version,
    },
    /// Exports `wasi:http/incoming-handler@0.2.x`.
    HttpProxy02 {
        /// The exported version, the highest if there are several.
        version: Version,
    },
    /// Exports and imports `wasi:http/handler@0.3.x`: it needs another service behind it.
    HttpMiddleware03,
    /// Exports `wasi:cli/run@0.3.x`.
    Command03,
    /// Exports `wasi:cli/run@0.2.x`.
    Command02,
    /// None of these.
    Other,
}

impl World {
    /// The world of a component with these imports and exports.
    #[must_use]
    pub fn of(imports: &[Interface], exports: &[Interface]) -> Self {
        let highest = |package, name, minor| {
            let found = exports.iter().filter(|e| e.is(package, name) && e.on_track(0, minor));
            found.filter_map(|e| e.version.clone()).max()
        };
        if let Some(version) = highest("wasi:http", "handler", 3) {
            return if imports.iter().any(|i| i.is("wasi:http", "handler") && i.on_track(0, 3)) {
                Self::HttpMiddleware03
            } else {
                Self::HttpService03 { version }
            };
        }
        if let Some(version) = highest("wasi:http", "incoming-handler", 2) {
            return Self::HttpProxy02 { version };
        }
        if highest("wasi:cli", "run", 3).is_some() {
            return Self::Command03;
        }
        if highest("wasi:cli", "run", 2).is_some() { Self::Command02 } else { Self::Other }
    }

    /// Whether a component of this world answers HTTP requests by itself.
    #[must_use]
    pub fn is_http(&self) -> bool {
        matches!(self, Self::HttpService03 { .. } | Self::HttpProxy02 { .. })
    }
}

impl fmt::Display for World {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HttpService03 { version } => {
                write!(out, "an HTTP service (wasi:http/handler@{version})")
            }
            Self::HttpProxy02 { version } => write!(out, "an HTTP service (wasi:http/incoming-handler@{version})"),
            Self::HttpMiddleware03 => out.write_str("an HTTP middleware (wasi:http/middleware@0.3)"),
            Self::Command03 => out.write_str("a command (wasi:cli/run@0.3)"),
            Self::Command02 => out.write_str("a command (wasi:cli/run@0.2)"),
            Self::Other => out.write_str("a component without an HTTP or command entry"),
        }
    }
}
