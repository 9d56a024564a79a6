//! Upstreams that Coracle starts: waited for, restarted, and gone when it is.

use crate::process;
use crate::raw::PATIENCE;
use coracle_testkit::TestApp;
use http::{Method, StatusCode};
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use std::net::TcpListener;
use std::time::Duration;
use tempfile::TempDir;

/// A server of one file: it notes its process id, then answers each path with it.
const SERVER: &str = r#"
import http.server, os, sys, time
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/crash":
            os._exit(3)
        body = (os.environ["GREETING"] + " " + str(os.getpid())).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *rest):
        pass
time.sleep(float(os.environ.get("SLOW", "0")))
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"#;

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn manifest(port: u16, greeting: &str, more: &str) -> String {
    format!(
        "name = \"x\"
        [upstream.node]
        url = \"http://127.0.0.1:{port}\"
        command = \"python3 server.py\"
        health = \"/\"
        env = {{ GREETING = \"{greeting}\", {more} }}
        restart = {{ min = \"50ms\", max = \"100ms\" }}
        [[route]]
        path = \"/*\"
        to = \"node\""
    )
}

async fn app(manifest: &str) -> TestApp {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("server.py"), SERVER).unwrap();
    TestApp::start_in(dir, manifest, |_| {}).await
}

/// The process id in `GREETING PID`.
fn pid(text: &str) -> Pid {
    Pid::from_raw(text.split(' ').nth(1).unwrap().parse().unwrap())
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// A process that has ended but whose parent (an init that doesn't care) has not asked for its status counts as gone.
fn is_gone(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let zombie = stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'));
    zombie || kill(pid, None) == Err(Errno::ESRCH)
}

#[tokio::test]
async fn a_request_waits_for_the_process_to_start() {
    let app = app(&manifest(free_port(), "hey", "SLOW = \"0.3\"")).await;
    let early = app.admin(Method::GET, "/readyz").await;
    assert_eq!(early.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(early.text().contains("upstream `node`: starting"), "{}", early.text());
    assert!(app.get("/").await.text().starts_with("hey "));
    app.ready().await;
}

#[tokio::test]
async fn a_process_that_ends_is_started_again() {
    let app = app(&manifest(free_port(), "hey", "")).await;
    let first = pid(app.get("/").await.text());
    assert_eq!(app.get("/crash").await.status, StatusCode::BAD_GATEWAY);
    until("another process answers", async || {
        let reply = app.get("/").await;
        reply.status == StatusCode::OK && pid(reply.text()) != first
    })
    .await;
}

#[tokio::test]
async fn a_reload_keeps_an_unchanged_process_and_replaces_a_changed_one() {
    let port = free_port();
    let app = app(&manifest(port, "hey", "")).await;
    let first = pid(app.get("/").await.text());
    app.write_manifest(&format!("# a line more\n{}", manifest(port, "hey", "")));
    app.edge.reload().await.unwrap();
    assert_eq!(pid(app.get("/").await.text()), first);
    app.write_manifest(&manifest(port, "ho", ""));
    app.edge.reload().await.unwrap();
    let reply = app.get("/").await;
    assert!(reply.text().starts_with("ho "), "{}", reply.text());
    assert!(is_gone(first));
    app.write_manifest("name = \"x\"\n[[route]]\npath = \"/*\"\nredirect = \"/\"\n");
    app.edge.reload().await.unwrap();
    until("the removed process is gone", async || is_gone(pid(reply.text()))).await;
}

#[tokio::test]
async fn everything_it_started_ends_with_it() {
    // A shell that ignores SIGTERM, with a child of its own: only the whole group's death helps.
    let port = free_port();
    let command = "trap '' TERM; python3 server.py & echo $! > child; wait; sleep 100";
    let manifest = manifest(port, "hey", "").replace("python3 server.py", command);
    let app = app(&manifest).await;
    let child = pid(app.get("/").await.text());
    app.edge.shutdown();
    tokio::time::timeout(PATIENCE, app.edge.wait()).await.unwrap();
    assert!(is_gone(child), "{child} still runs");
}

#[tokio::test]
async fn a_process_that_never_answers_is_reported() {
    let manifest = manifest(free_port(), "hey", "").replace("python3 server.py", "exit 7");
    let app = app(&manifest).await;
    until("the reason is told", async || {
        app.admin(Method::GET, "/readyz").await.text().contains("ended with exit status: 7")
    })
    .await;
    let reply = app.get("/").await;
    assert_eq!(reply.status, StatusCode::BAD_GATEWAY);
}

/// An upstream that Coracle started dies with it, even when it had no chance to stop it.
#[tokio::test]
async fn nothing_survives_a_kill() {
    let dir = TempDir::new().unwrap();
    let command = "sleep 1000 & echo $! > child.new; mv child.new child; wait";
    let text = manifest(free_port(), "hey", "").replace("python3 server.py", command);
    let mut edge = process::start(dir.path(), &text);
    let noted = dir.path().join("child");
    until("the upstream runs", async || noted.exists()).await;
    edge.kill().unwrap();
    edge.wait().unwrap();
    let child = Pid::from_raw(std::fs::read_to_string(noted).unwrap().trim().parse().unwrap());
    until("its child is gone", async || is_gone(child)).await;
}
