//! What a request asks of a guest, the same for WASI 0.2 and 0.3: path, query and outbound addresses.
//!
//! It knows no WASI binding: `p2` and `p3` hand it strings and bytes. It never fails on a request that a test could send by
//! mistake; a parameter that doesn't parse counts as absent, so that the guest answers with its default.

use http::Uri;

/// The path and query of a request, decoded.
pub struct Target {
    path: String,
    query: Vec<(String, String)>,
}

impl Target {
    /// Splits what WASI calls `path-with-query`; none means `/`.
    pub fn parse(path_with_query: Option<String>) -> Self {
        let whole = path_with_query.unwrap_or_default();
        let (path, query) = whole.split_once('?').unwrap_or((&whole, ""));
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let path = if path.is_empty() { "/" } else { path };
        Self { path: path.to_owned(), query }
    }

    /// The path as sent, still percent-encoded, at least `/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The first value of a query parameter, percent-decoded.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of a query parameter, in order.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Every query parameter, in order.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.query
    }

    /// A number from the query, or `default`.
    pub fn number(&self, name: &str, default: u64) -> u64 {
        self.get(name).and_then(|value| value.parse().ok()).unwrap_or(default)
    }
}

/// Where an outbound request goes, in the three parts that wasi:http wants.
pub struct Address {
    pub https: bool,
    pub authority: String,
    pub path_with_query: String,
}

impl Address {
    /// Reads `http://host:port/path?query` or its https form; anything else is None.
    pub fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let https = match uri.scheme_str()? {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let path_with_query = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Some(Self { https, authority: uri.authority()?.to_string(), path_with_query })
    }
}

/// Whether `echo` sends a request header back: `content-type` and all of `x-*`.
pub fn is_echoed(header: &str) -> bool {
    header.eq_ignore_ascii_case("content-type") || header.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("x-"))
}
