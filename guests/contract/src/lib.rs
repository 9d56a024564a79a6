//! What a request asks of a guest and what it answers, the same for WASI 0.2 and 0.3.
//!
//! Cases whose interfaces don't differ between the two (key-value, config) live here whole; of the others, what is text in
//! and text out. It knows no binding of wasi:http: `p2` and `p3` hand it strings and bytes. A parameter that doesn't parse
//! counts as absent, so that a guest answers with its default.

use http::Uri;
use serde_json::{Value, json};

pub mod ask;
pub mod config;
pub mod kv;
pub mod otel;

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

    /// The first value of a query parameter, percent-decoded; empty for one without `=`.
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

/// A whole answer, small enough to hold.
pub struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    pub content: Vec<u8>,
}

impl Reply {
    pub fn text(status: u16, content: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type: "text/plain", content: content.into() }
    }

    pub fn json(value: &Value) -> Self {
        Self { status: 200, content_type: "application/json", content: value.to_string().into_bytes() }
    }

    pub fn bytes(content: Vec<u8>) -> Self {
        Self { status: 200, content_type: "application/octet-stream", content }
    }

    /// 204, for what succeeds without saying anything.
    pub fn done() -> Self {
        Self { status: 204, content_type: "", content: Vec::new() }
    }

    /// The headers that describe the content; none for 204.
    pub fn headers(&self) -> Vec<(String, Vec<u8>)> {
        if self.status == 204 {
            return Vec::new();
        }
        vec![
            ("content-type".to_owned(), self.content_type.into()),
            ("content-length".to_owned(), self.content.len().to_string().into_bytes()),
        ]
    }
}

/// Where an outbound request goes, in the three parts that wasi:http wants.
pub struct Address {
    pub https: bool,
    pub authority: String,
    pub path_with_query: String,
}

impl Address {
    /// Reads `http://host:port/path?query` or its https form.
    pub fn parse(url: &str) -> Result<Self, String> {
        let unusable = || format!("not an http address: {url}");
        let uri: Uri = url.parse().map_err(|_| unusable())?;
        let https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(unusable()),
        };
        let authority = uri.authority().ok_or_else(unusable)?.to_string();
        let path_with_query = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { https, authority, path_with_query })
    }
}

/// Whether `echo` sends a request header back: `content-type`, `trailer` (without which HTTP/1 drops trailers), all of `x-*`.
pub fn is_echoed(header: &str) -> bool {
    let header = header.to_ascii_lowercase();
    header == "content-type" || header == "trailer" || header.starts_with("x-")
}

/// The answer of an outbound request, or the error that took its place.
pub type Fetched = Result<(u16, Vec<u8>), String>;

/// What `fanout` answers: a line `NAME: STATUS BODY` or `NAME: ERROR` for each request; 502 when there is an error.
pub fn fanned(results: Vec<(String, Fetched)>) -> Reply {
    let status = if results.iter().all(|(_, result)| result.is_ok()) { 200 } else { 502 };
    let mut content = Vec::new();
    for (name, result) in results {
        match result {
            Ok((status, body)) => {
                content.extend_from_slice(format!("{name}: {status} ").as_bytes());
                content.extend_from_slice(&body);
            }
            Err(error) => content.extend_from_slice(format!("{name}: {error}").as_bytes()),
        }
        content.push(b'\n');
    }
    Reply::text(status, content)
}

/// The name of an error code as both versions spell it: `ErrorCode::NoEntry`, of 0.3, and `no-entry`, of 0.2's enums,
/// become `NoEntry`. A payload stays: `InternalError(Some("..."))`.
pub fn code(text: &str) -> String {
    let text = text.strip_prefix("ErrorCode::").unwrap_or(text);
    if !text.starts_with(|first: char| first.is_ascii_lowercase()) {
        return text.to_owned();
    }
    let capital = |word: &str| word.get(..1).unwrap_or("").to_ascii_uppercase() + word.get(1..).unwrap_or("");
    text.split('-').map(capital).collect()
}

/// The status that `files` answers a filesystem error code with.
pub fn file_status(code: &str) -> u16 {
    match code {
        "NoEntry" | "NotDirectory" => 404,
        "Access" | "NotPermitted" | "ReadOnly" | "BadDescriptor" => 403,
        _ => 500,
    }
}

/// The preopened directory that holds `path`, as an index into `names`, and the rest of the path below it. The rest is handed
/// on as it is, `..` and a leading slash (of a doubled one) included: refusing those is the host's work, which tests look at.
pub fn preopen<'a>(names: &[&str], path: &'a str) -> Option<(usize, &'a str)> {
    let below = |name: &str| match path.strip_prefix(name.trim_end_matches('/'))? {
        "" => Some("."),
        rest => rest.strip_prefix('/'),
    };
    let held = names.iter().enumerate().filter_map(|(index, name)| Some((index, name.len(), below(name)?)));
    held.max_by_key(|(_, length, _)| *length).map(|(index, _, rest)| (index, rest))
}

/// What `reflect` saw.
pub struct Seen {
    pub method: String,
    pub scheme: Option<String>,
    pub authority: Option<String>,
    pub path_with_query: Option<String>,
    pub headers: Vec<(String, Vec<u8>)>,
    pub environment: Vec<(String, String)>,
    pub arguments: Vec<String>,
    pub directories: Vec<String>,
}

impl Seen {
    /// As JSON; header values that aren't UTF-8 are made so, lossily.
    pub fn reply(self) -> Reply {
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| json!([name, String::from_utf8_lossy(value)])).collect();
        Reply::json(&json!({
            "method": self.method,
            "scheme": self.scheme,
            "authority": self.authority,
            "path_with_query": self.path_with_query,
            "headers": headers,
            "env": self.environment.into_iter().map(|(name, value)| (name, Value::from(value))).collect::<serde_json::Map<_, _>>(),
            "args": self.arguments,
            "directories": self.directories,
        }))
    }
}

/// What `clock` answers. `random` are bytes from wasi:random, shown in hexadecimal.
pub fn time(wall_ms: u64, monotonic_ns: u64, random: &[u8]) -> Reply {
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Reply::json(&json!({ "wall_ms": wall_ms, "monotonic_ns": monotonic_ns, "random": hex }))
}

/// Some work for a processor that no compiler leaves out: `spin`'s unit, well under a millisecond.
pub fn burn() {
    for round in 0..10_000_u64 {
        std::hint::black_box(round.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }
}

/// Calls itself until the stack is full.
#[expect(unconditional_recursion, reason = "that is the attack")]
pub fn recurse(depth: u64) -> u64 {
    std::hint::black_box(recurse(std::hint::black_box(depth) + 1)) + depth
}

/// Takes memory MiB by MiB, writing to each page so that it is really there. Shorter than asked for when the host says no.
pub fn hold(mib: u64) -> Vec<Vec<u8>> {
    const MIB: usize = 1 << 20;
    const PAGE: usize = 4096;
    let mut held = Vec::new();
    for _ in 0..mib {
        let mut block = Vec::new();
        if block.try_reserve_exact(MIB).is_err() {
            break;
        }
        block.resize(MIB, 0);
        block.iter_mut().step_by(PAGE).for_each(|byte| *byte = 1);
        held.push(std::hint::black_box(block));
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_versions_are_spelled_alike() {
        for (text, name) in [
            ("ErrorCode::NoEntry", "NoEntry"),
            ("no-entry", "NoEntry"),
            ("access", "Access"),
            ("ErrorCode::InternalError(Some(\"x\"))", "InternalError(Some(\"x\"))"),
        ] {
            assert_eq!(code(text), name);
        }
    }

    #[test]
    fn the_longest_preopen_holds_a_path() {
        let names = ["/", "/assets", "/assets/big"];
        for (path, expected) in [
            ("/assets/a", Some((1, "a"))),
            ("/assets/big/a", Some((2, "a"))),
            ("/assets", Some((1, "."))),
            ("/assetsx", Some((0, "assetsx"))),
            ("/assets/../x", Some((1, "../x"))),
            ("/assets//etc", Some((1, "/etc"))),
        ] {
            assert_eq!(preopen(&names, path), expected, "{path}");
        }
        assert_eq!(preopen(&["/assets"], "/etc/passwd"), None);
    }
}
