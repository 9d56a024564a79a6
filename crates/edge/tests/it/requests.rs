//! Routing as clients see it, refusals, and requests that are none.

use crate::raw::exchange;
use coracle_telemetry::Outcome;
use coracle_testkit::{Stub, TestApp};
use http::{Request, StatusCode};
use http_body_util::Full;

async fn app() -> TestApp {
    TestApp::start(
        r#"
        name = "routes"
        [[route]]
        path = "/old"
        redirect = "/new"
        [[route]]
        path = "/read/:id"
        methods = ["GET"]
        redirect = "/got"
        [[route]]
        path = "/read/:id"
        methods = ["PUT"]
        redirect = "/put"
        [[route]]
        host = "api.example.com"
        path = "/old"
        redirect = "https://example.com/elsewhere"
        "#,
    )
    .await
}

#[tokio::test]
async fn a_redirect_takes_the_query_along() {
    let app = app().await;
    let reply = app.get("/old?a=1").await;
    assert_eq!(reply.status.as_u16() / 100, 3);
    assert_eq!(reply.header("location"), "/new?a=1");
}

#[tokio::test]
async fn hosts_match_without_case_and_port() {
    let app = app().await;
    let request = |host: &str| Request::get(app.url("/old")).header("host", host).body(Full::default()).unwrap();
    for host in ["api.example.com", "API.Example.COM", "api.example.com:8080"] {
        assert_eq!(app.send(request(host)).await.header("location"), "https://example.com/elsewhere", "{host}");
    }
    assert_eq!(app.send(request("other.example.com")).await.header("location"), "/new");
}

#[tokio::test]
async fn an_unknown_path_is_a_problem_with_an_id() {
    let mut app = app().await;
    let reply = app.get("/nothing?secret=1").await;
    assert_eq!(reply.status, StatusCode::NOT_FOUND);
    assert_eq!(reply.header("content-type"), "application/problem+json");
    let problem: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(problem["status"], 404);
    assert_eq!(problem["type"], "urn:coracle:problem:not-found");
    assert_eq!(problem["instance"], format!("urn:coracle:request:{}", reply.header("x-request-id")));
    let record = app.record().await;
    assert_eq!(record.id.to_string(), reply.header("x-request-id"));
    assert_eq!((record.status, record.outcome, record.path.as_str()), (404, Outcome::Complete, "/nothing"));
    assert_eq!(record.route, None);
}

#[tokio::test]
async fn a_path_with_other_methods_says_which() {
    let app = app().await;
    let reply = app.post("/read/1", "").await;
    assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(reply.header("allow"), "GET, HEAD, PUT");
}

#[tokio::test]
async fn head_is_answered_by_the_route_for_get() {
    let app = app().await;
    let reply = app.send(Request::head(app.url("/read/1")).body(Full::default()).unwrap()).await;
    assert_eq!(reply.header("location"), "/got");
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let app = app().await;
    let check = async |request: &str, status: &str| {
        let reply = exchange(app.addr, request).await;
        assert!(reply.starts_with(&format!("HTTP/1.1 {status}")), "{request:?} got {reply:?}");
    };
    check("GET /old HTTP/1.1\r\nconnection: close\r\n\r\n", "400").await;
    check("GET /old HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n", "400").await;
    check("GET /old HTTP/1.1\r\nhost: user@a\r\nconnection: close\r\n\r\n", "400").await;
    check("GET /old HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n", "400").await;
    check("CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\nconnection: close\r\n\r\n", "501").await;
    check("OPTIONS * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", "400").await;
    check("nonsense\r\n\r\n", "400").await;
    check(&format!("GET /old HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(1000)), "431").await;
}

#[tokio::test]
async fn an_old_client_without_host_is_served() {
    let app = app().await;
    let reply = exchange(app.addr, "GET /old HTTP/1.0\r\n\r\n").await;
    assert!(reply.contains("location: /new"), "{reply}");
}

#[tokio::test]
async fn an_absolute_target_outranks_the_host_header() {
    let app = app().await;
    let request = "GET http://api.example.com/old HTTP/1.1\r\nhost: other\r\nconnection: close\r\n\r\n";
    let reply = exchange(app.addr, request).await;
    assert!(reply.contains("location: https://example.com/elsewhere"), "{reply}");
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let app = TestApp::start_with("name = \"x\"\n[[route]]\npath = \"/*\"\nredirect = \"/\"\n", |settings| {
        settings.header_timeout = std::time::Duration::from_millis(50)
    })
    .await;
    for started in ["", "PRI * HT", "GET / HTTP/1.1\r\nhost"] {
        // `exchange` returns only when the server closes.
        let reply = exchange(app.addr, started).await;
        assert!(!reply.starts_with("HTTP/1.1 2"), "{started:?} got {reply:?}");
    }
}

#[tokio::test]
async fn http2_with_prior_knowledge_is_served() {
    use hyper_util::client::legacy::Client;
    use hyper_util::rt::TokioExecutor;
    let stub = Stub::start(|request: http::Request<hyper::body::Incoming>| async move {
        let cookies = request.headers().get_all("cookie").iter().map(|value| value.to_str().unwrap().to_owned());
        let seen = format!(
            "{:?} {} {}",
            request.version(),
            request.headers()["host"].to_str().unwrap(),
            cookies.collect::<Vec<_>>().join("|")
        );
        http::Response::new(Full::new(bytes::Bytes::from(seen)))
    })
    .await;
    let manifest =
        format!("name = \"x\"\n[upstream.node]\nurl = \"{}\"\n[[route]]\npath = \"/*\"\nto = \"node\"\n", stub.url());
    let app = TestApp::start(&manifest).await;
    let client: Client<_, Full<bytes::Bytes>> = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let request =
        Request::get(app.url("/")).header("cookie", "a=1").header("cookie", "b=2").body(Full::default()).unwrap();
    let response = client.request(request).await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_2);
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    assert_eq!(body, format!("HTTP/1.1 {} a=1; b=2", app.addr));
}

#[tokio::test]
async fn a_path_that_names_another_one_is_refused() {
    let stub = Stub::saying("private").await;
    let manifest = format!(
        "name = \"x\"\n[upstream.node]\nurl = \"{}\"\n[[route]]\npath = \"/public/*\"\nto = \"node\"\n",
        stub.url()
    );
    let app = TestApp::start(&manifest).await;
    for path in
        ["/public/../admin", "/public/%2e%2E/admin", "/public/.%2e", "/public/./x", "/public/x/%2e", "/public/..\\x"]
    {
        let reply = exchange(app.addr, &format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")).await;
        assert!(reply.starts_with("HTTP/1.1 400"), "{path} got {reply}");
    }
    for path in ["/public/...", "/public/.hidden", "/public/a..b/%2e%2e%2f?x=/../", "/public/a%2Fb"] {
        assert_eq!(app.get(path).await.text(), "private", "{path}");
    }
}

#[tokio::test]
async fn an_idle_http2_connection_is_closed_and_a_busy_one_is_not() {
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use std::time::Duration;
    let patience = Duration::from_millis(100);
    let stub = Stub::start(move |_| async move {
        tokio::time::sleep(patience * 4).await;
        http::Response::new(Full::new(bytes::Bytes::from_static(b"at last")))
    })
    .await;
    let manifest = crate::upstream::manifest(&stub.url());
    let app = TestApp::start_with(&manifest, |settings| settings.header_timeout = patience).await;
    let stream = tokio::net::TcpStream::connect(app.addr).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get(app.url("/")).body(Full::<bytes::Bytes>::default()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    assert_eq!(body, "at last");
    // Ends though `sender` could still send.
    tokio::time::timeout(crate::raw::PATIENCE, connection).await.unwrap().unwrap().unwrap();
    drop(sender);
}
