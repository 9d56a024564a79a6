//! Files of a directory, and everything that must not be one.

use crate::raw::exchange;
use coracle_testkit::TestApp;
use http::{Request, StatusCode};
use http_body_util::Full;
use std::fs;
use tempfile::TempDir;

async fn app(route: &str) -> TestApp {
    let dir = TempDir::new().unwrap();
    let site = dir.path().join("site");
    fs::create_dir_all(site.join("docs/deep")).unwrap();
    fs::create_dir_all(site.join(".well-known")).unwrap();
    fs::write(dir.path().join("secret.txt"), "secret").unwrap();
    for (file, text) in [
        ("index.html", "home"),
        ("app.js", "script"),
        ("docs/index.html", "docs"),
        ("docs/a b.txt", "spaced"),
        (".env", "secret"),
        (".well-known/thing", "known"),
    ] {
        fs::write(site.join(file), text).unwrap();
    }
    TestApp::start_in(dir, &format!("name = \"x\"\n[[route]]\n{route}\n"), |_| {}).await
}

#[tokio::test]
async fn files_have_types_and_validators() {
    let app = app("path = \"/*\"\nstatic = \"site\"").await;
    let reply = app.get("/app.js").await;
    assert_eq!((reply.status, reply.text()), (StatusCode::OK, "script"));
    assert_eq!(reply.header("content-type"), "text/javascript");
    assert!(reply.headers.contains_key("last-modified"));
    let request = Request::get(app.url("/app.js")).header("if-none-match", reply.header("etag"));
    assert_eq!(app.send(request.body(Full::default()).unwrap()).await.status, StatusCode::NOT_MODIFIED);
    let head = app.send(Request::head(app.url("/app.js")).body(Full::default()).unwrap()).await;
    assert_eq!((head.header("content-length"), head.body.len()), ("6", 0));
    let part =
        app.send(Request::get(app.url("/app.js")).header("range", "bytes=1-2").body(Full::default()).unwrap()).await;
    assert_eq!((part.status, part.text()), (StatusCode::PARTIAL_CONTENT, "cr"));
}

#[tokio::test]
async fn directories_have_an_index_and_an_address() {
    let app = app("path = \"/*\"\nstatic = \"site\"").await;
    assert_eq!(app.get("/").await.text(), "home");
    assert_eq!(app.get("/docs/").await.text(), "docs");
    assert_eq!(app.get("/docs/a%20b.txt").await.text(), "spaced");
    assert_eq!(app.get("/docs?x=1").await.header("location"), "/docs/?x=1");
    assert_eq!(app.get("/docs/deep/").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_wildcard_serves_what_it_matched() {
    let app = app("path = \"/files/*\"\nstatic = \"site\"").await;
    assert_eq!(app.get("/files/app.js").await.text(), "script");
    assert_eq!(app.get("/files/").await.text(), "home");
    assert_eq!(app.get("/files").await.header("location"), "/files/");
    assert_eq!(app.get("/files/docs").await.header("location"), "/files/docs/");
    assert_eq!(app.get("/files/.well-known/thing").await.text(), "known");
}

#[tokio::test]
async fn a_missing_file_is_a_problem_or_the_page_of_the_app() {
    let plain = app("path = \"/*\"\nstatic = \"site\"").await;
    let reply = plain.get("/user/7").await;
    assert_eq!((reply.status, reply.header("content-type")), (StatusCode::NOT_FOUND, "application/problem+json"));
    assert_eq!(plain.post("/app.js", "x").await.status, StatusCode::METHOD_NOT_ALLOWED);
    let single = app("path = \"/*\"\nstatic = \"site\"\nspa = \"index.html\"").await;
    let reply = single.get("/user/7").await;
    assert_eq!((reply.status, reply.text()), (StatusCode::OK, "home"));
    assert_eq!(reply.header("content-type"), "text/html");
}

#[tokio::test]
async fn nothing_outside_or_hidden_is_served() {
    let app = app("path = \"/*\"\nstatic = \"site\"").await;
    for path in [
        "/../secret.txt",
        "/docs/../../secret.txt",
        "/docs/../app.js",
        "/%2e%2e/secret.txt",
        "/docs/%2E%2E/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/docs%2f..%2fapp.js",
        "/..%5csecret.txt",
        "/..\\secret.txt",
        "/.env",
        "/%2eenv",
        "//app.js",
        "/docs//index.html",
        "/app.js%00",
        "/app.js/",
        "/d\u{f6}cs",
    ] {
        let reply = exchange(app.addr, &format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")).await;
        assert!(reply.starts_with("HTTP/1.1 40"), "{path} got {reply}");
        assert!(!reply.contains("\r\n\r\nsecret") && !reply.contains("script"), "{path} got {reply}");
    }
}

#[tokio::test]
async fn a_link_leads_no_further_than_the_directory() {
    let app = app("path = \"/*\"\nstatic = \"site\"").await;
    let site = app.dir.path().join("site");
    for (to, link) in [
        ("../secret.txt", "file.txt"),
        ("../secret.txt", "docs/deep/index.html"),
        ("..", "out"),
        ("app.js", "same.js"),
        ("docs", "manual"),
    ] {
        std::os::unix::fs::symlink(to, site.join(link)).unwrap();
    }
    for path in ["/file.txt", "/docs/deep/", "/out/secret.txt", "/%66ile.txt", "/out/", "/out"] {
        let reply = app.get(path).await;
        assert_eq!((reply.status, reply.text().contains("secret\n")), (StatusCode::NOT_FOUND, false), "{path}");
    }
    assert_eq!(app.get("/same.js").await.text(), "script");
    assert_eq!(app.get("/manual/a%20b.txt").await.text(), "spaced");
}
