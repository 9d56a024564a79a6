//! The dashboard's files, which are part of the binary: as written, without a build step, so that building needs no Node.
//!
//! They come with a policy that lets a page load nothing but them and ask nothing but this listener.

use coracle_host::{Response, full};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

struct Asset {
    path: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

macro_rules! assets {
    ($($path:literal $kind:literal),* $(,)?) => {
        &[$(Asset { path: $path, kind: $kind, bytes: include_bytes!(concat!("dashboard", $path)) },)*]
    };
}

const ASSETS: &[Asset] = assets![
    "/index.html" "text/html; charset=utf-8",
    "/style.css" "text/css; charset=utf-8",
    "/icon.svg" "image/svg+xml",
    "/app.js" "text/javascript; charset=utf-8",
    "/api.js" "text/javascript; charset=utf-8",
    "/dom.js" "text/javascript; charset=utf-8",
    "/format.js" "text/javascript; charset=utf-8",
    "/charts.js" "text/javascript; charset=utf-8",
    "/overview.js" "text/javascript; charset=utf-8",
    "/requests.js" "text/javascript; charset=utf-8",
    "/waterfall.js" "text/javascript; charset=utf-8",
    "/traces.js" "text/javascript; charset=utf-8",
    "/logs.js" "text/javascript; charset=utf-8",
    "/components.js" "text/javascript; charset=utf-8",
    "/rollouts.js" "text/javascript; charset=utf-8",
    "/profiles.js" "text/javascript; charset=utf-8",
];

/// The file of a path; `/` is the dashboard itself.
pub fn find(path: &str, headers: &HeaderMap) -> Option<Response> {
    let path = if path == "/" { "/index.html" } else { path };
    let asset = ASSETS.iter().find(|asset| asset.path == path)?;
    // Of one binary each file has one content.
    let tag = concat!("\"", env!("CARGO_PKG_VERSION"), "-");
    let tag = format!("{tag}{:x}\"", fold(asset.bytes));
    let known = headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = Response::new(full(if known { &[][..] } else { asset.bytes }));
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Some(response)
}

/// FNV-1a: tells contents apart, no more.
fn fold(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::{ASSETS, find};
    use http::HeaderMap;

    #[test]
    fn every_module_that_a_page_names_is_there() {
        for asset in ASSETS {
            let text = std::str::from_utf8(asset.bytes).unwrap();
            for piece in text.split("from \"./").skip(1) {
                let path = format!("/{}", piece.split('"').next().unwrap());
                assert!(ASSETS.iter().any(|asset| asset.path == path), "{} names {path}", asset.path);
            }
            assert!(!text.contains("https://cdn"), "{}", asset.path);
        }
        assert!(find("/", &HeaderMap::new()).is_some() && find("/../Cargo.toml", &HeaderMap::new()).is_none());
    }
}
