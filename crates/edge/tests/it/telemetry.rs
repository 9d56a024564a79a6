//! What requests leave behind, from outside: the spans of many requests in one instance as a collector gets them, their lines, the
//! figures, who may look; and that nothing of it holds a secret.

use bytes::Bytes;
use coracle_telemetry::export::settings::Settings as Otel;
use coracle_telemetry::otlp::proto;
use coracle_testkit::{ADMIN_TOKEN, Stub, TestApp, guest};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const REQUESTS: usize = 64;

/// A collector that keeps what it gets, by path.
struct Collector {
    stub: Stub,
    got: Arc<Mutex<Vec<(String, Bytes)>>>,
}

impl Collector {
    async fn start() -> Self {
        let got: Arc<Mutex<Vec<(String, Bytes)>>> = Arc::default();
        let all = Arc::clone(&got);
        let stub = Stub::start(move |request: Request<Incoming>| {
            let all = Arc::clone(&all);
            async move {
                let path = request.uri().path().to_owned();
                let body = request.into_body().collect().await.unwrap().to_bytes();
                all.lock().unwrap().push((path, body));
                Response::new(Full::<Bytes>::default())
            }
        })
        .await;
        Self { stub, got }
    }

    fn settings(&self) -> Otel {
        let url = self.stub.url();
        let (settings, complaints) = Otel::read(&|name| match name {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(url.clone()),
            "OTEL_EXPORTER_OTLP_PROTOCOL" => Some("http/json".to_owned()),
            "OTEL_TRACES_SAMPLER" => Some("parentbased_always_on".to_owned()),
            "OTEL_BSP_SCHEDULE_DELAY" | "OTEL_BLRP_SCHEDULE_DELAY" => Some("20".to_owned()),
            "OTEL_BSP_MAX_QUEUE_SIZE" => Some("100000".to_owned()),
            "OTEL_METRIC_EXPORT_INTERVAL" => Some("200".to_owned()),
            _ => None,
        });
        assert!(complaints.is_empty(), "{complaints:?}");
        settings
    }

    fn spans(&self) -> Vec<proto::Span> {
        let got = self.got.lock().unwrap();
        let messages = got.iter().filter(|(path, _)| path == "/v1/traces");
        let groups =
            messages.flat_map(|(_, body)| serde_json::from_slice::<proto::Traces>(body).unwrap().resource_spans);
        groups.flat_map(|group| group.scope_spans).flat_map(|scope| scope.spans).collect()
    }

    /// The spans once so many requests are among them.
    async fn wait(&self, requests: usize) -> Vec<proto::Span> {
        let enough = async {
            loop {
                let spans = self.spans();
                if spans.iter().filter(|span| span.kind == 2).count() >= requests {
                    return spans;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), enough)
            .await
            .unwrap_or_else(|_| panic!("{} spans came", self.spans().len()))
    }
}

fn text(span: &proto::Span, key: &str) -> String {
    let pair = span.attributes.iter().find(|pair| pair.key == key);
    match pair.and_then(|pair| pair.value.clone()).and_then(|value| value.value) {
        Some(proto::Any::String(text)) => text,
        Some(proto::Any::Int(n)) => n.to_string(),
        _ => String::new(),
    }
}

/// An app whose component `fan` asks a stub and the component `kv` of the same app for each request.
fn manifest(kind: &str, stub: &str, own: &str) -> String {
    let source = |name: &str| guest(&format!("{kind}/{name}")).display().to_string();
    let reuse = format!("reuse = {{ requests = 1000, concurrency = {REQUESTS}, idle = \"10s\" }}");
    format!(
        "name = \"forest\"\n\
         [component.fan]\nsource = \"{}\"\n{reuse}\n[component.fan.grants]\nhttp = [\"GET {stub}/**\", \"GET {own}/**\"]\n\
         [component.kv]\nsource = \"{}\"\n{reuse}\n[component.kv.grants]\nkeyvalue = [{{ store = \"cache\", write = true }}]\n\
         [component.log]\nsource = \"{}\"\n{reuse}\n\
         [store.cache]\ntype = \"keyvalue\"\nbackend = \"memory\"\n\
         [[route]]\npath = \"/fan/*\"\nto = \"fan\"\n[[route]]\npath = \"/s/*\"\nto = \"kv\"\n[[route]]\npath = \"/log/*\"\nto = \"log\"\n",
        source("fanout"),
        source("kv"),
        source("logs"),
    )
}

async fn started(kind: &str, collector: &Collector, stub: &Stub) -> TestApp {
    let settings = collector.settings();
    let app = TestApp::start_with(&manifest(kind, &stub.url(), "http://127.0.0.1:1"), |to| {
        to.telemetry = Some(settings);
        // Of 0.2 each request has an instance of its own, and so has the one it makes.
        to.engine.instances = 3 * REQUESTS as u32;
    })
    .await;
    // Its own address is known only now.
    let own = format!("http://{}", app.addr);
    app.write_manifest(&manifest(kind, &stub.url(), &own));
    assert_eq!(app.admin(Method::POST, "/reload").await.status, StatusCode::OK);
    app
}

/// Every request asks twice, all at once; the forest of spans is rebuilt and each parent checked.
async fn forest(kind: &str) {
    let (collector, stub) = (Collector::start().await, Stub::saying("ok").await);
    let app = started(kind, &collector, &stub).await;
    let one = |n: usize| {
        let (stub, own) = (stub.url(), format!("http://{}", app.addr));
        let app = &app;
        async move {
            let path = format!("/fan/{n}?a={stub}/n&b={own}/s/cache/k/key-{n}");
            assert_eq!(app.get(&path).await.status, StatusCode::OK);
        }
    };
    futures::future::join_all((0..REQUESTS).map(one)).await;
    let spans = collector.wait(2 * REQUESTS).await;
    let by_id: HashMap<&[u8], &proto::Span> = spans.iter().map(|span| (&span.span_id[..], span)).collect();
    assert_eq!(by_id.len(), spans.len(), "every span has an id of its own");
    let parent = |span: &proto::Span| {
        let parent = by_id.get(&span.parent_span_id[..]).copied();
        let parent = parent.unwrap_or_else(|| panic!("`{}` hangs on nothing", span.name));
        assert_eq!(parent.trace_id, span.trace_id);
        assert!(parent.start_time_unix_nano <= span.start_time_unix_nano, "`{}` began before its parent", span.name);
        parent
    };
    let children = |of: &proto::Span| spans.iter().filter(|span| span.parent_span_id == of.span_id).collect::<Vec<_>>();
    for n in 0..REQUESTS {
        let root = spans.iter().find(|span| text(span, "url.path") == format!("/fan/{n}")).unwrap();
        assert!(root.parent_span_id.is_empty() && root.kind == 2);
        let [invoke] = children(root)[..] else { panic!("the request {n} has one run") };
        assert_eq!(invoke.name, "wasm.invoke fan");
        let calls: Vec<_> = children(invoke).into_iter().filter(|span| span.kind == 3).collect();
        assert_eq!(calls.len(), 2, "{:?}", calls.iter().map(|span| &span.name).collect::<Vec<_>>());
        // Each nested request is a child of the very call that sent it.
        let nested = spans.iter().find(|span| text(span, "url.path") == format!("/s/cache/k/key-{n}")).unwrap();
        let call = parent(nested);
        assert!(
            calls.iter().any(|of| of.span_id == call.span_id),
            "{n}: the nested request hangs on another one's call"
        );
        let [invoke] = children(nested)[..] else { panic!("the nested request {n} has one run") };
        let stores: Vec<&str> =
            children(invoke).into_iter().filter(|span| span.kind == 3).map(|span| span.name.as_str()).collect();
        assert_eq!(stores, ["kv open", "kv get"], "{n}");
        let bytes: u64 = text(root, "http.response.body.size").parse().unwrap();
        assert!(bytes > 0, "{n}");
    }
    let orphans = spans.iter().filter(|span| text(span, "coracle.caller") == "instance").count();
    assert_eq!(orphans, 0, "every caller is known");
}

#[tokio::test]
async fn requests_in_one_instance_have_each_its_own_spans() {
    forest("p3").await;
}

#[tokio::test]
async fn requests_of_wasi_02_have_each_its_own_spans() {
    forest("p2").await;
}

/// Lines of many requests in one instance: by a stream of their own, and by Rust's `println`.
#[tokio::test]
async fn lines_name_the_request_that_wrote_them() {
    let (collector, stub) = (Collector::start().await, Stub::saying("ok").await);
    let app = started("p3", &collector, &stub).await;
    let one = |n: usize| {
        let app = &app;
        async move {
            assert_eq!(app.get(&format!("/log/{n}?out=out-{n}-&std=std-{n}-")).await.status, StatusCode::OK);
        }
    };
    futures::future::join_all((0..REQUESTS).map(one)).await;
    let requests = json(&app, "/api/requests?text=/log/&limit=1000").await;
    let paths: HashMap<String, String> =
        list(&requests).iter().map(|row| (string(&row["id"]), string(&row["path"]))).collect();
    let lines = json(&app, "/api/logs?source=guest&limit=1000").await;
    let lines = list(&lines);
    assert_eq!(lines.len(), 2 * REQUESTS);
    for line in lines {
        let body = string(&line["body"]);
        let n = body.split('-').nth(1).unwrap();
        let path = paths.get(&string(&line["request"])).unwrap_or_else(|| panic!("`{body}` names no request: {line}"));
        assert_eq!(*path, format!("/log/{n}"), "`{body}`");
        assert!(line["trace"].is_string() && line["span"].is_string());
    }
}

/// Guests that trace and log themselves: their spans hang on the run, what they call hangs on their spans, and their lines name them.
async fn own_spans(name: &str, outer: &str) {
    let collector = Collector::start().await;
    let manifest = format!(
        "name = \"own\"\n[config]\ngreeting = \"ahoy\"\n[component.a]\nsource = \"{}\"\n\
         reuse = {{ requests = 1000, concurrency = {REQUESTS}, idle = \"10s\" }}\n[component.a.grants]\nconfig = [\"greeting\"]\n\
         [[route]]\npath = \"/*\"\nto = \"a\"\n",
        guest(name).display()
    );
    let settings = collector.settings();
    let app = TestApp::start_with(&manifest, |to| {
        to.telemetry = Some(settings);
        to.engine.instances = 2 * REQUESTS as u32;
    })
    .await;
    let one = |n: usize| {
        let app = &app;
        async move {
            let reply = app.get(&format!("/{n}?name={n}&key=greeting{outer}")).await;
            assert!(reply.text().contains(" metrics: Coracle"), "{}", reply.text());
        }
    };
    futures::future::join_all((0..REQUESTS).map(one)).await;
    let spans = collector.wait(REQUESTS).await;
    for n in 0..REQUESTS {
        let root = spans.iter().find(|span| text(span, "url.path") == format!("/{n}")).unwrap();
        let invoke = spans.iter().find(|span| span.parent_span_id == root.span_id).unwrap();
        let own = spans.iter().find(|span| span.name == format!("work {n}")).unwrap();
        assert_eq!((&own.parent_span_id, &own.trace_id), (&invoke.span_id, &root.trace_id), "{n}");
        assert_eq!((text(own, "item"), text(own, "count")), (n.to_string(), "7".to_owned()));
        let call = spans.iter().find(|span| span.name == "config get" && span.trace_id == root.trace_id).unwrap();
        assert_eq!(call.parent_span_id, own.span_id, "{n}: the call was made inside the guest's span");
    }
    let lines = list(&json(&app, "/api/logs?source=guest&limit=1000").await);
    assert_eq!(lines.len(), 2 * REQUESTS);
    let requests = list(&json(&app, "/api/requests?limit=1000").await);
    for line in lines {
        let body = string(&line["body"]);
        let (by, n) = body.split_once(' ').unwrap();
        assert_eq!(line["severity"], if by == "otel" { "error" } else { "warn" });
        let request = requests.iter().find(|row| row["id"] == line["request"]).unwrap();
        assert_eq!(request["path"], format!("/{n}"), "{line}");
    }
}

#[tokio::test]
async fn guests_of_wasi_03_make_spans_of_their_own() {
    own_spans("p3/otel", "").await;
}

#[tokio::test]
async fn guests_of_wasi_02_make_spans_of_their_own() {
    own_spans("p2/otel", "&outer").await;
}

async fn json(app: &TestApp, path: &str) -> serde_json::Value {
    let reply = app.admin(Method::GET, path).await;
    assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text());
    serde_json::from_slice(&reply.body).unwrap()
}

fn list(value: &serde_json::Value) -> Vec<serde_json::Value> {
    value.as_array().unwrap().clone()
}

fn string(value: &serde_json::Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Secrets are put wherever a user or client may have one, and looked for in all that comes out.
#[tokio::test]
async fn nothing_that_is_kept_or_sent_holds_a_secret() {
    let collector = Collector::start().await;
    let stub = Stub::saying("ok").await;
    let manifest = format!(
        "name = \"secrets\"\n[config]\nkey = \"c0nfig-s3cret\"\n\
         [component.seen]\nsource = \"{}\"\nenv = {{ PASSWORD = \"env-s3cret\" }}\n\
         [component.config]\nsource = \"{}\"\n[component.config.grants]\nconfig = [\"key\"]\n\
         [component.fan]\nsource = \"{}\"\n[component.fan.grants]\nhttp = \"GET {}/**\"\n\
         [upstream.node]\nurl = \"{}\"\n\
         [[route]]\npath = \"/seen\"\nto = \"seen\"\n[[route]]\npath = \"/config\"\nto = \"config\"\n\
         [[route]]\npath = \"/fan\"\nto = \"fan\"\n[[route]]\npath = \"/*\"\nto = \"node\"\n",
        guest("p3/reflect").display(),
        guest("p3/config").display(),
        guest("p3/fanout").display(),
        stub.url(),
        stub.url(),
    );
    let settings = collector.settings();
    let app = TestApp::start_with(&manifest, |to| to.telemetry = Some(settings)).await;
    let fan =
        format!("/fan?a={}/path-s3cret%3Ftoken=query-s3cret&b=http://denied.example/x%3Fk=query-s3cret", stub.url());
    for path in ["/seen?token=query-s3cret", "/config?key=key&token=query-s3cret", &fan, "/legacy?token=query-s3cret"] {
        let request = Request::post(app.url(path))
            .header("authorization", "Bearer header-s3cret")
            .header("cookie", "session=cookie-s3cret")
            .header("baggage", "user=baggage-s3cret")
            .header("x-api-key", "header-s3cret");
        let request = request.body(Full::new(Bytes::from_static(b"body-s3cret"))).unwrap();
        assert!(app.send(request).await.status.as_u16() < 503, "{path}");
    }
    collector.wait(4).await;
    let mut texts = vec![("/metrics".to_owned(), app.admin(Method::GET, "/metrics").await.text().to_owned())];
    for path in ["/api/requests", "/api/traces", "/api/logs?limit=1000", "/api/components", "/api/overview", "/status"]
    {
        texts.push((path.to_owned(), json(&app, path).await.to_string()));
    }
    for row in list(&json(&app, "/api/requests").await) {
        let path = format!("/api/requests/{}", string(&row["id"]));
        texts.push((path.clone(), json(&app, &path).await.to_string()));
    }
    // Figures are sent at intervals.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let got = collector.got.lock().unwrap();
    texts.extend(got.iter().map(|(path, body)| (format!("OTLP {path}"), String::from_utf8_lossy(body).into_owned())));
    assert!(texts.iter().any(|(path, _)| path == "OTLP /v1/metrics"));
    for (path, text) in texts {
        if let Some(at) = text.find("s3cret") {
            panic!("{path} holds a secret: …{}…", &text[text.floor_char_boundary(at.saturating_sub(80))..at + 6]);
        }
    }
}

#[tokio::test]
async fn a_trace_goes_on_behind_us_and_comes_from_before() {
    let stub = Stub::start(|request: Request<Incoming>| async move {
        let header = |name| request.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let text = format!("{}|{}|{}", header("traceparent"), header("tracestate"), header("baggage"));
        Response::new(Full::new(Bytes::from(text)))
    })
    .await;
    let app = TestApp::start(&crate::upstream::manifest(&stub.url())).await;
    let request = Request::get(app.url("/"))
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .header("tracestate", "vendor=1")
        .header("baggage", "user=7");
    let reply = app.send(request.body(Full::default()).unwrap()).await;
    let parts: Vec<&str> = reply.text().split('|').collect();
    assert!(parts[0].starts_with("00-0af7651916cd43dd8448eb211c80319c-") && parts[0].ends_with("-01"), "{}", parts[0]);
    assert!(!parts[0].contains("b7ad6b7169203331"), "our span is the parent of what is behind us");
    assert_eq!(parts[1..], ["vendor=1", "user=7"]);
    let trace = json(&app, "/api/traces/0af7651916cd43dd8448eb211c80319c").await;
    let spans = list(&trace["spans"]);
    assert_eq!(spans[0]["parent"], "b7ad6b7169203331");
    assert_eq!(spans[1]["parent"], spans[0]["id"]);
    assert!(parts[0].contains(spans[1]["id"].as_str().unwrap()));
    // Without a caller the request begins the trace, and its id is the trace's.
    let reply = app.get("/").await;
    let trace = reply.text().split('-').nth(1).unwrap().to_owned();
    assert_eq!(json(&app, &format!("/api/requests/{trace}")).await[0]["trace"], trace);
}

#[tokio::test]
async fn switched_off_nothing_is_measured_or_passed_on() {
    let stub = Stub::start(|request: Request<Incoming>| async move {
        let traced = request.headers().contains_key("traceparent");
        Response::new(Full::new(Bytes::from(if traced { "traced" } else { "plain" })))
    })
    .await;
    let app = TestApp::start_with(&crate::upstream::manifest(&stub.url()), |settings| settings.telemetry = None).await;
    assert_eq!(app.get("/").await.text(), "plain");
    for path in ["/metrics", "/api/overview"] {
        assert_eq!(app.admin(Method::GET, path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn who_may_look_and_who_may_send() {
    let stub = Stub::saying("ok").await;
    let app = TestApp::start(&crate::upstream::manifest(&stub.url())).await;
    app.get("/x").await;
    let ask = |method: Method, path: &str, headers: &[(&str, &str)], body: &'static str| {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", app.admin));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        app.send(request.body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap())
    };
    let status = |reply: coracle_testkit::Reply| reply.status.as_u16();
    assert_eq!(status(ask(Method::GET, "/api/requests", &[], "").await), 401);
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    let evil = [("authorization", bearer.as_str()), ("origin", "https://evil.example")];
    assert_eq!(status(ask(Method::GET, "/api/requests", &evil, "").await), 403);
    let bad = ask(Method::GET, "/api/requests?status=9xx", &[("authorization", &bearer)], "").await;
    assert_eq!((bad.status.as_u16(), bad.text().contains("status=9xx")), (400, true));
    // Scrapers bring no token, and get the figures that `/status` has, too.
    let open = ask(Method::GET, "/metrics", &[("accept", "application/openmetrics-text; version=1.0.0")], "").await;
    assert!(
        open.text().ends_with("# EOF\n") && open.header("content-type").starts_with("application/openmetrics-text")
    );
    assert!(
        open.text()
            .contains("http_server_request_duration_seconds_count{http_request_method=\"GET\",http_route=\"/*\"")
    );
    // The page itself needs no token, and may load nothing from elsewhere.
    let page = ask(Method::GET, "/", &[], "").await;
    assert!(
        page.header("content-security-policy").starts_with("default-src 'none'") && page.text().contains("<title>")
    );
    let again = ask(
        Method::GET,
        "/app.js",
        &[("if-none-match", ask(Method::GET, "/app.js", &[], "").await.header("etag"))],
        "",
    )
    .await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    // Spans of a page of this machine are taken, those of another are not.
    let span = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"web"}}]},"scopeSpans":[{"spans":[
        {"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","name":"click","kind":3,
         "startTimeUnixNano":"1000","endTimeUnixNano":"2000"}]}]}]}"#;
    let send = |origin: &'static str| {
        ask(Method::POST, "/v1/traces", &[("origin", origin), ("content-type", "application/json")], span)
    };
    assert_eq!(status(send("https://evil.example").await), 403);
    let taken = send("http://localhost:3000").await;
    assert_eq!((taken.status.as_u16(), taken.header("access-control-allow-origin")), (200, "http://localhost:3000"));
    let asked = ask(Method::OPTIONS, "/v1/traces", &[("origin", "http://localhost:3000")], "").await;
    assert_eq!((asked.status.as_u16(), asked.header("access-control-allow-methods")), (204, "POST"));
    let unknown = ask(Method::POST, "/v1/traces", &[("content-type", "text/plain")], "x").await;
    assert_eq!(status(unknown), 415);
    let trace = json(&app, "/api/traces/0af7651916cd43dd8448eb211c80319c").await;
    assert_eq!((&trace["spans"][0]["service"], &trace["spans"][0]["name"]), (&"web".into(), &"click".into()));
}
