//! `up`: serves manifests and bare components, and says why it doesn't.

use crate::server::{Server, get};
use crate::support::{Folder, guest_arg, manifest};
use std::fs::File;

#[test]
fn a_component_is_served_without_a_manifest() {
    for guest in ["p3/hello", "p2/hello"] {
        let folder = Folder::new();
        let server = Server::start(&folder, &[&guest_arg(guest)]);
        assert_eq!(server.get("/any/path"), (200, "hello\n".to_owned()), "{guest}");
        server.stop();
    }
}

#[test]
fn the_manifest_of_the_directory_is_served() {
    let folder = Folder::with(&manifest("app.wasm").replace("/*", "/hello"));
    folder.guest("p3/hello", "app.wasm");
    let server = Server::start(&folder, &[]);
    assert_eq!(server.get("/hello"), (200, "hello\n".to_owned()));
    assert_eq!(server.get("/other").0, 404);
    server.stop();
}

#[test]
fn each_address_is_listened_on() {
    let folder = Folder::new();
    let server = Server::start(&folder, &["--listen", "127.0.0.1:0", &guest_arg("p3/hello")]);
    let second = server.line();
    let second = second.strip_prefix("listening on http://").unwrap().parse().unwrap();
    assert_ne!(second, server.addr);
    assert_eq!(get(second, "/").0, 200);
    server.stop();
}

#[test]
fn a_taken_address_is_an_error_of_its_own() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[&guest_arg("p3/hello")]);
    let addr = server.addr.to_string();
    let error = folder.run(&["up", "--no-admin", "--listen", &addr, &guest_arg("p3/hello")]).failed(3);
    assert_eq!(
        error,
        format!("error: can't listen on {addr}: another process listens there; stop it, or choose another address\n")
    );
    assert_eq!(server.get("/").0, 200, "the first goes on");
    server.stop();
}

#[test]
fn an_address_of_another_machine_is_refused() {
    let error = Folder::new().run(&["up", "--no-admin", "--listen", "192.0.2.1:0", &guest_arg("p3/hello")]).failed(3);
    assert_eq!(error, "error: can't listen on 192.0.2.1:0: this machine has no such address\n");
}

#[test]
fn two_processes_both_have_an_admin_listener() {
    let (first, second) = (Folder::new(), Folder::new());
    let guest = guest_arg("p3/hello");
    let mut servers = [Server::start_with(&first, &[&guest]), Server::start_with(&second, &[&guest])];
    let admins = servers.each_mut().map(|server| {
        let line = server.hear("admin on http://");
        let addr = line.split("http://").nth(1).unwrap().split(' ').next().unwrap();
        addr.parse().unwrap()
    });
    assert_ne!(admins[0], admins[1]);
    for admin in admins {
        assert_eq!(get(admin, "/livez").0, 200);
        assert_eq!(get(admin, "/readyz").0, 200);
    }
    servers.into_iter().for_each(Server::stop);
}

#[test]
fn one_address_for_two_listeners_is_refused() {
    let error = Folder::new()
        .run(&["up", "--listen", "127.0.0.1:1", "--admin", "127.0.0.1:1", &guest_arg("p3/hello")])
        .failed(2);
    assert!(error.contains("--listen and --admin both say 127.0.0.1:1"), "{error}");
}

#[test]
fn broken_components_are_told_and_not_served() {
    let folder = Folder::new();
    let whole = std::fs::read(guest_arg("p3/hello")).unwrap();
    folder.write("cut.wasm", &whole[..whole.len() / 2]);
    folder.write("noise.wasm", [0x5a; 4096]);
    File::create(folder.path().join("huge.wasm")).unwrap().set_len(300 << 20).unwrap();
    for (file, said) in [
        ("cut.wasm", "the file is cut short"),
        ("noise.wasm", "this is not WebAssembly"),
        ("huge.wasm", "the file is too large: 300 MiB where at most 256 MiB are allowed"),
    ] {
        let error = folder.run(&["up", "--no-admin", "--listen", "127.0.0.1:0", file]).failed(1);
        assert!(error.contains(&format!("{file}: {said}")), "{error}");
        assert!(error.ends_with("1 error\n"), "{error}");
    }
}

#[test]
fn a_manifest_with_mistakes_is_reported_as_check_does() {
    let folder = Folder::with(&(manifest("app.wasm") + "[component.app.grants]\nhttp = [\"GET ftp://example.com\"]\n"));
    folder.guest("p3/hello", "app.wasm");
    let up = folder.run(&["up", "--no-admin", "--listen", "127.0.0.1:0"]);
    assert_eq!(up.code, 1, "{}", up.shown());
    assert_eq!(up.stdout, "", "nothing was listened on");
    assert_eq!(up.stderr, folder.run(&["check"]).stdout);
}

#[test]
fn a_state_directory_that_cannot_be_made_stops_the_start() {
    let folder = Folder::new();
    folder.write("file", "");
    let error = folder
        .run(&[
            "up",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
            "--state-dir",
            "file/state",
            &guest_arg("p3/hello"),
        ])
        .failed(3);
    assert!(error.contains("the admin listener does not start"), "{error}");
}
