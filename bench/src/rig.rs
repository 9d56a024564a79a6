//! A pool around one guest, with requests made in the process: no sockets, so that what is measured is the engine.

use anyhow::{Context as _, Result, ensure};
use coracle_host::{Call, Engine, Grant, Meter, Plugin, Pool, Request, Spec, empty, full};
use coracle_manifest::{Limits, Reuse};
use coracle_plugins::kv;
use coracle_telemetry::RequestId;
use http_body_util::BodyExt as _;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A loaded guest. Everything is denied to it but the key-value store `bench`, which holds the key `key`.
pub struct Rig {
    pool: Pool,
    requests: AtomicU64,
}

impl Rig {
    /// Loads a component. Each of its instances serves `reuse` requests, one at a time.
    ///
    /// # Errors
    /// When the file is not there, is refused or does not load.
    pub async fn load(engine: &Engine, file: &Path, reuse: u32) -> Result<Self> {
        let component = coracle_artifact::load(file, &coracle_artifact::Options::default())
            .with_context(|| format!("{} is not a component", file.display()))?;
        let grants = coracle_plugins::all().into_iter().map(granted).collect();
        let spec = Spec {
            name: Arc::from("bench"),
            component,
            env: BTreeMap::new(),
            grants,
            limits: Limits::default(),
            reuse: Reuse { requests: reuse, ..Reuse::default() },
            strict: false,
            uses: Vec::new(),
            neighbours: Arc::default(),
        };
        let (pool, _notes) = Box::pin(Pool::load(engine, spec)).await?;
        Ok(Self { pool, requests: AtomicU64::new(0) })
    }

    /// One GET, to the last byte of its answer.
    ///
    /// # Errors
    /// When the guest fails or answers with anything but 200.
    pub async fn get(&self, path: &str) -> Result<()> {
        let request = http::Request::get(format!("http://bench.test{path}")).body(empty())?;
        let status = self.send(request).await?;
        ensure!(status == http::StatusCode::OK, "the guest answered GET {path} with {status}");
        Ok(())
    }

    /// Writes the key that GETs of the guest `kv` read.
    ///
    /// # Errors
    /// When the guest does not write it.
    pub async fn put_key(&self, path: &str) -> Result<()> {
        let request = http::Request::put(format!("http://bench.test{path}")).body(full("value"))?;
        let status = self.send(request).await?;
        ensure!(status.is_success(), "the guest answered PUT {path} with {status}");
        Ok(())
    }

    /// Returns when no request is running any more, work after the response included.
    pub async fn drained(&self) {
        self.pool.drained().await;
    }

    async fn send(&self, request: Request) -> Result<http::StatusCode> {
        let id = RequestId(u128::from(self.requests.fetch_add(1, Ordering::Relaxed)));
        let call = Call { request, id, meter: Arc::new(Meter::default()), keep: false, depth: 0, onward: None };
        let response = self.pool.call(call).await.map_err(|failure| anyhow::anyhow!("{}", failure.detail))?;
        let status = response.status();
        let _content = response.into_body().collect().await?;
        Ok(status)
    }
}

fn granted(plugin: Arc<dyn Plugin>) -> (Arc<dyn Plugin>, Grant) {
    let grant = if plugin.name() == "keyvalue" { Grant::Given(Arc::new(store())) } else { Grant::Denied };
    (plugin, grant)
}

fn store() -> kv::Grant {
    let store = kv::Store {
        component: "bench".to_owned(),
        name: "bench".to_owned(),
        rights: vec![kv::Right { prefix: String::new(), write: true }],
        backend: Arc::new(kv::Memory::new(1 << 20)),
        denial_logged: AtomicBool::new(false),
    };
    kv::Grant { component: "bench".to_owned(), stores: vec![Arc::new(store)], others: BTreeSet::new() }
}

/// The file of a test guest such as `p3/hello`: in `$CORACLE_GUESTS`, else in `guests/` of cargo's target directory.
///
/// # Errors
/// When it is not built.
pub fn guest(name: &str) -> Result<PathBuf> {
    let folder = match std::env::var_os("CORACLE_GUESTS") {
        Some(folder) => PathBuf::from(folder),
        None => {
            let program = std::env::current_exe()?;
            program.ancestors().nth(2).context("this program lies in no target directory")?.join("guests")
        }
    };
    let file = folder.join(format!("{name}.wasm"));
    ensure!(file.is_file(), "the guest {name} is not built ({} is missing): run `cargo xtask guests`", file.display());
    Ok(file)
}
