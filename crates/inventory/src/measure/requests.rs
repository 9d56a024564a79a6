//! Requests as `coracle inventory --record` saw them: how many, how large, and a few as samples.

use crate::unit::Sample;
use serde::Deserialize;

/// The requests of one method and path.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    /// `GET /path`, without the query.
    pub key: String,
    pub count: u64,
    pub bytes_in: f64,
    pub bytes_out: f64,
    #[serde(default)]
    samples: Vec<RawSample>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSample {
    method: String,
    url: String,
    #[serde(default)]
    status: u16,
    #[serde(default)]
    bytes_in: f64,
    #[serde(default)]
    bytes_out: f64,
}

/// Reads recorded requests.
///
/// # Errors
/// A sentence that says why they can't be used.
pub fn read(text: &str) -> Result<Vec<Recorded>, String> {
    serde_json::from_str(text).map_err(|error| format!("these are no recorded requests: {error}"))
}

/// A route that is registered with a regular expression, which is joined to where its router is mounted.
fn is_pattern(path: &str) -> bool {
    path.contains("/(") || path.contains('^') || path.contains('\\')
}

impl Recorded {
    /// Whether it went to a route. `:name`, `{name}` and `*` stand for anything in a path; `exact` tells a route from a
    /// prefix.
    #[must_use]
    pub fn went_to(&self, method: &str, path: &str, exact: bool) -> bool {
        let Some((asked, url)) = self.key.split_once(' ') else { return false };
        if method != "*" && method != asked {
            return false;
        }
        // A pattern: which paths it fits is not worked out, so all do.
        if is_pattern(path) {
            return true;
        }
        let parts = |path: &str| -> Vec<String> {
            path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        let (pattern, url) = (parts(path), parts(url));
        if pattern.len() > url.len() || exact && pattern.len() != url.len() {
            return false;
        }
        pattern.iter().zip(&url).all(|(part, given)| part.starts_with([':', '{', '*']) || part == given)
    }

    pub fn samples(&self) -> impl Iterator<Item = Sample> {
        self.samples.iter().map(|raw| Sample {
            method: raw.method.clone(),
            url: raw.url.clone(),
            status: raw.status,
            bytes_in: raw.bytes_in.max(0.0) as u64,
            bytes_out: raw.bytes_out.max(0.0) as u64,
        })
    }
}
