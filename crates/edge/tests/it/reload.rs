//! Reloads: under load, by a changed file, with everything that is unchanged kept.

use crate::raw::PATIENCE;
use coracle_testkit::{Stub, TestApp, guest};
use http::StatusCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

fn manifest(url: &str, wasm: &str, more: &str) -> String {
    format!(
        "name = \"x\"
        [component.hello]
        source = \"{wasm}\"
        {more}
        [upstream.node]
        url = \"{url}\"
        [[route]]
        path = \"/hello\"
        to = \"hello\"
        [[route]]
        path = \"/*\"
        to = \"node\""
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost() {
    let stub = Stub::saying("node").await;
    let wasm = guest("p3/hello").display().to_string();
    let app = Arc::new(TestApp::start(&manifest(&stub.url(), &wasm, "")).await);
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = ["/hello", "/x", "/hello", "/y"]
        .into_iter()
        .map(|path| {
            let (app, stop) = (Arc::clone(&app), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut served = 0;
                while !stop.load(Relaxed) {
                    let reply = app.get(path).await;
                    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
                    served += 1;
                }
                served
            })
        })
        .collect();
    for round in 0..20 {
        // Every other reload replaces the pool.
        let more = format!("env = {{ ROUND = \"{}\" }}", round / 2);
        app.write_manifest(&manifest(&stub.url(), &wasm, &more));
        app.edge.reload().await.unwrap();
    }
    stop.store(true, Relaxed);
    for client in clients {
        assert!(client.await.unwrap() > 0);
    }
    assert_eq!(app.edge.state().generation, 21);
}

#[tokio::test]
async fn an_unchanged_component_is_kept() {
    let stub = Stub::saying("node").await;
    let wasm = guest("p3/hello").display().to_string();
    let app = TestApp::start(&manifest(&stub.url(), &wasm, "")).await;
    app.write_manifest(&format!("# moved by a line\n{}", manifest(&stub.url(), &wasm, "")));
    let reloaded = app.edge.reload().await.unwrap();
    assert_eq!((reloaded.kept, reloaded.replaced), (vec!["hello".to_owned()], vec![]));
    app.write_manifest(&manifest(&stub.url(), &wasm, "limits = { memory = \"1MiB\" }"));
    let reloaded = app.edge.reload().await.unwrap();
    assert_eq!((reloaded.kept, reloaded.replaced), (vec![], vec!["hello".to_owned()]));
}

#[tokio::test]
async fn a_changed_file_is_taken_into_use() {
    let stub = Stub::saying("node").await;
    let dir = tempfile::TempDir::new().unwrap();
    let wasm = dir.path().join("build/app.wasm");
    std::fs::create_dir(wasm.parent().unwrap()).unwrap();
    std::fs::copy(guest("p3/hello"), &wasm).unwrap();
    let text = manifest(&stub.url(), "build/app.wasm", "");
    let app = TestApp::start_in(dir, &text, |settings| settings.watch = true).await;
    assert_eq!(app.get("/hello").await.text(), "hello\n");
    let first = app.edge.state().components["hello"].digest.clone();
    let generation = async |wanted: u64| {
        let swapped = async {
            while app.edge.state().generation < wanted {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, swapped).await.expect("it reloads");
    };
    // As compilers do: written aside, renamed over.
    let aside = wasm.with_extension("new");
    std::fs::copy(guest("p2/hello"), &aside).unwrap();
    std::fs::rename(&aside, &wasm).unwrap();
    generation(2).await;
    assert_ne!(app.edge.state().components["hello"].digest, first);
    assert_eq!(app.get("/hello").await.text(), "hello\n");
    // A broken build changes nothing, and the next good one is seen.
    std::fs::write(&wasm, "no wasm").unwrap();
    std::fs::remove_dir_all(wasm.parent().unwrap()).unwrap();
    assert_eq!(app.get("/hello").await.text(), "hello\n");
    std::fs::create_dir(wasm.parent().unwrap()).unwrap();
    std::fs::copy(guest("p3/hello"), &aside).unwrap();
    std::fs::rename(&aside, &wasm).unwrap();
    let back = async {
        while app.edge.state().components["hello"].digest != first {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, back).await.expect("the good build is taken");
    app.write_manifest("name = \"x\"\n[[route]]\npath = \"/*\"\nredirect = \"/elsewhere\"\n");
    let redirected = async {
        while app.get("/hello").await.header("location") != "/elsewhere" {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, redirected).await.expect("the manifest is taken");
}
