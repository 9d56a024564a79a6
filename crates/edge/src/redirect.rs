//! A route that sends the client elsewhere.

use coracle_host::{Response, empty};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode, Uri};

/// Where to and how.
#[derive(Clone, Debug)]
pub struct Redirect {
    location: String,
    status: StatusCode,
}

impl Redirect {
    /// `to` is an absolute URL or a path. `None` when it can't stand in a header or the status is no redirect, which the
    /// manifest has ruled out.
    pub fn new(to: &str, status: u16) -> Option<Self> {
        HeaderValue::from_str(to).ok()?;
        let status = StatusCode::from_u16(status).ok().filter(StatusCode::is_redirection)?;
        Some(Self { location: to.to_owned(), status })
    }

    /// The response; the query goes along unless the target brings its own.
    pub fn response(&self, uri: &Uri) -> Response {
        let mut response = Response::new(empty());
        *response.status_mut() = self.status;
        let location = match uri.query() {
            Some(query) if !self.location.contains(['?', '#']) => format!("{}?{query}", self.location),
            _ => self.location.clone(),
        };
        if let Ok(location) = HeaderValue::from_str(&location) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
}
