//! The plugins from inside: what real guests of both ABIs get to see.

use bytes::Bytes;
use coracle_testkit::{Reply, TestApp, guest};
use http::{Method, Request};
use http_body_util::Full;

/// Serves the guest `case` of both ABIs as the component `a`, with these grants and tables behind, and checks it.
async fn both(case: &str, grants: &str, more: &str, check: impl AsyncFn(&TestApp)) {
    for set in ["p2", "p3"] {
        let source = guest(&format!("{set}/{case}")).display().to_string();
        let hello = guest(&format!("{set}/hello")).display().to_string();
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("assets/sub")).unwrap();
        std::fs::write(directory.path().join("assets/a.txt"), "read me").unwrap();
        std::fs::write(directory.path().join("secret.txt"), "not me").unwrap();
        let manifest = format!(
            "name = \"test\"\n[component.a]\nsource = \"{source}\"\n[component.a.grants]\n{grants}\n\
             [component.hello]\nsource = \"{hello}\"\n\
             [[route]]\npath = \"/hello\"\nto = \"hello\"\n[[route]]\npath = \"/*\"\nto = \"a\"\n{more}\n"
        );
        let app = TestApp::start_in(directory, &manifest, |_| {}).await;
        check(&app).await;
    }
}

async fn send(app: &TestApp, method: Method, path: &str, body: &str) -> Reply {
    let request = Request::builder().method(method).uri(app.url(path));
    app.send(request.body(Full::new(Bytes::from(body.to_owned()))).unwrap()).await
}

async fn expect(app: &TestApp, method: Method, path: &str, body: &str, expected: (u16, &str)) {
    let reply = send(app, method.clone(), path, body).await;
    assert_eq!((reply.status.as_u16(), reply.text().trim_end()), expected, "{method} {path}");
}

const STORES: [&str; 2] = [
    "[store.cache]\ntype = \"keyvalue\"\nbackend = \"memory\"",
    "[store.cache]\ntype = \"keyvalue\"\nbackend = \"sqlite\"",
];
const OTHER: &str = "\n[store.other]\ntype = \"keyvalue\"\nbackend = \"memory\"";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_read_and_written() {
    let grants = "keyvalue = [{ store = \"cache\", prefix = \"own/\", write = true }, { store = \"cache\", prefix = \"shared/\" }]";
    for case in ["kv", "kv2"] {
        for store in STORES {
            both(case, grants, &format!("{store}{OTHER}"), async |app| {
                let own = "/s/cache/k/own/a";
                expect(app, Method::GET, own, "", (404, "no such key")).await;
                expect(app, Method::PUT, own, "one", (204, "")).await;
                expect(app, Method::GET, own, "", (200, "one")).await;
                expect(app, Method::GET, "/s/cache/k/own/a?exists", "", (200, "true")).await;
                expect(app, Method::POST, "/s/cache/k/own/n?incr=41", "", (200, "41")).await;
                expect(app, Method::POST, "/s/cache/k/own/n?incr=1", "", (200, "42")).await;
                expect(app, Method::POST, "/s/cache/set-many", "{\"own/b\": \"2\", \"own/c\": \"3\"}", (204, "")).await;
                let many = send(app, Method::POST, "/s/cache/get-many", "[\"own/b\", \"own/none\"]").await;
                assert_eq!(many.text().replace(' ', "").trim_end(), "[[\"own/b\",\"2\"],[\"own/none\",null]]");
                expect(app, Method::POST, "/s/cache/delete-many", "[\"own/c\"]", (204, "")).await;
                expect(app, Method::DELETE, own, "", (204, "")).await;
                let list = send(app, Method::GET, "/s/cache/list", "").await;
                assert_eq!(list.text().replace(' ', "").trim_end(), "[\"own/b\",\"own/n\"]");
                // Outside the grant.
                expect(app, Method::GET, "/s/cache/k/shared/x", "", (404, "no such key")).await;
                expect(app, Method::PUT, "/s/cache/k/shared/x", "1", (403, "access denied")).await;
                expect(app, Method::GET, "/s/cache/k/elsewhere", "", (403, "access denied")).await;
                expect(app, Method::PUT, "/s/cache/k/elsewhere", "1", (403, "access denied")).await;
                expect(app, Method::GET, "/s/other/k/own/a", "", (403, "access denied")).await;
                expect(app, Method::GET, "/s/none/k/own/a", "", (404, "no such store")).await;
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swap_sees_the_value_that_won() {
    both("kv2", "keyvalue = { store = \"cache\", write = true }", STORES[1], async |app| {
        expect(app, Method::POST, "/s/cache/k/x?cas=", "one", (204, "")).await;
        expect(app, Method::POST, "/s/cache/k/x?cas=other", "two", (412, "one")).await;
        expect(app, Method::POST, "/s/cache/k/x?cas=one&race=won", "two", (409, "won")).await;
        expect(app, Method::GET, "/s/cache/k/x", "", (200, "won")).await;
        expect(app, Method::POST, "/s/cache/k/x?cas=won", "two", (204, "")).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_grant_every_store_is_denied() {
    for case in ["kv", "kv2"] {
        both(case, "", STORES[0], async |app| {
            expect(app, Method::GET, "/s/cache/k/x", "", (403, "access denied")).await;
            expect(app, Method::GET, "/s/none/k/x", "", (403, "access denied")).await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outbound_requests_go_where_the_grant_says() {
    let ask = async |app: &TestApp| {
        let out = app.get(&format!("/?a=http%3A%2F%2F{}%2Fhello", app.addr)).await;
        (out.status.as_u16(), out.text().trim_end().to_owned())
    };
    let cases = [
        ("http = \"GET http://127.0.0.1:*/hello\"", 200, "a: 200 hello"),
        ("http = \"POST http://127.0.0.1:*/hello\"", 502, "a: HttpRequestDenied"),
        ("http = \"*\"", 502, "a: DestinationIpProhibited"),
        ("", 502, "a: HttpRequestDenied"),
    ];
    for (grants, status, expected) in cases {
        both("fanout", grants, "", async |app| {
            assert_eq!(ask(app).await, (status, expected.to_owned()), "{grants}");
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn configuration_shows_what_was_granted() {
    let table = "[config]\nmode = \"fast\"\nother = \"secret\"";
    both("config", "config = [\"mode\"]", table, async |app| {
        expect(app, Method::GET, "/?key=mode", "", (200, "fast")).await;
        expect(app, Method::GET, "/?key=other", "", (404, "no such key")).await;
        let whole = app.get("/all").await;
        assert_eq!(whole.text().replace(' ', "").trim_end(), "{\"mode\":\"fast\"}");
    })
    .await;
    both("config", "", table, async |app| {
        let reply = app.get("/?key=mode").await;
        assert_eq!(reply.status, 500);
        assert!(
            reply.text().starts_with("upstream: this component was not granted any configuration"),
            "{}",
            reply.text()
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn directories_are_read_only_unless_granted_otherwise() {
    both("files", "files = \"assets:/assets\"", "", async |app| {
        expect(app, Method::GET, "/?read=/assets/a.txt", "", (200, "read me")).await;
        expect(app, Method::GET, "/?preopens", "", (200, "/assets")).await;
        assert_eq!(send(app, Method::POST, "/?write=/assets/b.txt", "x").await.status, 403);
        assert_eq!(send(app, Method::DELETE, "/?delete=/assets/a.txt", "").await.status, 403);
        assert_ne!(app.get("/?read=/assets/../secret.txt").await.status, 200);
        assert_ne!(app.get("/?read=/secret.txt").await.status, 200);
        assert!(app.dir.path().join("assets/a.txt").exists());
    })
    .await;
    both("files", "files = { from = \"assets\", to = \"/data\", write = true }", "", async |app| {
        assert_eq!(send(app, Method::POST, "/?write=/data/b.txt", "written").await.status, 204);
        assert_eq!(std::fs::read_to_string(app.dir.path().join("assets/b.txt")).unwrap(), "written");
        assert_ne!(send(app, Method::POST, "/?write=/data/../c.txt", "x").await.status, 204);
    })
    .await;
}
