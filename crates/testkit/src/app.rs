//! A whole app, served in this process on free ports, as `coracle up` would serve it.

use crate::guests::target_dir;
use bytes::Bytes;
use coracle_edge::{AppSource, Edge, Settings, StartError};
use coracle_telemetry::Record;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc;

/// What `admin` calls send.
pub const ADMIN_TOKEN: &str = "token-of-the-tests";
/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running app. It ends when dropped.
pub struct TestApp {
    pub edge: Edge,
    pub addr: SocketAddr,
    pub admin: SocketAddr,
    /// Holds `coracle.toml`; relative paths of the manifest start here.
    pub dir: TempDir,
    records: mpsc::UnboundedReceiver<Record>,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// A whole response.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    /// A header as text; empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("the header is text"))
    }
}

impl TestApp {
    /// Serves the app of this manifest.
    pub async fn start(manifest: &str) -> Self {
        Self::start_in(TempDir::new().unwrap(), manifest, |_| {}).await
    }

    /// Serves the app of this manifest with other settings.
    pub async fn start_with(manifest: &str, adjust: impl FnOnce(&mut Settings)) -> Self {
        Self::start_in(TempDir::new().unwrap(), manifest, adjust).await
    }

    /// Serves the app of this manifest out of a directory that already holds files.
    pub async fn start_in(dir: TempDir, manifest: &str, adjust: impl FnOnce(&mut Settings)) -> Self {
        Self::try_start(dir, manifest, adjust).await.unwrap_or_else(|error| match error {
            StartError::Load(error) => panic!("the app does not load:\n{}", error.render(false)),
            error => panic!("the app does not start: {error}"),
        })
    }

    /// Tries to serve the app of this manifest.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn try_start(
        dir: TempDir,
        manifest: &str,
        adjust: impl FnOnce(&mut Settings),
    ) -> Result<Self, StartError> {
        let (settings, records) = settings(dir.path(), manifest, adjust);
        let edge = Edge::start(settings).await?;
        let addr = *edge.addrs().first().expect("the app listens");
        let admin = edge.admin_addr().expect("the app has an admin listener");
        let client = Client::builder(TokioExecutor::new()).build_http();
        Ok(Self { edge, addr, admin, dir, records, client })
    }

    /// Writes another manifest; a reload takes it into use.
    pub fn write_manifest(&self, manifest: &str) {
        std::fs::write(self.dir.path().join("coracle.toml"), manifest).unwrap();
    }

    /// The URL of a path of the app.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// `GET` of a path of the app.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(Request::get(self.url(path)).body(Full::default()).unwrap()).await
    }

    /// `POST` to a path of the app.
    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> Reply {
        self.send(Request::post(self.url(path)).body(Full::new(body.into())).unwrap()).await
    }

    /// Any request, to any address.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Reply {
        self.try_send(request).await.unwrap_or_else(|error| panic!("no whole response: {error}"))
    }

    /// Any request, to any address.
    ///
    /// # Errors
    /// When there is no response or it breaks off.
    pub async fn try_send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Reply, Box<dyn std::error::Error + Send + Sync>> {
        let whole = async {
            let (parts, body) = self.client.request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok(Reply { status: parts.status, headers: parts.headers, body })
        };
        tokio::time::timeout(PATIENCE, whole).await?
    }

    /// A call to the admin listener, with the token.
    pub async fn admin(&self, method: Method, path: &str) -> Reply {
        let request = Request::builder().method(method).uri(format!("http://{}{path}", self.admin));
        let request = request.header("authorization", format!("Bearer {ADMIN_TOKEN}"));
        self.send(request.body(Full::default()).unwrap()).await
    }

    /// Waits until `/readyz` says yes.
    pub async fn ready(&self) {
        let asked = async {
            while self.admin(Method::GET, "/readyz").await.status != StatusCode::OK {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.expect("the app gets ready");
    }

    /// The record of the next request that has ended.
    pub async fn record(&mut self) -> Record {
        let record = tokio::time::timeout(PATIENCE, self.records.recv()).await;
        record.expect("a request ends").expect("the app is running")
    }
}

/// Small, quiet, on free ports, with compiled code kept between tests.
fn settings(
    dir: &Path,
    manifest: &str,
    adjust: impl FnOnce(&mut Settings),
) -> (Settings, mpsc::UnboundedReceiver<Record>) {
    let path = dir.join("coracle.toml");
    std::fs::write(&path, manifest).unwrap();
    let (ended, records) = mpsc::unbounded_channel();
    let mut settings = Settings {
        app: AppSource::Manifest { path, variant: None, variables: BTreeMap::new() },
        shards: 2,
        admin: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        admin_token: Some(ADMIN_TOKEN.to_owned()),
        tap: Some(Arc::new(move |record: &Record| drop(ended.send(record.clone())))),
        engine: coracle_host::Settings {
            cache_dir: Some(target_dir().join("test-compiled")),
            instances: 64,
            ..coracle_host::Settings::default()
        },
        ..Settings::default()
    };
    adjust(&mut settings);
    (settings, records)
}
