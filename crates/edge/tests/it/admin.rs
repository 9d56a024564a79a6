//! The admin listener: who may ask it, and what it answers.

use coracle_testkit::{ADMIN_TOKEN, TestApp};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use std::os::unix::fs::PermissionsExt as _;

const MANIFEST: &str = "name = \"x\"\n[[route]]\npath = \"/*\"\nredirect = \"/\"\n";

async fn ask(app: &TestApp, method: Method, path: &str, headers: &[(&str, &str)]) -> StatusCode {
    let mut request = Request::builder().method(method).uri(format!("http://{}{path}", app.admin));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.send(request.body(Full::default()).unwrap()).await.status
}

#[tokio::test]
async fn health_needs_no_token() {
    let app = TestApp::start(MANIFEST).await;
    assert_eq!(ask(&app, Method::GET, "/livez", &[]).await, StatusCode::OK);
    assert_eq!(ask(&app, Method::GET, "/readyz", &[]).await, StatusCode::OK);
    assert_eq!(ask(&app, Method::GET, "/nothing", &[]).await, StatusCode::NOT_FOUND);
    assert_eq!(ask(&app, Method::POST, "/livez", &[]).await, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_host_name_is_refused_for_it_could_be_rebound() {
    let app = TestApp::start(MANIFEST).await;
    for path in ["/livez", "/status"] {
        assert_eq!(ask(&app, Method::GET, path, &[("host", "rebound.example.com")]).await, StatusCode::FORBIDDEN);
        assert_eq!(ask(&app, Method::GET, path, &[("host", "localhost:1")]).await, StatusCode::OK);
        assert_eq!(ask(&app, Method::GET, path, &[("host", "[::1]:1")]).await, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_change_needs_the_token_and_no_foreign_page() {
    let app = TestApp::start(MANIFEST).await;
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    let own = format!("http://{}", app.admin);
    let refused: [(&[(&str, &str)], StatusCode); 5] = [
        (&[], StatusCode::UNAUTHORIZED),
        (&[("authorization", "Bearer wrong")], StatusCode::FORBIDDEN),
        (&[("authorization", ADMIN_TOKEN)], StatusCode::UNAUTHORIZED),
        (&[("authorization", &bearer), ("origin", "https://evil.example.com")], StatusCode::FORBIDDEN),
        (&[("authorization", &bearer), ("origin", "null")], StatusCode::FORBIDDEN),
    ];
    for (headers, status) in refused {
        assert_eq!(ask(&app, Method::POST, "/reload", headers).await, status, "{headers:?}");
    }
    assert_eq!(app.edge.state().generation, 1);
    assert_eq!(ask(&app, Method::GET, "/reload", &[("authorization", &bearer)]).await, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(
        ask(&app, Method::POST, "/reload", &[("authorization", &bearer), ("origin", &own)]).await,
        StatusCode::OK
    );
    assert_eq!(app.edge.state().generation, 2);
}

#[tokio::test]
async fn a_made_up_token_is_for_this_user_alone() {
    let app = TestApp::start_with(MANIFEST, |settings| settings.admin_token = None).await;
    let (token, file) = app.edge.admin_token().unwrap();
    let file = file.unwrap();
    assert_eq!(std::fs::read_to_string(file).unwrap(), token);
    assert_eq!(token.len(), 64);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let bearer = format!("Bearer {token}");
    assert_eq!(ask(&app, Method::POST, "/reload", &[("authorization", &bearer)]).await, StatusCode::OK);
}

#[tokio::test]
async fn a_reload_that_fails_tells_everything_and_changes_nothing() {
    let app = TestApp::start(MANIFEST).await;
    app.write_manifest("name = 7\n[[route]]\npath = \"no-slash\"\nto = \"nobody\"\n");
    let reply = app.admin(Method::POST, "/reload").await;
    assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY);
    for part in ["name", "no-slash", "nobody"] {
        assert!(reply.text().contains(part), "{part} is not in {}", reply.text());
    }
    assert_eq!(app.edge.state().generation, 1);
    assert_eq!(app.get("/").await.status.as_u16() / 100, 3);
}

#[tokio::test]
async fn status_shows_what_is_served() {
    let app = TestApp::start(
        "name = \"shop\"\n[upstream.node]\nurl = \"http://127.0.0.1:9\"\n[[route]]\nmethods = [\"GET\"]\npath = \"/a/:b\"\nto = \"node\"\n",
    )
    .await;
    let status: serde_json::Value = serde_json::from_slice(&app.admin(Method::GET, "/status").await.body).unwrap();
    assert_eq!(status["app"], "shop");
    assert_eq!(status["ready"], true);
    assert_eq!(status["routes"], serde_json::json!([{ "route": "GET /a/:b", "to": "node" }]));
    assert_eq!(status["upstreams"]["node"]["supervised"], false);
}
