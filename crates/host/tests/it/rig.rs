//! A pool around one test guest, and the least plugin that lets it speak HTTP.

use coracle_host::wasmtime::component::Linker;
use coracle_host::{
    Body, Call, Check, Checked, Engine, Failure, Grant, Guest, Interface, Meter, Plugin, Pool, PrepareError, Request,
    Resources, Response, Settings, Spec, Ungranted, empty,
};
use coracle_manifest::value::Node;
use coracle_manifest::{Limits, Reuse};
use coracle_telemetry::RequestId;
use http_body_util::BodyExt as _;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Links `wasi:http` of both versions; grants nothing.
pub struct Http;

impl Plugin for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    fn interfaces(&self) -> &'static [Interface] {
        const fn harmless(name: &'static str) -> Interface {
            Interface { name, ungranted: Ungranted::Harmless }
        }
        const ALL: &[Interface] = &[
            harmless("wasi:http/types@0.2.12"),
            harmless("wasi:http/types@0.3.0"),
            harmless("wasi:http/outgoing-handler@0.2.12"),
            harmless("wasi:http/client@0.3.0"),
        ];
        ALL
    }

    fn schema(&self) -> serde_json::Value {
        serde_json::Value::Bool(true)
    }

    fn check(&self, _: &Node, _: &mut Check<'_>) -> Option<Checked> {
        None
    }

    fn prepare(&self, _: &Checked, _: &Resources) -> Result<Grant, PrepareError> {
        Ok(Grant::Denied)
    }

    fn link(
        &self,
        linker: &mut Linker<Guest>,
        _: &Grant,
        mode: coracle_host::Mode,
    ) -> coracle_host::wasmtime::Result<()> {
        coracle_host::wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
        if mode == coracle_host::Mode::Concurrent {
            coracle_host::wasmtime_wasi_http::p3::add_to_linker(linker)?;
        }
        Ok(())
    }
}

/// The file of a built guest, e.g. `p3/hello`.
pub fn guest(name: &str) -> PathBuf {
    let folder = std::env::var_os("CORACLE_GUESTS").map_or_else(
        || {
            let exe = std::env::current_exe().unwrap();
            exe.ancestors().nth(3).unwrap().join("guests")
        },
        PathBuf::from,
    );
    let path = folder.join(format!("{name}.wasm"));
    assert!(path.exists(), "{} is not there: run `cargo xtask guests`", path.display());
    path
}

/// One engine for all tests of this process, with a cache so that each guest is compiled once.
pub fn engine() -> Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE
        .get_or_init(|| {
            let cache_dir = std::env::temp_dir().join(format!("coracle-host-tests-{}", nix::unistd::geteuid()));
            Engine::new(&Settings { cache_dir: Some(cache_dir), instances: 64, ..Settings::default() }).unwrap()
        })
        .clone()
}

pub struct Rig {
    pub pool: Pool,
}

impl Rig {
    pub async fn new(name: &str, limits: Limits, reuse: Reuse) -> Self {
        Self::with(&engine(), name, limits, reuse, vec![(Arc::new(Http), Grant::Denied)]).await
    }

    pub async fn with(
        engine: &Engine,
        name: &str,
        limits: Limits,
        reuse: Reuse,
        grants: Vec<(Arc<dyn Plugin>, Grant)>,
    ) -> Self {
        let component = coracle_artifact::load(&guest(name), &coracle_artifact::Options::default()).unwrap();
        let env = BTreeMap::from([("COLOUR".to_owned(), "blue".to_owned())]);
        let spec = Spec {
            name: name.into(),
            component,
            env,
            grants,
            limits,
            reuse,
            strict: false,
            uses: Vec::new(),
            neighbours: Arc::default(),
        };
        let (pool, _notes) = Pool::load(engine, spec).await.unwrap();
        Self { pool }
    }

    pub async fn get(&self, uri: &str) -> Result<Response, Failure> {
        self.send(request("GET", uri, empty())).await.0
    }

    pub async fn send(&self, request: Request) -> (Result<Response, Failure>, Arc<Meter>) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let meter = Arc::new(Meter::default());
        let id = RequestId(u128::from(NEXT.fetch_add(1, Ordering::Relaxed)));
        (
            self.pool.call(Call { request, id, meter: Arc::clone(&meter), keep: true, depth: 0, onward: None }).await,
            meter,
        )
    }
}

pub fn request(method: &str, uri: &str, body: Body) -> Request {
    http::Request::builder().method(method).uri(format!("http://shop.test{uri}")).body(body).unwrap()
}

/// The whole body as text, or the error it broke off with.
pub async fn text(response: Response) -> Result<String, coracle_host::BodyError> {
    let bytes = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Runs a case for both versions of a guest.
pub async fn both(name: &str, mut case: impl AsyncFnMut(String)) {
    for set in ["p3", "p2"] {
        case(format!("{set}/{name}")).await;
    }
}
