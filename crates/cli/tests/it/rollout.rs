//! `rollout`: the whole story with the real binary. Node answers, a component takes over while requests run, the process is
//! killed in the middle, a bad version goes back by itself; what the command line says and how it exits.

use crate::server::{Server, get};
use crate::support::Folder;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What stands for Node: says "alive" after 30 ms, on every connection.
fn node() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || answer_all(stream));
        }
    });
    addr
}

fn answer_all(mut stream: TcpStream) {
    let mut heard = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut chunk) {
        heard.extend_from_slice(&chunk[..count]);
        while let Some(end) = heard.windows(4).position(|window| window == b"\r\n\r\n") {
            heard.drain(..end + 4);
            std::thread::sleep(Duration::from_millis(30));
            let answer = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 6\r\n\r\nalive\n";
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

fn manifest(node: SocketAddr, rollout: &str) -> String {
    format!(
        "name = \"shop\"
        [component.price]
        source = \"price.wasm\"
        [upstream.node]
        url = \"http://{node}\"
        [[route]]
        path = \"/*\"
        to = \"price\"
        rollout = {{ from = \"node\", key = \"header x-user\", {rollout} }}\n"
    )
}

/// A free port, and the hope that it stays so.
fn free() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

struct Load {
    stop: Arc<AtomicBool>,
    failed: Arc<AtomicU64>,
    sent: Arc<AtomicU64>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    fn on(addr: SocketAddr, path: &'static str) -> Self {
        let (stop, failed, sent) =
            (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let client = |number: u64| {
            let (stop, failed, sent) = (Arc::clone(&stop), Arc::clone(&failed), Arc::clone(&sent));
            std::thread::spawn(move || {
                let mut user = number;
                while !stop.load(Relaxed) {
                    user += 1000;
                    let good = ask(addr, path, &format!("user-{user}"))
                        .is_some_and(|answer| answer.starts_with("HTTP/1.1 200"));
                    // One that was under way when the test ended says nothing.
                    if !stop.load(Relaxed) {
                        sent.fetch_add(1, Relaxed);
                        failed.fetch_add(u64::from(!good), Relaxed);
                    }
                }
            })
        };
        Self { clients: (0..16).map(client).collect(), stop, failed, sent }
    }

    fn end(self) -> (u64, u64) {
        self.stop.store(true, Relaxed);
        for client in self.clients {
            client.join().unwrap();
        }
        (self.failed.load(Relaxed), self.sent.load(Relaxed))
    }
}

/// The whole answer to a request of a user.
fn ask(addr: SocketAddr, path: &str, user: &str) -> Option<String> {
    let mut stream = TcpStream::connect(addr).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let head = format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\nx-user: {user}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}

fn version_of(addr: SocketAddr, user: &str) -> String {
    let answer = ask(addr, "/", user).unwrap();
    let line = answer.lines().find_map(|line| line.strip_prefix("x-coracle-version: "));
    line.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// Waits until `rollout status` says so.
#[track_caller]
fn until(folder: &Folder, admin: &str, phase: &str) {
    let begun = Instant::now();
    loop {
        let said = folder.run(&["rollout", "status", "--admin", admin]);
        if said.stdout.contains(phase) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "never {phase}: {said:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn from_node_to_promoted_through_a_kill() {
    let steps = "steps = [\"shadow 50% for 1s\", \"1% for 1s\", \"50% for 2s\", \"ask\", \"bake 1s\"]";
    let folder = Folder::with(&manifest(node(), steps));
    folder.guest("p3/trap", "price.wasm");
    let admin = free();
    let server = Server::start_with(&folder, &["--admin", &admin]);
    let load = Load::on(server.addr, "/");
    until(&folder, &admin, "holding         50%");
    let (failed, sent) = load.end();
    assert_eq!(failed, 0, "of {sent}");
    let users: Vec<_> = (0..30).map(|user| format!("user-{user}")).collect();
    let before: Vec<_> = users.iter().map(|user| version_of(server.addr, user)).collect();
    assert!(
        before.iter().any(|version| version == "node") && before.iter().any(|version| version.starts_with("price@"))
    );
    // SIGKILL: nothing is written down at the end.
    drop(server);
    let server = Server::start_with(&folder, &["--admin", &admin]);
    let after: Vec<_> = users.iter().map(|user| version_of(server.addr, user)).collect();
    assert_eq!(before, after, "the same users on the same versions");
    assert!(folder.run(&["rollout", "status", "--admin", &admin]).stdout.starts_with("r1   holding         50%"));
    let load = Load::on(server.addr, "/");
    // The evidence of the last seconds is gone with the process: it is gathered anew.
    let begun = Instant::now();
    while folder.run(&["rollout", "resume", "--admin", &admin]).code != 0 {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{:?}",
            folder.run(&["rollout", "explain", "--admin", &admin])
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    let ended = folder.run(&["rollout", "status", "price", "--wait", "--timeout", "60s", "--admin", &admin]);
    let (failed, sent) = load.end();
    assert_eq!((ended.code, failed), (0, 0), "of {sent}: {ended:?}");
    assert!(
        ended.stdout.contains("promoted") && ended.stdout.contains("is proven not to be worse than node"),
        "{ended:?}"
    );
    let history = folder.run(&["rollout", "history", "--admin", &admin]).stdout;
    let events: Vec<_> = history.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    assert_eq!(events.first(), Some(&"created"), "{history}");
    assert_eq!(events.last(), Some(&"promoted"), "{history}");
    server.stop();
}

#[test]
fn a_version_that_traps_goes_back_by_itself() {
    let folder = Folder::with(&manifest(node(), "steps = [\"20% for 1h\"]"));
    folder.guest("p3/trap", "price.wasm");
    let admin = free();
    let server = Server::start_with(&folder, &["--admin", &admin]);
    let load = Load::on(server.addr, "/?when=before");
    let ended = folder.run(&["rollout", "status", "--wait", "--timeout", "60s", "--admin", &admin]);
    let (failed, sent) = load.end();
    assert_eq!((ended.code, failed), (4, 0), "of {sent}: {ended:?}");
    assert!(ended.stdout.contains("rolled-back"), "{ended:?}");
    assert_eq!(version_of(server.addr, "ada"), "node");
    let refused = folder.run(&["rollout", "start", "price", "--admin", &admin]);
    assert!(refused.code == 1 && refused.stderr.contains("was rolled back before: say --retry"), "{refused:?}");
    assert_eq!(folder.run(&["rollout", "start", "price", "--retry", "--admin", &admin]).code, 0);
    server.stop();
}

#[test]
fn without_a_process_it_says_what_to_do() {
    let folder = Folder::new();
    let error = folder.run(&["rollout", "status", "--admin", &free()]).failed(1);
    assert!(error.contains("nothing answers at 127.0.0.1:") && error.contains("is `coracle up` running"), "{error}");
    let error = folder.run(&["rollout", "promote", "r1", "--force"]).failed(2);
    assert!(error.contains("--force needs a --reason"), "{error}");
    folder.run(&["rollout", "abort", "r1"]).failed(1);
}

#[test]
fn without_a_rollout_it_says_how_to_have_one() {
    let folder = Folder::with(&manifest(node(), "").replace("rollout =", "#"));
    folder.guest("p3/trap", "price.wasm");
    let admin = free();
    let server = Server::start_with(&folder, &["--admin", &admin]);
    assert_eq!(get(server.addr, "/").0, 200);
    let said = folder.run(&["rollout", "status", "--admin", &admin]);
    assert!(said.stdout.contains("no route of the manifest has a rollout"), "{said:?}");
    server.stop();
}
