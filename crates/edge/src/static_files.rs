//! A directory served as it is: `tower-http` opens files, sets types and validators and answers ranges and conditions.
//!
//! What this file adds: the part of the path a route's wildcard matched is looked up; a file for paths that don't exist
//! (single-page apps); nothing whose name begins with a dot, save `.well-known`; and no path that could mean another one:
//! `..` segments, backslashes and encoded slashes are "not found", and so is what a link leads out of the directory to.

use crate::call::Answer;
use crate::respond::Refusal;
use coracle_host::{BodyError, Cause, Failure, Request, Response, empty};
use coracle_manifest::PathPattern;
use coracle_telemetry::{Blame, Stage};
use http::header::LOCATION;
use http::{HeaderValue, Method, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty};
use percent_encoding::percent_decode_str;
use std::io;
use std::path::{Path, PathBuf};
use tower_http::services::fs::ServeFileSystemResponseBody;
use tower_http::services::{ServeDir, ServeFile};

/// A directory and how its files are found.
#[derive(Clone, Debug)]
pub struct StaticFiles {
    dir: ServeDir,
    root: PathBuf,
    /// Answers for a directory.
    index: String,
    /// Answers for paths that don't exist.
    not_found: Option<PathBuf>,
    /// How many segments of the path belong to the route and not to the directory.
    prefix: usize,
}

impl StaticFiles {
    /// Files of a directory under a route's path.
    pub fn new(files: &coracle_manifest::StaticFiles, path: &PathPattern) -> Self {
        let prefix = if path.is_wildcard() { path.segments().len() } else { 0 };
        Self {
            dir: ServeDir::new(&files.dir),
            root: files.dir.clone(),
            index: files.index.clone(),
            not_found: files.not_found.as_ref().map(|file| files.dir.join(file)),
            prefix,
        }
    }

    /// The file a request asks for.
    ///
    /// # Errors
    /// When a file is there but can't be read.
    pub async fn call(&self, request: Request) -> Result<Answer, Failure> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Ok(Answer::Refused(Refusal::MethodNotAllowed("GET, HEAD".to_owned())));
        }
        let head = request.map(|_| Empty::<bytes::Bytes>::new());
        let wanted = head.uri().clone();
        let found = match self.file_path(wanted.path()) {
            Some(path) => self.file(&path, head.clone()).await,
            None => Ok(None),
        };
        let found = match (found, &self.not_found) {
            (Ok(None), Some(file)) if self.holds(file.clone()).await => {
                missing_as_none(ServeFile::new(file).try_call(head).await)
            }
            (found, _) => found,
        };
        match found {
            Ok(Some(response)) if response.status().is_redirection() && response.headers().contains_key(LOCATION) => {
                Ok(Answer::Response(with_slash(&wanted)))
            }
            Ok(Some(response)) => Ok(Answer::Response(response.map(|body| body.map_err(file_error).boxed_unsync()))),
            Ok(None) => Ok(Answer::Refused(Refusal::NotFound)),
            Err(error) => {
                let detail = format!("a static file could not be read: {error}");
                Err(Failure::new(Stage::Head, Blame::Host, Cause::Trap, detail))
            }
        }
    }

    /// The file at a path of `file_path`, if there is one.
    async fn file(&self, path: &str, mut head: http::Request<Empty<bytes::Bytes>>) -> io::Result<Option<FileResponse>> {
        let Ok(decoded) = percent_decode_str(path).decode_utf8() else { return Ok(None) };
        let Ok(uri) = path.parse() else { return Ok(None) };
        if !self.holds(self.root.join(decoded.trim_start_matches('/'))).await {
            return Ok(None);
        }
        *head.uri_mut() = uri;
        missing_as_none(self.dir.clone().try_call(head).await)
    }

    /// Whether a file exists and is below the directory when every link is followed: a component that may write into the
    /// directory must not be able to publish what lies beside it. The file is opened afterwards, by its name, so whoever swaps
    /// a file for a link in between still gets through; nothing but opening both in one step would close that.
    async fn holds(&self, file: PathBuf) -> bool {
        let root = self.root.clone();
        let beneath = move || -> io::Result<bool> { Ok(file.canonicalize()?.starts_with(Path::canonicalize(&root)?)) };
        matches!(tokio::task::spawn_blocking(beneath).await, Ok(Ok(true)))
    }

    /// The path below the directory, still percent-encoded; `None` when it is not one we serve.
    fn file_path(&self, path: &str) -> Option<String> {
        let mut rest: Vec<&str> = path.strip_prefix('/')?.split('/').skip(self.prefix).collect();
        if rest.is_empty() {
            // The root without its slash: tower-http then finds a directory and redirects.
            return Some("/.".to_owned());
        }
        let last = rest.pop()?;
        let plain = rest.iter().all(|segment| !segment.is_empty() && is_plain(segment)) && is_plain(last);
        let last = if last.is_empty() { self.index.as_str() } else { last };
        rest.push(last);
        plain.then(|| format!("/{}", rest.join("/")))
    }
}

/// The way to a directory's own address, where relative links work.
fn with_slash(uri: &Uri) -> Response {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    if let Ok(location) = HeaderValue::from_str(&format!("{}/{query}", uri.path())) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// A segment that names one thing, in whatever spelling. Clients percent-encode what is not ASCII.
fn is_plain(segment: &str) -> bool {
    let lower = segment.to_ascii_lowercase().replace("%2e", ".");
    let ambiguous = lower.contains('\\') || ["%2f", "%5c", "%00"].iter().any(|encoded| lower.contains(encoded));
    let hidden = lower.starts_with('.') && lower != ".well-known";
    segment.is_ascii() && !ambiguous && !hidden
}

type FileResponse = http::Response<ServeFileSystemResponseBody>;

/// Missing files and paths that can't be one are `None`.
fn missing_as_none(result: io::Result<FileResponse>) -> io::Result<Option<FileResponse>> {
    match result {
        Ok(response) if response.status() == StatusCode::NOT_FOUND => Ok(None),
        Ok(response) => Ok(Some(response)),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::NotADirectory => Ok(None),
            _ => Err(error),
        },
    }
}

fn file_error(error: io::Error) -> BodyError {
    BodyError::InternalError(Some(error.to_string()))
}
