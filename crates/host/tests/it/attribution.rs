//! Who is calling: what `task::caller` guarantees when requests run interleaved in one instance.
//!
//! The guest asks for keys that begin with its request's name, so each call says itself whose it is.

use crate::rig::{Http, Rig, engine, request, text};
use coracle_host::task::{Caller, caller};
use coracle_host::wasmtime::component::Linker;
use coracle_host::wasmtime::{self, AsContextMut as _};
use coracle_host::{
    Call, Check, Checked, Grant, Guest, Interface, Meter, Plugin, PrepareError, Resources, Ungranted, empty,
};
use coracle_manifest::value::Node;
use coracle_manifest::{Limits, Reuse};
use coracle_telemetry::RequestId;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Answers `wasi:config` with nothing and notes who asked for what.
#[derive(Default)]
struct Witness(Arc<Mutex<Vec<(String, Caller)>>>);

/// The interface's only error type here; never made.
#[derive(wasmtime::component::ComponentType, wasmtime::component::Lower)]
#[component(variant)]
#[expect(dead_code, reason = "the interface has it; this plugin never fails")]
enum Error {
    #[component(name = "upstream")]
    Upstream(String),
    #[component(name = "io")]
    Io(String),
}

impl Plugin for Witness {
    fn name(&self) -> &'static str {
        "config"
    }

    fn interfaces(&self) -> &'static [Interface] {
        &[Interface { name: "wasi:config/store@0.2.0-rc.1", ungranted: Ungranted::Harmless }]
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

    fn link(&self, linker: &mut Linker<Guest>, _: &Grant, _: coracle_host::Mode) -> wasmtime::Result<()> {
        let seen = Arc::clone(&self.0);
        let mut store = linker.instance("wasi:config/store@0.2.0-rc.1")?;
        store.func_wrap("get", move |mut store, (key,): (String,)| {
            let who = caller(store.as_context_mut());
            seen.lock().unwrap().push((key, who));
            Ok((Ok::<Option<String>, Error>(None),))
        })?;
        store.func_wrap("get-all", |_, ()| Ok((Ok::<Vec<(String, String)>, Error>(Vec::new()),)))
    }
}

const REQUESTS: u128 = 12;

async fn observe(reuse: Reuse) -> Vec<(String, Caller)> {
    let witness = Witness::default();
    let seen = Arc::clone(&witness.0);
    let grants: Vec<(Arc<dyn Plugin>, Grant)> =
        vec![(Arc::new(Http), Grant::Denied), (Arc::new(witness), Grant::Denied)];
    let rig = Rig::with(&engine(), "p3/caller", Limits::default(), reuse, grants).await;
    let calls = (1..=REQUESTS).map(|n| {
        let rig = &rig;
        async move {
            let request = request("GET", &format!("/?key={n}&ms={}", n % 4), empty());
            let call = Call {
                request,
                id: RequestId(n),
                meter: Arc::new(Meter::default()),
                keep: false,
                depth: 0,
                onward: None,
            };
            text(rig.pool.call(call).await.unwrap()).await.unwrap();
        }
    });
    futures::future::join_all(calls).await;
    rig.pool.retire();
    rig.pool.drained().await;
    seen.lock().unwrap().clone()
}

fn whose(key: &str) -> (RequestId, &str) {
    let (number, what) = key.split_once('.').unwrap();
    (RequestId(number.parse().unwrap()), what)
}

#[tokio::test]
async fn interleaved_awaits_keep_their_request() {
    let seen = observe(Reuse { requests: 100, concurrency: 16, idle: Duration::from_secs(1) }).await;
    let during: Vec<_> = seen.iter().filter(|(key, _)| whose(key).1 != "after").collect();
    assert_eq!(during.len(), REQUESTS as usize * 6, "entry, left ×3, right ×2 of each request");
    for (key, who) in during {
        assert_eq!(*who, Caller::Request(whose(key).0), "{key}");
    }
    let order: Vec<_> = seen.iter().map(|(key, _)| whose(key).0).collect();
    assert!(order.windows(2).any(|pair| pair[0] > pair[1]), "the requests did interleave: {order:?}");
}

#[tokio::test]
async fn work_after_the_response_is_never_given_to_another_request() {
    for concurrency in [1, 16] {
        let seen = observe(Reuse { requests: 100, concurrency, idle: Duration::from_secs(1) }).await;
        let after: Vec<_> = seen.iter().filter(|(key, _)| whose(key).1 == "after").collect();
        assert_eq!(after.len(), REQUESTS as usize, "concurrency {concurrency}");
        for (key, who) in after {
            let own = Caller::Request(whose(key).0);
            assert!(*who == own || *who == Caller::Instance, "{key} was taken for {who:?}");
            // One at a time the instance waits for it, so its request is still known.
            assert!(concurrency > 1 || *who == own, "{key}: {who:?}");
        }
    }
}
