//! A real Prometheus scrapes a running app: our text is well-formed, and every query of the dashboards and rules in `deploy/` gives what
//! it should. Needs `prometheus` and `promtool` on the path (Debian's package `prometheus`); says so when they are not there.

use coracle_testkit::{Stub, TestApp, guest};
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Queries that find nothing while nothing is wrong.
const MAY_BE_EMPTY: [&str; 6] = [
    "coracle_fallback_total",
    "wasm_trap_total",
    "coracle_limit_hit_total",
    "coracle_telemetry_dropped_total",
    "wasm_instance_retired_total",
    "coracle_log_lines_total",
];

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_there(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The queries of all panels, with Grafana's variables filled in.
fn queries() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for name in ["routes.json", "components.json"] {
        let text = std::fs::read_to_string(deploy().join("grafana").join(name)).unwrap();
        let board: Value = serde_json::from_str(&text).unwrap();
        for panel in board["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().unwrap() {
                let query =
                    target["expr"].as_str().unwrap().replace("$__rate_interval", "10s").replace("$component", ".*");
                found.push((format!("{name}: {}", panel["title"]), query));
            }
        }
    }
    found
}

/// The expressions of rules.
fn rules() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(deploy().join("prometheus/coracle.rules.yml")).unwrap();
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    lines.map(|query| ("rule".to_owned(), query.to_owned())).collect()
}

fn promtool(arguments: &[&str], input: Option<&str>) {
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    if let Some(input) = input {
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), input.as_bytes()).unwrap();
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
}

async fn query(app: &TestApp, prometheus: &str, query: &str) -> Value {
    let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let request = Request::get(format!("{prometheus}/api/v1/query?query={encoded}")).body(Full::default()).unwrap();
    match app.try_send(request).await {
        Ok(reply) => serde_json::from_slice(&reply.body).unwrap_or_default(),
        Err(_) => Value::Null,
    }
}

#[tokio::test]
async fn prometheus_scrapes_us_and_every_query_works() {
    if !is_there("prometheus") || !is_there("promtool") {
        println!("SKIPPED: no prometheus and promtool on the path (apt-get install prometheus)");
        return;
    }
    let stub = Stub::saying("ok").await;
    let manifest = format!(
        "name = \"watched\"\n[component.kv]\nsource = \"{}\"\n[component.kv.grants]\nkeyvalue = [\"cache\"]\n\
         [store.cache]\ntype = \"keyvalue\"\nbackend = \"memory\"\n[upstream.node]\nurl = \"{}\"\n\
         [[route]]\npath = \"/s/*\"\nto = \"kv\"\n[[route]]\npath = \"/*\"\nto = \"node\"\n",
        guest("p3/kv").display(),
        stub.url()
    );
    let app = TestApp::start(&manifest).await;
    let dir = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let rules_file = deploy().join("prometheus/coracle.rules.yml");
    promtool(&["check", "rules", rules_file.to_str().unwrap()], None);
    let config = format!(
        "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [\"{}\"]\nscrape_configs:\n  \
         - job_name: coracle\n    static_configs: [{{ targets: [\"{}\"] }}]\n",
        rules_file.display(),
        app.admin
    );
    std::fs::write(dir.path().join("prometheus.yml"), config).unwrap();
    let mut command = Command::new("prometheus");
    command.current_dir(dir.path()).arg("--config.file=prometheus.yml").arg("--storage.tsdb.path=data");
    command.arg(format!("--web.listen-address=127.0.0.1:{port}")).stdout(Stdio::null()).stderr(Stdio::null());
    let _running = Running(command.spawn().unwrap());
    let prometheus = format!("http://127.0.0.1:{port}");
    // Scrapes need something to count, and rates two scrapes at least.
    let scraped = async {
        loop {
            assert_eq!(app.get("/x").await.status, StatusCode::OK);
            app.get("/s/cache/k/a").await;
            app.post("/s/cache/k/a?incr=1", "").await;
            let seen = query(&app, &prometheus, "coracle:requests:rate1m > 0").await;
            let rates = query(&app, &prometheus, "rate(wasm_hostcall_duration_seconds_count[10s]) > 0").await;
            let some = |value: &Value| value["data"]["result"].as_array().is_some_and(|all| !all.is_empty());
            if some(&seen) && some(&rates) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), scraped).await.expect("Prometheus scrapes within a minute");
    let text = app.send(Request::get(format!("http://{}/metrics", app.admin)).body(Full::default()).unwrap()).await;
    promtool(&["check", "metrics"], Some(text.text()));
    for (place, expression) in queries() {
        let answer = query(&app, &prometheus, &expression).await;
        assert_eq!(answer["status"], "success", "{place}: {expression}: {answer}");
        let found = answer["data"]["result"].as_array().is_some_and(|all| !all.is_empty());
        let may = MAY_BE_EMPTY.iter().any(|name| expression.contains(name));
        assert!(found || may, "{place}: `{expression}` finds nothing");
    }
    for (place, expression) in rules() {
        let answer = query(&app, &prometheus, &expression).await;
        assert_eq!(answer["status"], "success", "{place}: {expression}: {answer}");
    }
    let targets = query(&app, &prometheus, "up{job=\"coracle\"}").await;
    assert_eq!(targets["data"]["result"][0]["value"][1], "1", "{targets}");
}
