//! SIGTERM and SIGINT drain, a second one ends at once, SIGHUP and changed files reload.

use crate::server::{Server, answer, get};
use crate::support::{Folder, guest_arg, manifest};
use command_fds::{CommandFdExt as _, FdMapping};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::Read;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;

/// Reads until `text` has come: the request is in the guest's hands.
fn read_until(stream: &mut impl Read, text: &str) {
    let (mut seen, mut chunk) = (Vec::new(), [0; 512]);
    while !String::from_utf8_lossy(&seen).contains(text) {
        let count = stream.read(&mut chunk).unwrap();
        assert_ne!(count, 0, "ended before {text:?}");
        seen.extend_from_slice(&chunk[..count]);
    }
}

#[test]
fn both_signals_end_it_cleanly() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let folder = Folder::new();
        let server = Server::start(&folder, &[&guest_arg("p3/hello")]);
        server.signal(signal);
        let (code, stdout, stderr) = server.end();
        assert_eq!(code, 0, "{signal}: {stderr:#?}");
        assert_eq!(stdout, Vec::<String>::new());
        assert!(!stderr.iter().any(|line| line.contains("ERROR") || line.contains("bug:")), "{stderr:#?}");
    }
}

#[test]
fn a_running_request_is_finished_first() {
    let folder = Folder::new();
    let mut server = Server::start(&folder, &[&guest_arg("p3/drip")]);
    let mut running = server.ask("/?n=4&ms=200");
    read_until(&mut running, "drip 1");
    server.signal(Signal::SIGTERM);
    server.hear("draining");
    let mut rest = String::new();
    running.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("drip 4"), "{rest}");
    assert_eq!(server.end().0, 0);
}

#[test]
fn a_drain_has_an_end() {
    let folder = Folder::new();
    let server = Server::start(&folder, &["--drain", "100ms", &guest_arg("p3/drip")]);
    let mut running = server.ask("/?n=1000&ms=1000");
    read_until(&mut running, "drip 1");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.end().0, 0);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (signal, expected) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let folder = Folder::new();
        let mut server = Server::start(&folder, &["--drain", "1h", &guest_arg("p3/drip")]);
        let mut running = server.ask("/?n=1000&ms=1000");
        read_until(&mut running, "drip 1");
        server.signal(Signal::SIGTERM);
        server.hear("draining");
        server.signal(signal);
        assert_eq!(server.end().0, expected);
    }
}

#[test]
fn hangup_reloads_and_a_broken_manifest_changes_nothing() {
    let folder = Folder::with(&manifest("app.wasm"));
    folder.guest("p3/hello", "app.wasm");
    folder.guest("p3/reflect", "other.wasm");
    let mut server = Server::start(&folder, &[]);
    assert_eq!(server.get("/").1, "hello\n");
    folder.write("coracle.toml", manifest("other.wasm"));
    assert_eq!(server.get("/").1, "hello\n", "nothing is read without being asked to");
    server.signal(Signal::SIGHUP);
    server.hear("reloaded");
    assert!(server.get("/").1.starts_with('{'));
    folder.write("coracle.toml", manifest("other.wasm").replace("route", "rout"));
    server.signal(Signal::SIGHUP);
    server.hear("the app stays as it was");
    server.hear("rout");
    assert!(server.get("/").1.starts_with('{'));
    server.stop();
}

#[test]
fn watching_reloads_when_a_file_changes() {
    let folder = Folder::with(&manifest("app.wasm"));
    folder.guest("p3/hello", "app.wasm");
    let mut server = Server::start(&folder, &["--watch"]);
    assert_eq!(server.get("/").1, "hello\n");
    folder.guest("p3/reflect", "app.wasm");
    server.hear("reloaded");
    assert!(answer(server.ask("/")).1.starts_with('{'));
    server.stop();
}

#[test]
fn a_signal_before_the_first_line_ends_it_too() {
    let folder = Folder::new();
    // A pipe in place of the manifest: the start waits for its writer, who never comes.
    nix::unistd::mkfifo(&folder.path().join("pipe.toml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut command = folder.command(&["up", "--no-admin", "--listen", "127.0.0.1:0", "pipe.toml"]);
    let mut child = command.env("CORACLE_LOG", "info").spawn().unwrap();
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    // Opening to write succeeds once the other side has opened to read: the start is under way, its signals are caught.
    let writer = std::fs::OpenOptions::new().write(true).open(folder.path().join("pipe.toml")).unwrap();
    nix::sys::signal::kill(pid, Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    drop(writer);
}

/// Asks again and again until it is told to stop; how often it was answered, and what went wrong.
fn asking(addr: SocketAddr, stop: Arc<AtomicBool>) -> JoinHandle<(u32, Vec<String>)> {
    std::thread::spawn(move || {
        let (mut answered, mut failed) = (0, Vec::new());
        while !stop.load(Relaxed) {
            match std::panic::catch_unwind(|| get(addr, "/?n=1")) {
                Ok((200, _)) => answered += 1,
                other => failed.push(format!("{other:?}")),
            }
        }
        (answered, failed)
    })
}

#[test]
fn an_upgrade_refuses_nobody() {
    let folder = Folder::new();
    let args = ["--admin", "127.0.0.1:0", "--quiet", &guest_arg("p3/drip")];
    let mut server = Server::start_with(&folder, &args);
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..3).map(|_| asking(server.addr, Arc::clone(&stop))).collect();
    let mut running = server.ask("/?n=6&ms=200");
    read_until(&mut running, "drip 1");
    let mut pids = Vec::new();
    for _ in 0..2 {
        match pids.last() {
            None => server.signal(Signal::SIGUSR2),
            Some(pid) => kill(*pid, Signal::SIGUSR2).unwrap(),
        }
        let line = server.hear("a successor serves");
        let pid = line.rsplit("pid=").next().unwrap().trim().parse().unwrap();
        pids.push(Pid::from_raw(pid));
        server.hear("draining");
    }
    // What was running when the first ended its listening is answered by the first, whole.
    let mut rest = String::new();
    running.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("drip 6"), "{rest}");
    assert_eq!(server.get("/?n=1").0, 200);
    stop.store(true, Relaxed);
    for client in clients {
        let (answered, failed) = client.join().unwrap();
        assert!(answered > 0 && failed.is_empty(), "{answered} answered, {failed:?}");
    }
    kill(*pids.last().unwrap(), Signal::SIGTERM).unwrap();
    let (code, _, stderr) = server.end();
    assert_eq!(code, 0, "{stderr:#?}");
}

#[test]
fn a_successor_that_does_not_serve_changes_nothing() {
    let folder = Folder::with(&manifest("app.wasm"));
    folder.guest("p3/hello", "app.wasm");
    let mut server = Server::start_with(&folder, &["--admin", "127.0.0.1:0"]);
    folder.write("coracle.toml", "not a manifest");
    server.signal(Signal::SIGUSR2);
    server.hear("the successor does not serve, this process goes on");
    assert_eq!(server.get("/").0, 200);
    server.stop();
}

/// As systemd does: the socket is there before the process is, and a datagram says when it serves.
#[test]
fn a_socket_that_is_handed_over_is_listened_on() {
    let folder = Folder::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let hears = std::os::unix::net::UnixDatagram::bind(folder.path().join("notify")).unwrap();
    // It waits in the socket's queue until there is somebody.
    let early = std::thread::spawn(move || get(addr, "/"));
    let mut command = folder.command(&["up", "--no-admin", &guest_arg("p3/hello")]);
    command.env("LISTEN_FDS", "1").env("NOTIFY_SOCKET", folder.path().join("notify"));
    let mapping = FdMapping { parent_fd: listener.into(), child_fd: 3 };
    let mut child = command.fd_mappings(vec![mapping]).unwrap().stdout(Stdio::piped()).spawn().unwrap();
    assert_eq!(early.join().unwrap(), (200, "hello\n".to_owned()));
    let mut said = [0; 64];
    let length = hears.recv(&mut said).unwrap();
    assert_eq!(&said[..length], b"READY=1\n");
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    assert!(child.wait().unwrap().success());
    let mut lines = String::new();
    child.stdout.take().unwrap().read_to_string(&mut lines).unwrap();
    assert!(lines.starts_with(&format!("listening on http://{addr}\n")), "{lines}");
}
