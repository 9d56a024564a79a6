//! Rollouts from outside: a route moves from Node to a component, is taken back, and is found again after a restart.

use bytes::Bytes;
use coracle_testkit::{ADMIN_TOKEN, Reply, Stub, TestApp, guest};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tempfile::TempDir;

/// Node, saying what the component says.
async fn node() -> Stub {
    Stub::start(|_| async {
        let response = http::Response::builder().header("content-type", "text/plain");
        response.body(Full::new(Bytes::from_static(b"alive\n"))).unwrap()
    })
    .await
}

fn manifest(url: &str, guest_name: &str, rollout: &str) -> String {
    let source = guest(guest_name).display().to_string();
    format!(
        "name = \"shop\"
        [component.price]
        source = \"{source}\"
        [upstream.node]
        url = \"{url}\"
        [[route]]
        path = \"/*\"
        to = \"price\"
        rollout = {{ from = \"node\", {rollout} }}"
    )
}

async fn rollout(app: &TestApp) -> Value {
    let reply = app.admin(Method::GET, "/v1/rollouts").await;
    let all: Value = serde_json::from_slice(&reply.body).unwrap();
    all["rollouts"].as_array().unwrap().last().cloned().unwrap()
}

async fn say(app: &TestApp, path: &str, body: Value) -> (StatusCode, Value) {
    let request = Request::post(format!("http://{}{path}", app.admin));
    let request = request.header("authorization", format!("Bearer {ADMIN_TOKEN}"));
    let reply = app.send(request.body(Full::new(Bytes::from(body.to_string()))).unwrap()).await;
    (reply.status, serde_json::from_slice(&reply.body).unwrap())
}

async fn get(app: &TestApp, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::get(app.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.send(request.body(Full::default()).unwrap()).await
}

/// Sends requests until told to stop; counts those that failed.
struct Load {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    clients: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn on(app: &Arc<TestApp>, path: &'static str) -> Self {
        let (stop, sent, failed) =
            (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let client = |number: u64| {
            let (app, stop, sent, failed) =
                (Arc::clone(app), Arc::clone(&stop), Arc::clone(&sent), Arc::clone(&failed));
            tokio::spawn(async move {
                let mut user = number;
                while !stop.load(Relaxed) {
                    user += 100;
                    let cookie = format!("coracle-key=user-{user}");
                    let reply = get(&app, path, &[("cookie", &cookie)]).await;
                    sent.fetch_add(1, Relaxed);
                    if reply.status != StatusCode::OK {
                        failed.fetch_add(1, Relaxed);
                    }
                }
            })
        };
        let clients = (0..16).map(client).collect();
        Self { stop, sent, failed, clients }
    }

    async fn end(self) -> (u64, u64) {
        self.stop.store(true, Relaxed);
        for client in self.clients {
            client.await.unwrap();
        }
        (self.sent.load(Relaxed), self.failed.load(Relaxed))
    }
}

/// Waits until the rollout is in one of these phases.
async fn until(app: &TestApp, phases: &[&str]) -> Value {
    for _ in 0..600 {
        let now = rollout(app).await;
        if phases.contains(&now["phase"].as_str().unwrap()) {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it never got to {phases:?}: {}", rollout(app).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_node_to_promoted_without_a_failed_request() {
    // A Node that takes its time: how fast a debug build is isn't what is tried here.
    let stub = Stub::start(|_| async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        http::Response::new(Full::new(Bytes::from_static(b"alive\n")))
    })
    .await;
    let steps = "steps = [\"shadow 50% for 1s\", \"1% for 1s\", \"50% for 1s\", \"bake 1s\"], ignore = [\"header content-type\"]";
    let app = Arc::new(TestApp::start(&manifest(&stub.url(), "p3/trap", steps)).await);
    let load = Load::on(&app, "/");
    let ended = until(&app, &["promoted", "rolled-back"]).await;
    let (sent, failed) = load.end().await;
    assert_eq!((failed, ended["phase"].as_str()), (0, Some("promoted")), "of {sent}: {ended:#}");
    assert_eq!(ended["verdict"]["answer"], "not-worse");
    let reply = get(&app, "/", &[]).await;
    assert!(reply.header("x-coracle-version").starts_with("price@"), "{:?}", reply.headers);
    let events = app.admin(Method::GET, "/v1/rollouts/r1/events").await;
    let events: Value = serde_json::from_slice(&events.body).unwrap();
    let told: Vec<_> =
        events["events"].as_array().unwrap().iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    assert_eq!(told.iter().filter(|event| **event == "step").count(), 4, "{told:?}");
    assert_eq!(told.last(), Some(&"promoted"));
    let baseline = events["events"].as_array().unwrap().iter().find(|entry| entry["event"] == "baseline").unwrap();
    let usual = baseline["thresholds"]["milliseconds"][0].as_f64().unwrap();
    assert!((50.0..500.0).contains(&usual), "Node takes 50 ms: {baseline}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_traps_is_rolled_back_and_no_client_notices() {
    let stub = node().await;
    let app = Arc::new(TestApp::start(&manifest(&stub.url(), "p3/trap", "steps = [\"20% for 10m\"]")).await);
    let load = Load::on(&app, "/?when=before");
    let ended = until(&app, &["rolled-back"]).await;
    let (sent, failed) = load.end().await;
    assert_eq!(failed, 0, "of {sent}: Node answered instead");
    assert!(["regressed", "breaker"].contains(&ended["cause"].as_str().unwrap()), "{ended:#}");
    assert_eq!((&ended["share"], get(&app, "/", &[]).await.header("x-coracle-version")), (&json!(0), "node"));
    let (status, body) = say(&app, "/v1/rollouts", json!({ "route": "price", "actor": "ada" })).await;
    assert_eq!(status, StatusCode::CONFLICT, "{body}");
    assert!(body["detail"].as_str().unwrap().contains("was rolled back before"), "{body}");
    let (status, body) = say(&app, "/v1/rollouts", json!({ "route": "price", "actor": "ada", "retry": true })).await;
    assert_eq!((status, body["id"].as_str()), (StatusCode::OK, Some("r2")), "{body}");
}

#[tokio::test]
async fn a_person_decides() {
    let stub = node().await;
    let app =
        TestApp::start(&manifest(&stub.url(), "p3/trap", "steps = [\"50% for 10m\"], key = \"header x-user\"")).await;
    until(&app, &["ramping"]).await;
    let override_new = [("coracle-version-override", "price=new")];
    assert!(get(&app, "/", &override_new).await.header("x-coracle-version").starts_with("price@"));
    let unauthorized = app
        .send(Request::post(format!("http://{}/v1/rollouts/r1/abort", app.admin)).body(Full::default()).unwrap())
        .await;
    assert_eq!(unauthorized.status, StatusCode::UNAUTHORIZED);
    let (status, body) = say(&app, "/v1/rollouts/r1/promote", json!({ "actor": "ada" })).await;
    assert_eq!((status, body["detail"].as_str().unwrap().contains("nothing proves yet")), (StatusCode::CONFLICT, true));
    for (verb, phase) in [("pause", "holding"), ("resume", "ramping"), ("freeze", "frozen"), ("thaw", "holding")] {
        let (status, body) =
            say(&app, &format!("/v1/rollouts/price/{verb}"), json!({ "actor": "ada", "reason": "a test" })).await;
        assert_eq!((status, body["phase"].as_str()), (StatusCode::OK, Some(phase)), "{body}");
    }
    let forced = json!({ "actor": "ada", "reason": "it must go out", "force": true });
    let (_, body) = say(&app, "/v1/rollouts/r1/promote", forced).await;
    assert_eq!(
        (&body["phase"], &body["share"], &body["forced"]),
        (&json!("promoted"), &json!(10_000), &json!("it must go out"))
    );
    for user in 0..20 {
        assert!(
            get(&app, "/", &[("x-user", &user.to_string())]).await.header("x-coracle-version").starts_with("price@")
        );
    }
    let (_, body) = say(&app, "/v1/rollouts/r1/abort", json!({ "actor": "ada", "reason": "no, it burns" })).await;
    assert_eq!(body["share"], json!(0));
    until(&app, &["rolled-back"]).await;
    assert_eq!(get(&app, "/", &[]).await.header("x-coracle-version"), "node");
    let events = app.admin(Method::GET, "/v1/rollouts/r1/events?from=3").await;
    let events: Value = serde_json::from_slice(&events.body).unwrap();
    let told: Vec<_> = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["event"].as_str().unwrap(), entry["actor"].as_str().unwrap()))
        .collect();
    let expected = [
        ("step", "clock"),
        ("held", "ada"),
        ("resumed", "ada"),
        ("frozen", "ada"),
        ("thawed", "ada"),
        ("promoted", "ada"),
        ("rollback-started", "ada"),
        ("rolled-back", "clock"),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_restart_goes_on_with_the_same_assignment() {
    let stub = node().await;
    let dir = TempDir::new().unwrap();
    let text = manifest(&stub.url(), "p3/trap", "steps = [\"50% for 10m\"], key = \"header x-user\"");
    let state_dir = dir.path().join("state");
    let mut seen = Vec::new();
    for round in 0..2 {
        let app =
            TestApp::start_in(TempDir::new().unwrap(), &text, |settings| settings.state_dir = Some(state_dir.clone()))
                .await;
        let now = until(&app, &["ramping"]).await;
        assert_eq!((now["id"].as_str(), now["step"].as_u64()), (Some("r1"), Some(0)), "round {round}");
        let mut versions = Vec::new();
        for user in 0..40 {
            versions.push(
                get(&app, "/", &[("x-user", &format!("user-{user}"))]).await.header("x-coracle-version").to_owned(),
            );
        }
        let new = versions.iter().filter(|version| version.starts_with("price@")).count();
        assert!((8..=32).contains(&new), "{new} of 40 at 50 %");
        seen.push(versions);
        app.edge.shutdown_now();
        app.edge.wait().await;
    }
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn a_reload_keeps_the_rollout_where_it_is() {
    let stub = node().await;
    let text = manifest(&stub.url(), "p3/trap", "steps = [\"50% for 10m\"]");
    let app = TestApp::start(&text).await;
    until(&app, &["ramping"]).await;
    app.write_manifest(&format!("{text}\n[config]\nx = \"1\"\n"));
    assert_eq!(app.admin(Method::POST, "/reload").await.status, StatusCode::OK);
    let now = rollout(&app).await;
    assert_eq!(
        (now["id"].as_str(), now["phase"].as_str(), now["share"].as_u64()),
        (Some("r1"), Some("ramping"), Some(5000))
    );
    app.write_manifest(&manifest(&stub.url(), "p3/hello", "steps = [\"50% for 10m\"]"));
    assert_eq!(app.admin(Method::POST, "/reload").await.status, StatusCode::OK);
    let now = until(&app, &["ramping"]).await;
    assert_eq!(now["id"].as_str(), Some("r2"), "another digest is another rollout: {now:#}");
}

/// A later deployment of the same component goes from what was promoted, not from Node again, and back to it: also when its
/// file is overwritten and the process was restarted in between.
#[tokio::test]
async fn the_next_version_takes_over_from_the_promoted_one() {
    let stub = node().await;
    let (dir, wasm) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let state_dir = dir.path().join("state");
    let file = wasm.path().join("price.wasm");
    std::fs::copy(guest("p3/trap"), &file).unwrap();
    let steps = "steps = [\"50% for 10m\"], key = \"header x-user\"";
    let text = manifest(&stub.url(), "p3/trap", steps);
    let text = text.replace(&guest("p3/trap").display().to_string(), &file.display().to_string());
    let app =
        TestApp::start_in(TempDir::new().unwrap(), &text, |settings| settings.state_dir = Some(state_dir.clone()))
            .await;
    until(&app, &["ramping"]).await;
    let forced = json!({ "actor": "ada", "reason": "a test", "force": true });
    assert_eq!(say(&app, "/v1/rollouts/r1/promote", forced).await.0, StatusCode::OK);
    let first = get(&app, "/", &[]).await.header("x-coracle-version").to_owned();
    std::fs::copy(guest("p3/hello"), &file).unwrap();
    assert_eq!(app.admin(Method::POST, "/reload").await.status, StatusCode::OK);
    let now = until(&app, &["ramping"]).await;
    assert_eq!((now["id"].as_str(), now["old"].as_str()), (Some("r2"), Some(first.as_str())), "{now:#}");
    let texts = answers(&app).await;
    assert_eq!(texts, ["alive\n", "hello\n"], "both versions of one component answer");
    app.edge.shutdown_now();
    app.edge.wait().await;
    let app =
        TestApp::start_in(TempDir::new().unwrap(), &text, |settings| settings.state_dir = Some(state_dir.clone()))
            .await;
    let now = until(&app, &["ramping"]).await;
    assert_eq!((now["id"].as_str(), now["old"].as_str()), (Some("r2"), Some(first.as_str())), "{now:#}");
    assert_eq!(answers(&app).await, ["alive\n", "hello\n"]);
    let (_, body) = say(&app, "/v1/rollouts/r2/abort", json!({ "actor": "ada" })).await;
    assert_eq!(body["share"], json!(0));
    assert_eq!(answers(&app).await, ["alive\n"], "back to the promoted one, though its file is gone");
    assert_eq!(app.admin(Method::POST, "/reload").await.status, StatusCode::OK);
    assert_eq!(answers(&app).await, ["alive\n"]);
}

/// What forty users are told, each answer once.
async fn answers(app: &TestApp) -> Vec<String> {
    let mut texts = std::collections::BTreeSet::new();
    for user in 0..40 {
        texts.insert(get(app, "/", &[("x-user", &format!("user-{user}"))]).await.text().to_owned());
    }
    texts.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shadow_compares_and_sends_nothing() {
    // It draws a number for each answer: noise. The component says something else: a mismatch.
    let count = Arc::new(AtomicU64::new(0));
    let stub = Stub::start(move |_| {
        let number = count.fetch_add(1, Relaxed);
        async move {
            let response = http::Response::builder().header("x-drawn", number.to_string());
            response.body(Full::new(Bytes::from_static(b"node\n"))).unwrap()
        }
    })
    .await;
    let app =
        Arc::new(TestApp::start(&manifest(&stub.url(), "p3/trap", "steps = [\"shadow 100% for 10m\", \"1%\"]")).await);
    until(&app, &["shadowing"]).await;
    let load = Load::on(&app, "/");
    let ended = until(&app, &["rolled-back"]).await;
    let (sent, failed) = load.end().await;
    assert_eq!(failed, 0, "of {sent}");
    assert!(ended["reason"].as_str().unwrap().contains("different answers"), "{ended:#}");
    let diff: Value = serde_json::from_slice(&app.admin(Method::GET, "/v1/rollouts/r1/diff").await.body).unwrap();
    let places: Vec<_> =
        diff["places"].as_array().unwrap().iter().map(|place| place["place"].as_str().unwrap()).collect();
    assert!(places.contains(&"body") && !places.contains(&"header x-drawn"), "{diff:#}");
    assert!(diff["noise"].to_string().contains("header x-drawn"), "{diff:#}");
    assert_eq!(get(&app, "/", &[]).await.text(), "node\n");
}

#[tokio::test]
async fn a_rollout_is_a_flag() {
    let stub = node().await;
    let app =
        TestApp::start(&manifest(&stub.url(), "p3/trap", "steps = [\"50% for 10m\"], key = \"header x-user\"")).await;
    until(&app, &["ramping"]).await;
    for user in ["ada", "bob", "eve", "joe"] {
        let version = get(&app, "/", &[("x-user", user)]).await.header("x-coracle-version").to_owned();
        let (status, flag) =
            say(&app, "/ofrep/v1/evaluate/flags/shop.price.version", json!({ "context": { "targetingKey": user } }))
                .await;
        assert_eq!((status, flag["value"].as_str()), (StatusCode::OK, Some(version.as_str())));
    }
    let (status, all) = say(&app, "/ofrep/v1/evaluate/flags", json!({ "context": { "targetingKey": "ada" } })).await;
    assert_eq!((status, all["flags"].as_array().unwrap().len()), (StatusCode::OK, 1));
    assert_eq!(say(&app, "/ofrep/v1/evaluate/flags/no", json!({ "context": {} })).await.0, StatusCode::NOT_FOUND);
}

/// Every call of the description exists, and no other does.
#[tokio::test]
async fn the_description_is_of_this_interface() {
    let stub = node().await;
    let app = TestApp::start(&manifest(&stub.url(), "p3/trap", "steps = [\"50% for 10m\"]")).await;
    let document: Value = serde_json::from_slice(&app.admin(Method::GET, "/v1/openapi.json").await.body).unwrap();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let real = path.replace("{id}", "r1").replace("{key}", "shop.price.version");
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let described = methods.get(method.as_str().to_lowercase()).is_some();
            let reply = app.admin(method.clone(), &real).await;
            assert_eq!(described, reply.status != StatusCode::METHOD_NOT_ALLOWED, "{method} {path}: {}", reply.text());
            assert_ne!(reply.status, StatusCode::NOT_FOUND, "{method} {path}");
        }
    }
}
