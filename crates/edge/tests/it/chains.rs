//! Components among themselves: chains of middleware, `uses`, and calls by name inside the app.

use coracle_testkit::{Stub, TestApp, guest};
use futures::future::join_all;
use http::StatusCode;
use std::fmt::Write as _;

/// A manifest of these components (name, guest, more of its table) and the rest.
fn manifest(components: &[(&str, &str, &str)], rest: &str) -> String {
    let mut text = "name = \"x\"\n".to_owned();
    for (name, guest, more) in components {
        let source = self::guest(guest).display().to_string();
        writeln!(text, "[component.{name}]\nsource = \"{source}\"\n{more}").unwrap();
    }
    text + rest
}

fn links(names: &[&str]) -> Vec<(String, String)> {
    names.iter().map(|name| ((*name).to_owned(), format!("env = {{ NAME = \"{name}\" }}"))).collect()
}

async fn chain(names: &[&str], to: &str, rest: &str, more: &[(&str, &str, &str)]) -> TestApp {
    let links = links(names);
    let mut components: Vec<(&str, &str, &str)> =
        links.iter().map(|(name, env)| (name.as_str(), "p3/middleware", env.as_str())).collect();
    components.extend(more);
    let middleware = names.join("\", \"");
    let route = format!("[[route]]\npath = \"/*\"\nmiddleware = [\"{middleware}\"]\nto = \"{to}\"\n{rest}");
    TestApp::start(&manifest(&components, &route)).await
}

#[tokio::test]
async fn a_request_goes_through_each_link_and_its_answer_back() {
    for to in ["p3/reflect", "p2/reflect"] {
        let app = chain(&["one", "two", "three"], "end", "", &[("end", to, "")]).await;
        let reply = app.get("/path?q=1").await;
        assert_eq!((reply.status, reply.header("x-through")), (StatusCode::OK, "one,two,three"), "{}", reply.text());
        let seen: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(seen["path_with_query"], "/path?q=1");
        assert_eq!(seen["authority"].as_str().unwrap(), app.addr.to_string());
        let headers = seen["headers"].as_array().unwrap().iter();
        let through: Vec<&str> =
            headers.filter(|pair| pair[0] == "x-link").map(|pair| pair[1].as_str().unwrap()).collect();
        assert_eq!(through, ["one", "two", "three"]);
    }
}

#[tokio::test]
async fn bodies_pass_through_a_chain_whole() {
    let app = chain(&["one", "two"], "end", "", &[("end", "p3/echo", "")]).await;
    let body = "sixteen letters.".repeat(200_000);
    let reply = app.post("/", body.clone()).await;
    assert!(reply.text() == body, "{} bytes came back", reply.body.len());
}

#[tokio::test]
async fn a_link_may_answer_itself() {
    let app = chain(&["auth", "log"], "end", "", &[("end", "p3/hello", "")]).await;
    let reply = app.get("/?stop=auth").await;
    assert_eq!((reply.status, reply.text()), (StatusCode::UNAUTHORIZED, "stopped by auth"));
    let reply = app.get("/?stop=log").await;
    assert_eq!((reply.status, reply.header("x-through")), (StatusCode::UNAUTHORIZED, "auth"));
}

#[tokio::test]
async fn the_fallback_stands_behind_the_chain_never_beside_it() {
    let stub = Stub::saying("from node").await;
    let rest = format!("fallback = \"node\"\n[upstream.node]\nurl = \"{}\"\n", stub.url());
    let mut app = chain(&["auth"], "end", &rest, &[("end", "p3/trap", "")]).await;
    // The end traps: the fallback answers, through the chain.
    let reply = app.get("/?when=before").await;
    assert_eq!((reply.status, reply.text(), reply.header("x-through")), (StatusCode::OK, "from node", "auth"));
    let record = app.record().await;
    assert_eq!(record.fallback_from.as_deref(), Some("end"));
    // A middleware that can't answer lets nobody past it.
    for path in ["/?trap=auth", "/?late=auth"] {
        let reply = app.get(path).await;
        assert_eq!(reply.status.as_u16(), 500, "{path}: {}", reply.text());
    }
    assert_eq!(app.get("/?stop=auth").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_chain_may_end_at_node_or_at_files() {
    let stub = Stub::saying("from node").await;
    let upstream = format!("[upstream.node]\nurl = \"{}\"\n", stub.url());
    let app = chain(&["one"], "node", &upstream, &[]).await;
    let reply = app.get("/").await;
    assert_eq!((reply.text(), reply.header("x-through")), ("from node", "one"));
    let upstream = "[upstream.node]\nurl = \"http://127.0.0.1:1\"\n";
    let app = chain(&["one"], "node", upstream, &[]).await;
    // What the middleware passes on is told as what it is.
    assert_eq!(app.get("/").await.status, StatusCode::BAD_GATEWAY);
    let files = tempfile::tempdir().unwrap();
    std::fs::write(files.path().join("index.html"), "a page").unwrap();
    let links = links(&["one"]);
    let route = format!("[[route]]\npath = \"/*\"\nmiddleware = [\"one\"]\nstatic = \"{}\"\n", files.path().display());
    let app = TestApp::start(&manifest(&[("one", "p3/middleware", &links[0].1)], &route)).await;
    let reply = app.get("/").await;
    assert_eq!((reply.text(), reply.header("x-through")), ("a page", "one"));
    assert_eq!(app.get("/absent").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn parts_that_do_not_fit_are_told_at_load() {
    let refused = async |components: &[(&str, &str, &str)], rest: &str| {
        let text = manifest(components, rest);
        let started = TestApp::try_start(tempfile::tempdir().unwrap(), &text, |_| {}).await;
        match started.err().expect("it does not load") {
            coracle_edge::StartError::Load(error) => error.render(false),
            other => panic!("{other}"),
        }
    };
    let route = "[[route]]\npath = \"/*\"\nto = \"end\"\n";
    let hello = ("end", "p3/hello", "");
    let as_link = format!("{route}middleware = [\"other\"]\n");
    let said = refused(&[hello, ("other", "p3/hello", "")], &as_link).await;
    assert!(said.contains("component `other`: a middleware has to export and import `wasi:http/handler`"), "{said}");
    let said = refused(&[("end", "p3/middleware", "")], route).await;
    assert!(said.contains("this is an HTTP middleware"), "{said}");
    let uses = "uses = { \"acme:codec/text\" = \"other\" }";
    let said = refused(&[("end", "p3/ask", uses), ("other", "p3/hello", "")], route).await;
    assert!(said.contains("component `other`: it does not export `acme:codec/text`"), "{said}");
    let said = refused(&[("end", "p3/ask", "")], route).await;
    assert!(said.contains("acme:codec/text@1.0.0"), "{said}");
}

const USES: &str = "uses = { \"acme:codec/text\" = \"codec\" }\n";

async fn asking(asker: &str, codec: &str) -> TestApp {
    let route = "[[route]]\npath = \"/*\"\nto = \"asker\"\n";
    TestApp::start(&manifest(&[("asker", asker, USES), ("codec", "p2/codec", codec)], route)).await
}

#[tokio::test]
async fn a_component_asks_another_by_value() {
    for asker in ["p3/ask", "p2/ask"] {
        let app = asking(asker, "").await;
        assert_eq!(app.get("/change?text=h%C3%A9llo&how=upper").await.text(), "HÉLLO");
        assert_eq!(app.get("/change?text=ab&how=3").await.text(), "ababab");
        let reply = app.get("/change?text=ab&how=0").await;
        assert_eq!((reply.status.as_u16(), reply.text()), (500, "nothing would be left"));
        let look: serde_json::Value = serde_json::from_slice(&app.get("/look?text=a+longer+one").await.body).unwrap();
        assert_eq!(look, serde_json::json!({ "letters": 12, "words": ["a", "longer", "one"], "longest": "longer" }));
    }
}

#[tokio::test]
async fn when_the_one_asked_dies_only_that_call_fails() {
    for asker in ["p3/ask", "p2/ask"] {
        let app = asking(asker, "limits = { cpu_per_request = \"100ms\", memory = \"16MiB\" }").await;
        let tries = [("trap", "unreachable"), ("spin", "more CPU time"), ("grow", "refused more memory")];
        for (mode, said) in tries {
            // What has a way to say so is told in words.
            let reply = app.get(&format!("/try?mode={mode}")).await;
            assert_eq!(reply.status.as_u16(), 500);
            assert!(reply.text().contains("`codec`") && reply.text().contains(said), "{}", reply.text());
            // Else the asker's request ends, and no other.
            let (failed, other) = tokio::join!(async { app.get(&format!("/fail?mode={mode}")).await }, async {
                app.get("/change?text=a&how=upper").await
            });
            assert_eq!((failed.status.as_u16(), other.text()), (500, "A"), "{mode}");
        }
        assert_eq!(app.get("/change?text=still&how=upper").await.text(), "STILL");
    }
}

#[tokio::test]
async fn each_side_has_its_own_grants() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("secret"), "of the codec").unwrap();
    let grant = format!(
        "env = {{ SECRET = \"in its environment\" }}\ngrants = {{ files = [\"{}:/own\"] }}",
        dir.path().display()
    );
    for asker in ["p3/ask", "p2/ask"] {
        let app = asking(asker, &grant).await;
        assert_eq!(app.get("/reach?what=/own/secret").await.text(), "of the codec");
        assert_eq!(app.get("/reach?what=$SECRET").await.text(), "in its environment");
        // Without the grant the codec has nothing, whatever the asker has.
        let route = "[[route]]\npath = \"/*\"\nto = \"asker\"\n";
        let asker = (("asker", asker), format!("{USES}{grant}"));
        let app =
            TestApp::start(&manifest(&[(asker.0.0, asker.0.1, &asker.1), ("codec", "p2/codec", "")], route)).await;
        assert_eq!(app.get("/reach?what=/own/secret").await.status.as_u16(), 500);
        assert_eq!(app.get("/reach?what=$SECRET").await.status.as_u16(), 500);
    }
}

/// Two components that ask each other over HTTP inside the app, and one that answers.
async fn circle(limits: &str) -> TestApp {
    let grants = format!(
        "grants = {{ http = [\"http://*.internal\", \"http://a.internal\", \"http://b.internal\", \"http://c.internal\"] }}\n{limits}"
    );
    let components = [("a", "p3/fanout", grants.as_str()), ("b", "p2/fanout", grants.as_str()), ("c", "p3/hello", "")];
    TestApp::start(&manifest(&components, "[[route]]\npath = \"/*\"\nto = \"a\"\n")).await
}

/// The address of `url` as a parameter of another one.
fn inside(url: &str) -> String {
    url.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// `a` asks `b`, which asks `a` …, so many in all, and the last asks `c`.
fn round(calls: usize) -> String {
    let last = format!("/?x={}", inside("http://c.internal/"));
    (1..calls).rev().fold(last, |path, at| {
        let to = if at % 2 == 1 { "b" } else { "a" };
        format!("/?x={}", inside(&format!("http://{to}.internal{path}")))
    })
}

#[tokio::test]
async fn components_call_each_other_by_name_when_granted() {
    let app = circle("").await;
    let reply = app.get(&round(3)).await;
    assert!(reply.text().contains("hello"), "{}", reply.text());
    let components = [("a", "p3/fanout", ""), ("c", "p3/hello", "")];
    let app = TestApp::start(&manifest(&components, "[[route]]\npath = \"/*\"\nto = \"a\"\n")).await;
    let reply = app.get(&format!("/?x={}", inside("http://c.internal/"))).await;
    assert!(reply.text().contains("HttpRequestDenied"), "{}", reply.text());
}

#[tokio::test]
async fn a_circle_at_full_concurrency_ends() {
    let app = circle("limits = { concurrency = 4 }").await;
    let path = round(3);
    let replies = join_all((0..24).map(|_| app.get(&path))).await;
    for reply in replies {
        assert!(reply.text().contains("hello"), "{} {}", reply.status, reply.text());
    }
}

#[tokio::test]
async fn calls_go_so_deep_and_no_deeper() {
    let app = circle("").await;
    assert!(app.get(&round(7)).await.text().contains("hello"));
    let reply = app.get(&round(10)).await;
    assert!(!reply.text().contains("hello"), "{}", reply.text());
}
