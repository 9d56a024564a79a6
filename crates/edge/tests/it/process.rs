//! An edge in a process of its own, for signals and sudden deaths: this very test program, started again.

use crate::raw::{PATIENCE, exchange};
use coracle_edge::{AppSource, Edge, Settings};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const DIR: &str = "CORACLE_TEST_PROCESS_DIR";

/// Starts the edge of the manifest in this directory; its address is written to `addr` there.
pub fn start(dir: &Path, manifest: &str) -> Child {
    std::fs::write(dir.join("coracle.toml"), manifest).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "process::the_other_process"]).env(DIR, dir).stdout(Stdio::null());
    command.spawn().unwrap()
}

/// Does nothing, unless `start` runs it.
#[test]
fn the_other_process() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let dir = Path::new(&dir);
    let app = AppSource::Manifest { path: dir.join("coracle.toml"), variant: None, variables: Default::default() };
    let settings = Settings { app, signals: true, shards: 1, ..Settings::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let edge = runtime.block_on(Edge::start(settings)).unwrap_or_else(|error| panic!("{error}"));
    std::fs::write(dir.join("addr.new"), edge.addrs()[0].to_string()).unwrap();
    std::fs::rename(dir.join("addr.new"), dir.join("addr")).unwrap();
    runtime.block_on(edge.wait());
}

async fn until<T>(what: &str, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let wait = async {
        loop {
            if let Some(found) = found().await {
                return found;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never: {what}"))
}

fn redirecting(to: &str) -> String {
    format!("name = \"x\"\n[[route]]\npath = \"/*\"\nredirect = \"{to}\"\n")
}

#[tokio::test]
async fn hangup_reloads_and_terminate_ends() {
    let dir = TempDir::new().unwrap();
    let mut edge = start(dir.path(), &redirecting("/one"));
    let pid = Pid::from_raw(edge.id().try_into().unwrap());
    let addr: SocketAddr =
        until("it listens", async || std::fs::read_to_string(dir.path().join("addr")).ok()).await.parse().unwrap();
    let goes_to = async |to: &str| {
        let reply = exchange(addr, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        reply.contains(&format!("location: {to}\r\n")).then_some(())
    };
    until("the first manifest", async || goes_to("/one").await).await;
    std::fs::write(dir.path().join("coracle.toml"), redirecting("/two")).unwrap();
    kill(pid, Signal::SIGHUP).unwrap();
    until("the second manifest", async || goes_to("/two").await).await;
    // A broken one is reported and changes nothing; the process lives on.
    std::fs::write(dir.path().join("coracle.toml"), "name = ").unwrap();
    kill(pid, Signal::SIGHUP).unwrap();
    std::fs::write(dir.path().join("coracle.toml"), redirecting("/three")).unwrap();
    kill(pid, Signal::SIGHUP).unwrap();
    until("the third manifest", async || goes_to("/three").await).await;
    kill(pid, Signal::SIGTERM).unwrap();
    let status = until("it ends", async || edge.try_wait().unwrap()).await;
    assert!(status.success(), "{status}");
}
