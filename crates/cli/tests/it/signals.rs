//! SIGTERM and SIGINT drain, a second one ends at once, SIGHUP and changed files reload.

use crate::server::{Server, answer};
use crate::support::{Folder, guest_arg, manifest};
use nix::sys::signal::Signal;
use std::io::Read;

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
