//! Settings of the process, as the command line gives them: plain data, nothing of the app.

use crate::record::{Sink, Tap};
use crate::tls::TlsFiles;
use crate::upstream::Timeouts;
use coracle_manifest::App;
use coracle_telemetry::AccessLog;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Where the app comes from, at the start and at each reload.
#[derive(Clone, Debug)]
pub enum AppSource {
    /// A file, read anew each time.
    Manifest {
        path: PathBuf,
        /// The `[env.NAME]` to lay over it.
        variant: Option<String>,
        /// Values of `{{ NAME }}`, most often the environment of the process.
        variables: BTreeMap<String, String>,
    },
    /// An app that was put together from options; a reload only looks at its components again.
    Given(Box<App>),
    /// Many apps, told apart by host name: `NAME/coracle.toml` and `NAME.wasm` answer for the hosts `NAME` and `NAME.*`. What is in
    /// the folder is found anew each time.
    Folder { path: PathBuf, variant: Option<String>, variables: BTreeMap<String, String> },
}

/// An address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Port 0 picks a free one.
    pub addr: SocketAddr,
    /// With the certificate of [`Settings::tls`].
    pub tls: bool,
}

impl From<SocketAddr> for Listen {
    fn from(addr: SocketAddr) -> Self {
        Self { addr, tls: false }
    }
}

/// How an edge runs.
#[derive(Clone)]
pub struct Settings {
    pub app: AppSource,
    pub listen: Vec<Listen>,
    /// Listening sockets that another process has handed over, by address: taken instead of binding anew. Those of addresses that
    /// are not listed are listened on too.
    pub inherited: Vec<(SocketAddr, Arc<std::net::TcpListener>)>,
    /// Needed where a listener speaks TLS.
    pub tls: Option<TlsFiles>,
    /// Every connection begins with the PROXY protocol, by which a balancer tells who its client is.
    pub proxy_protocol: bool,
    /// Balancers whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed; those of others are replaced.
    pub trusted_proxies: Vec<IpNet>,
    /// Threads that serve requests; 0 is one per core.
    pub shards: usize,
    /// Where the admin listener is; it should be loopback.
    pub admin: Option<SocketAddr>,
    /// What changing admin calls must bring; `None` makes one up and writes it to `admin-token` in the state directory.
    pub admin_token: Option<String>,
    /// Where embedded stores and the admin token live; `None` is `.coracle` beside the manifest.
    pub state_dir: Option<PathBuf>,
    /// Reloads when the manifest or a component's file changes.
    pub watch: bool,
    /// Reloads on SIGHUP, drains on SIGTERM and SIGINT, ends at once on a second one.
    pub signals: bool,
    pub access: Option<AccessLog>,
    /// Sees each record.
    pub tap: Option<Tap>,
    /// How long requests and passed-through sockets may go on after a shutdown began.
    pub drain: Duration,
    pub engine: coracle_host::Settings,
    pub timeouts: Timeouts,
    /// Until a request's head must be complete, and how long a kept connection may be idle.
    pub header_timeout: Duration,
    /// How long a client may take nothing of a response that is ready for it; then its connection is reset.
    pub write_timeout: Duration,
    /// Open at the same time, over all shards. For further ones those are closed that have been idle longest; when none is
    /// idle, they wait.
    pub max_connections: usize,
    /// What the standard `OTEL_*` variables say; `None` is no telemetry at all.
    pub telemetry: Option<coracle_telemetry::export::settings::Settings>,
}

impl Default for Settings {
    fn default() -> Self {
        let manifest = PathBuf::from("coracle.toml");
        Self {
            app: AppSource::Manifest { path: manifest, variant: None, variables: BTreeMap::new() },
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 0)).into()],
            inherited: Vec::new(),
            tls: None,
            proxy_protocol: false,
            trusted_proxies: Vec::new(),
            shards: 0,
            admin: None,
            admin_token: None,
            state_dir: None,
            watch: false,
            signals: false,
            access: None,
            tap: None,
            drain: Duration::from_secs(10),
            engine: coracle_host::Settings::default(),
            timeouts: Timeouts { connect: Duration::from_secs(5), head: Duration::from_secs(60) },
            header_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            max_connections: 10_000,
            telemetry: Some(coracle_telemetry::export::settings::Settings::read(&|_| None).0),
        }
    }
}

impl Settings {
    /// The number of shards, resolved.
    pub fn shard_count(&self) -> usize {
        match self.shards {
            0 => std::thread::available_parallelism().map_or(1, usize::from).min(MAX_SHARDS),
            asked => asked.min(MAX_SHARDS),
        }
    }

    pub(crate) fn sink(&self) -> Sink {
        let telemetry = self.engine.telemetry.clone();
        Sink { access: self.access.clone(), tap: self.tap.clone(), telemetry, ..Sink::default() }
    }
}

/// Beyond this more threads only cost memory; run more processes.
const MAX_SHARDS: usize = 64;
