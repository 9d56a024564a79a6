//! Many apps in one process: found by host name, loaded when they are called, none at the mercy of another.

use crate::raw::{PATIENCE, read_until};
use bytes::Bytes;
use coracle_edge::{AppSource, LoadError, Settings, StartError};
use coracle_testkit::{Reply, TestApp, guest};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// A folder under construction: `apps/` inside a directory that the test app has for itself.
struct Apps(TempDir);

impl Apps {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("apps")).unwrap();
        Self(dir)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("apps")
    }

    fn bare(self, name: &str, of: &str) -> Self {
        bare(&self.path(), name, of);
        self
    }

    fn app(self, name: &str, of: &str, more: &str) -> Self {
        app(&self.path(), name, of, more);
        self
    }

    async fn try_start(self, adjust: impl FnOnce(&mut Settings)) -> Result<TestApp, StartError> {
        let path = self.path();
        let many = |settings: &mut Settings| {
            settings.app = AppSource::Folder { path, variant: None, variables: BTreeMap::new() };
            adjust(settings);
        };
        TestApp::try_start(self.0, "", many).await
    }

    async fn start(self, adjust: impl FnOnce(&mut Settings)) -> TestApp {
        self.try_start(adjust).await.unwrap_or_else(|error| panic!("{error}"))
    }
}

/// Renamed into place, as compilers do: code that is mapped stays what it was.
fn bare(apps: &std::path::Path, name: &str, of: &str) {
    let aside = apps.join(format!(".{name}"));
    fs::copy(guest(of), &aside).unwrap();
    fs::rename(aside, apps.join(format!("{name}.wasm"))).unwrap();
}

fn app(apps: &std::path::Path, name: &str, of: &str, more: &str) {
    let source = guest(of).display().to_string();
    let text = format!(
        "name = \"{name}\"\n[component.main]\nsource = \"{source}\"\n[[route]]\npath = \"/*\"\nto = \"main\"\n{more}"
    );
    fs::create_dir_all(apps.join(name)).unwrap();
    fs::write(apps.join(name).join("coracle.toml"), text).unwrap();
}

async fn ask(app: &TestApp, host: &str) -> Reply {
    app.send(Request::get(app.url("/")).header("host", host).body(Full::<Bytes>::default()).unwrap()).await
}

async fn status(app: &TestApp) -> Value {
    serde_json::from_slice(&app.admin(Method::GET, "/status").await.body).unwrap()
}

#[tokio::test]
async fn hosts_find_their_app_and_nothing_is_mapped_until_called() {
    let app = Apps::new().app("shop", "p3/hello", "").bare("blog", "p2/hello").start(|_| {}).await;
    let before = status(&app).await;
    assert_eq!(before["apps"], serde_json::json!(["blog", "shop"]));
    assert_eq!((&before["images"]["mapped"], &before["images"]["loaded"]), (&0.into(), &0.into()));
    for host in ["shop", "shop.example.com", "SHOP.localhost:8080", "blog.test"] {
        let reply = ask(&app, host).await;
        assert_eq!((reply.status, reply.text()), (StatusCode::OK, "hello\n"), "{host}");
        if host.starts_with("shop") {
            let now = status(&app).await;
            assert_eq!(now["images"]["mapped"], 1, "{host}");
            assert_eq!(now["components"]["shop/main"]["mapped"], true);
            assert_eq!(now["components"]["blog/blog"]["mapped"], false);
        }
    }
    let unknown = ask(&app, "elsewhere.example.com").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert!(unknown.text().contains("urn:coracle:problem:unknown-host"), "{}", unknown.text());
    assert!(unknown.text().contains("NAME answers for the hosts NAME and NAME.*"), "{}", unknown.text());
}

#[tokio::test]
async fn of_two_that_claim_a_host_one_stays_and_both_places_are_said() {
    let claim = "[[route]]\nhost = \"blog\"\npath = \"/x\"\nto = \"main\"\n";
    let apps = Apps::new().bare("blog", "p2/hello").app("shop", "p3/hello", claim).app("fine", "p3/hello", "");
    let app = apps.start(|_| {}).await;
    for (host, expected) in [("blog", 200), ("fine", 200), ("shop", 404)] {
        assert_eq!(ask(&app, host).await.status.as_u16(), expected, "{host}");
    }
    let status = status(&app).await;
    let report = status["failed_apps"].as_object().unwrap().values().next().unwrap().as_str().unwrap();
    assert!(report.contains("answer for the host `blog`"), "{report}");
    assert!(report.contains("blog.wasm") && report.contains("shop/coracle.toml:7:1"), "{report}");
}

#[tokio::test]
async fn a_reload_adds_removes_changes_and_keeps() {
    let app = Apps::new().app("one", "p3/hello", "").app("two", "p3/hello", "").start(|_| {}).await;
    let apps = app.dir.path().join("apps");
    assert_eq!(ask(&app, "two").await.status, StatusCode::OK);
    fs::remove_dir_all(apps.join("one")).unwrap();
    bare(&apps, "three", "p2/hello");
    let reloaded = app.edge.reload().await.unwrap();
    assert_eq!((reloaded.kept, reloaded.replaced), (vec!["two/main".to_owned()], vec!["three/three".to_owned()]));
    for (host, expected) in [("one", 404), ("two", 200), ("three", 200)] {
        assert_eq!(ask(&app, host).await.status.as_u16(), expected, "{host}");
    }
    assert_eq!(status(&app).await["components"]["two/main"]["mapped"], true, "it was kept as it was");
    // One that breaks goes on as it was, whatever becomes of the others.
    fs::write(apps.join("two/coracle.toml"), "name = 3").unwrap();
    app_with_redirect(&apps, "four");
    let reloaded = app.edge.reload().await.unwrap();
    assert_eq!(reloaded.failed, [apps.join("two/coracle.toml").display().to_string()]);
    for (host, expected) in [("two", 200), ("three", 200), ("four", 307)] {
        assert_eq!(ask(&app, host).await.status.as_u16(), expected, "{host}");
    }
    app_with_redirect(&apps, "two");
    assert_eq!(app.edge.reload().await.unwrap().failed, Vec::<String>::new());
    assert_eq!(ask(&app, "two").await.status.as_u16(), 307);
}

fn app_with_redirect(apps: &std::path::Path, name: &str) {
    let text = format!("name = \"{name}\"\n[[route]]\npath = \"/*\"\nredirect = \"/there\"\n");
    fs::create_dir_all(apps.join(name)).unwrap();
    fs::write(apps.join(name).join("coracle.toml"), text).unwrap();
}

#[tokio::test]
async fn what_comes_into_a_watched_folder_is_served() {
    let app = Apps::new().bare("one", "p3/hello").start(|settings| settings.watch = true).await;
    let apps = app.dir.path().join("apps");
    bare(&apps, "two", "p3/hello");
    fs::create_dir(apps.join("three")).unwrap();
    app_with_redirect(&apps, "three");
    let served = async {
        while ask(&app, "two").await.status != 200 || ask(&app, "three").await.status != 307 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, served).await.expect("new apps are taken in");
}

#[tokio::test]
async fn a_broken_app_harms_no_other_and_only_broken_ones_are_an_error() {
    let broken = |apps: Apps| {
        fs::write(apps.path().join("bad.wasm"), "no wasm").unwrap();
        fs::write(apps.path().join("not a host.wasm"), "no wasm").unwrap();
        apps
    };
    let app = broken(Apps::new()).bare("good", "p3/hello").start(|_| {}).await;
    assert_eq!(ask(&app, "good").await.text(), "hello\n");
    assert_eq!(ask(&app, "bad").await.status, StatusCode::NOT_FOUND);
    assert_eq!(status(&app).await["failed_apps"].as_object().unwrap().len(), 2);
    for (apps, said) in [
        (broken(Apps::new()), vec!["bad.wasm", "can't be a host name", "no app in"]),
        (Apps::new(), vec!["there is no app in", "NAME/coracle.toml"]),
    ] {
        let Err(StartError::Load(error @ LoadError::NoApp { .. })) = apps.try_start(|_| {}).await else {
            panic!("it starts, or fails otherwise");
        };
        let text = error.render(false);
        assert!(said.iter().all(|part| text.contains(part)), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_first_callers_share_one_load() {
    let app = Apps::new().bare("one", "p3/hello").bare("two", "p2/hello").start(|_| {}).await;
    let calls = (0..16).map(|call| ask(&app, if call % 2 == 0 { "one" } else { "two" }));
    for reply in futures::future::join_all(calls).await {
        assert_eq!(reply.text(), "hello\n");
    }
    assert_eq!(status(&app).await["images"]["loaded"], 2);
}

#[tokio::test]
async fn the_cold_make_room_and_those_at_work_stay() {
    let apps = Apps::new().bare("busy", "p3/echo").bare("cold", "p2/hello").bare("new", "p3/hello");
    let app = apps.start(|settings| settings.engine.most_images = Some(2)).await;
    let mut stream = TcpStream::connect(app.addr).await.unwrap();
    let head = "POST / HTTP/1.1\r\nhost: busy\r\ncontent-length: 8\r\nconnection: close\r\n\r\nhalf";
    stream.write_all(head.as_bytes()).await.unwrap();
    // The guest has begun to answer, and waits for the rest.
    read_until(&mut stream, "half").await;
    assert_eq!(ask(&app, "cold").await.text(), "hello\n");
    assert_eq!(ask(&app, "new").await.text(), "hello\n", "the cold one makes room");
    let now = status(&app).await;
    assert_eq!((&now["images"]["mapped"], &now["images"]["evicted"]), (&2.into(), &1.into()));
    assert_eq!(now["components"]["busy/busy"]["mapped"], true, "older, but at work");
    assert_eq!(ask(&app, "cold").await.text(), "hello\n", "and comes back");
    stream.write_all(b"done").await.unwrap();
    read_until(&mut stream, "done").await;
}

#[tokio::test]
async fn when_all_are_at_work_there_is_no_room_for_another() {
    let apps = Apps::new().bare("busy", "p3/echo").bare("new", "p3/hello");
    let app = apps.start(|settings| settings.engine.most_images = Some(1)).await;
    let mut stream = TcpStream::connect(app.addr).await.unwrap();
    let head = "POST / HTTP/1.1\r\nhost: busy\r\ncontent-length: 8\r\nconnection: close\r\n\r\nhalf";
    stream.write_all(head.as_bytes()).await.unwrap();
    read_until(&mut stream, "half").await;
    let refused = ask(&app, "new").await;
    assert_eq!((refused.status, refused.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "1"));
    assert!(refused.text().contains("no-room"), "{}", refused.text());
    stream.write_all(b"done").await.unwrap();
    read_until(&mut stream, "done").await;
    let served = async { while ask(&app, "new").await.status != StatusCode::OK {} };
    tokio::time::timeout(PATIENCE, served).await.expect("the one that is done makes room");
}

#[tokio::test]
async fn a_load_that_fails_is_answered_and_tried_again() {
    let cache = TempDir::new().unwrap();
    let apps = Apps::new().bare("one", "p3/hello").bare("other", "p2/hello");
    let app = apps.start(|settings| settings.engine.cache_dir = Some(cache.path().join("compiled"))).await;
    let apps = app.dir.path().join("apps");
    let aside = app.dir.path().join("aside.wasm");
    fs::rename(apps.join("one.wasm"), &aside).unwrap();
    bare(&apps, "one", "p2/echo");
    let mut app = app;
    let refused = ask(&app, "one").await;
    assert_eq!((refused.status, refused.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "1"));
    assert!(refused.text().contains("urn:coracle:problem:not-loaded"), "{}", refused.text());
    let why = app.record().await.error.unwrap();
    assert!(why.contains("another component than the one that was registered"), "{why}");
    assert_eq!(ask(&app, "other").await.text(), "hello\n");
    fs::rename(&aside, apps.join("one.wasm")).unwrap();
    let served = async { while ask(&app, "one").await.status != StatusCode::OK {} };
    tokio::time::timeout(PATIENCE, served).await.expect("it is tried again");
}
