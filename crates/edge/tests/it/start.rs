//! Starting: what is in the way is said in a sentence.

use coracle_edge::{Edge, Settings, StartError};
use coracle_testkit::TestApp;
use std::net::SocketAddr;
use tempfile::TempDir;

const MANIFEST: &str = "name = \"x\"\n[[route]]\npath = \"/*\"\nredirect = \"/\"\n";

async fn refused(manifest: &str, adjust: impl FnOnce(&mut Settings)) -> StartError {
    match TestApp::try_start(TempDir::new().unwrap(), manifest, adjust).await {
        Ok(_) => panic!("it starts"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn an_address_belongs_to_one_process() {
    let app = TestApp::start(MANIFEST).await;
    let error = refused(MANIFEST, |settings| settings.listen = vec![app.addr.into()]).await;
    let text = error.to_string();
    assert!(text.contains(&app.addr.to_string()) && text.contains("another process listens there"), "{text}");
    let error = refused(MANIFEST, |settings| settings.admin = Some(app.admin)).await;
    assert!(error.to_string().contains(&app.admin.to_string()), "{error}");
}

#[tokio::test]
async fn an_address_is_free_again_at_once() {
    let app = TestApp::start(MANIFEST).await;
    app.get("/").await;
    let addr = app.addr;
    app.edge.shutdown();
    app.edge.wait().await;
    let again = TestApp::start_with(MANIFEST, |settings| settings.listen = vec![addr.into()]).await;
    assert_eq!(again.addr, addr);
}

#[tokio::test]
async fn several_addresses_are_served() {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let app = TestApp::start_with(MANIFEST, |settings| settings.listen = vec![any.into(), any.into()]).await;
    let [first, second] = app.edge.addrs() else { panic!("two addresses") };
    assert_ne!(first, second);
    for addr in [first, second] {
        let reply = crate::raw::exchange(*addr, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        assert!(reply.starts_with("HTTP/1.1 30"), "{reply}");
    }
}

#[tokio::test]
async fn everything_wrong_with_a_manifest_is_reported_at_once() {
    let manifest = "
        name = \"x\"
        [component.one]
        source = \"missing-one.wasm\"
        [component.two]
        source = \"missing-two.wasm\"
        [[route]]
        path = \"/one\"
        to = \"one\"
        [[route]]
        path = \"/two\"
        to = \"two\"
    ";
    let StartError::Load(error) = refused(manifest, |_| {}).await else { panic!("it is about the app") };
    let report = error.render(false);
    assert!(report.contains("missing-one.wasm") && report.contains("missing-two.wasm"), "{report}");
    assert!(report.contains("coracle.toml:3"), "{report}");
}

#[tokio::test]
async fn a_missing_manifest_is_named() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("nowhere.toml");
    let app = coracle_edge::AppSource::Manifest { path: path.clone(), variant: None, variables: Default::default() };
    let Err(error) = Edge::start(Settings { app, ..Settings::default() }).await else { panic!("it starts") };
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
}
