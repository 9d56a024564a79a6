//! The options that take the place of a manifest.

use crate::server::Server;
use crate::support::{Folder, guest_arg, manifest};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

/// Answers every request with 200 and `upstream`, for as long as the test runs.
fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\nconnection: close\r\n\r\nupstream");
        }
    });
    addr
}

#[test]
fn env_is_the_guests_environment_and_nothing_else_is() {
    for guest in ["p3/reflect", "p2/reflect"] {
        let folder = Folder::new();
        let server = Server::start(&folder, &["--env", "A=1", "--env", "B=x=y", &guest_arg(guest)]);
        let seen: serde_json::Value = serde_json::from_str(&server.get("/").1).unwrap();
        assert_eq!(seen["env"], serde_json::json!({ "A": "1", "B": "x=y" }), "{guest}");
        server.stop();
    }
}

#[test]
fn a_directory_is_granted_to_read_or_to_write() {
    for guest in ["p3/files", "p2/files"] {
        let folder = Folder::new();
        folder.write("data/a.txt", "alpha");
        std::fs::create_dir(folder.path().join("out")).unwrap();
        let guest = guest_arg(guest);
        let server = Server::start(&folder, &["--dir", "data::/data:ro", "--dir", "./out::/out", &guest]);
        assert_eq!(server.get("/?preopens"), (200, "/data\n/out\n".to_owned()));
        assert_eq!(server.get("/?read=/data/a.txt"), (200, "alpha".to_owned()));
        assert_eq!(server.get("/?delete=/data/a.txt").0, 403);
        assert_eq!(server.get("/?write=/out/b.txt").0, 204);
        assert!(folder.path().join("out/b.txt").is_file());
        assert_eq!(server.get("/?read=/out/../data/a.txt").0, 403, "no way out of a directory");
        server.stop();
    }
}

#[test]
fn outbound_requests_go_where_a_grant_says() {
    let upstream = upstream();
    let url = format!("http://{upstream}/api/x");
    for guest in ["p3/fanout", "p2/fanout"] {
        let guest = guest_arg(guest);
        let folder = Folder::new();
        let granted = format!("http=GET http://{upstream}/api/**");
        let server = Server::start(&folder, &["--grant", &granted, &guest]);
        assert_eq!(server.get(&format!("/?a={url}")), (200, "a: 200 upstream\n".to_owned()));
        let (status, body) = server.get(&format!("/?a=http://{upstream}/other"));
        assert_eq!((status, body.as_str()), (502, "a: HttpRequestDenied\n"));
        server.stop();

        let mut server = Server::start(&folder, &[&guest]);
        assert_eq!(server.get(&format!("/?a={url}")), (502, "a: HttpRequestDenied\n".to_owned()));
        let note = server.hear("was not granted `http`");
        assert!(note.contains("wasi:http/"), "{note}");
        server.stop();

        let server = Server::start(&folder, &["--grant", "http=*", &guest]);
        let (status, body) = server.get(&format!("/?a={url}"));
        assert_eq!(status, 502, "every public host is not this machine: {body}");
        server.stop();
    }
}

#[test]
fn stores_keep_what_a_grant_lets_write() {
    let folder = Folder::new();
    let guest = guest_arg("p3/kv");
    let store = r#"cache={ type = "keyvalue", backend = "sqlite" }"#;
    let (write, read) = (r#"keyvalue={ store = "cache", write = true }"#, r#"keyvalue={ store = "cache" }"#);
    let writer = Server::start(&folder, &["--store", store, "--grant", write, &guest]);
    assert_eq!(writer.get("/s/cache/k/a").0, 404);
    assert_eq!(writer.put("/s/cache/k/a", "alpha").0, 204);
    writer.stop();
    let reader = Server::start(&folder, &["--store", store, "--grant", read, &guest]);
    assert_eq!(reader.get("/s/cache/k/a"), (200, "alpha".to_owned()));
    assert_eq!(reader.put("/s/cache/k/a", "beta").0, 403);
    reader.stop();
}

#[test]
fn config_is_readable_where_granted() {
    let folder = Folder::new();
    let server = Server::start(
        &folder,
        &["--config", "quality=80", "--config", "secret=x", "--grant", "config=quality", &guest_arg("p3/config")],
    );
    assert_eq!(server.get("/?key=quality"), (200, "80".to_owned()));
    assert_eq!(server.get("/?key=secret").0, 404);
    server.stop();
}

#[test]
fn instances_are_reused_and_limited_as_told() {
    let folder = Folder::new();
    let guest = guest_arg("p3/alloc");
    let server = Server::start(
        &folder,
        &["--reuse", "requests=128,concurrency=16", "--limit", "memory=8MiB,concurrency=4", &guest],
    );
    for _ in 0..20 {
        assert_eq!(server.get("/?mb=1"), (200, "held 1 of 1 MiB\n".to_owned()));
    }
    let (_, held) = server.get("/?mb=64");
    let mebibytes: u32 = held.strip_prefix("held ").and_then(|rest| rest.split(' ').next()).unwrap().parse().unwrap();
    assert!(mebibytes < 8, "the limit of 8 MiB holds: {held}");
    server.stop();
}

#[test]
fn mistakes_point_at_the_option() {
    let folder = Folder::new();
    folder.guest("p3/hello", "hello.wasm");
    let ran = folder.run(&[
        "up",
        "hello.wasm",
        "--no-admin",
        "--listen",
        "127.0.0.1:0",
        "--env",
        "LOG",
        "--grant",
        "htpp=*",
        "--limit",
        "memory=lots",
        "--reuse",
        "requests=many",
        "--dir",
        "nowhere::",
    ]);
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!("bare-mistakes", ran.stderr);
    let grants = folder.run(&[
        "up",
        "hello.wasm",
        "--no-admin",
        "--listen",
        "127.0.0.1:0",
        "--grant",
        "http=GET ftp://example.com",
        "--dir",
        "nowhere::/data:ro",
        "--grant",
        r#"keyvalue={ store = "cache" }"#,
    ]);
    assert_eq!(grants.code, 1);
    insta::assert_snapshot!("bare-grants", grants.stderr);
}

#[test]
fn options_of_the_other_kind_are_refused_with_the_place_to_write_them() {
    let folder = Folder::with(&manifest("app.wasm"));
    folder.guest("p3/hello", "app.wasm");
    let mut text = String::new();
    for args in [
        vec!["up", "--env", "prod"],
        vec!["up", "--env", "A=1"],
        vec!["up", "--grant", "http=*"],
        vec!["up", "--reuse", "requests=2"],
        vec!["up", "app.wasm", "--variant", "prod"],
    ] {
        text += &format!("$ coracle {}\n{}", args.join(" "), folder.run(&args).failed(2));
    }
    insta::assert_snapshot!("bare-with-manifest", text);
}

#[test]
fn what_was_compiled_before_is_served_and_nothing_else() {
    let folder = Folder::with(&manifest("app.wasm"));
    folder.guest("p3/hello", "app.wasm");
    let up = ["up", "--aot-only", "--cache-dir", "cache", "--listen", "127.0.0.1:0", "--no-admin"];
    let refused = folder.run(&up).failed(1);
    assert!(refused.contains("is not in the cache") && refused.contains("`coracle package compile`"), "{refused}");
    let compile = ["package", "compile", "--cache-dir", "cache", "--json"];
    let first = folder.run(&compile).json();
    assert_eq!(first["components"][0]["was_there"], false);
    assert_eq!(folder.run(&compile).json()["components"][0]["was_there"], true);
    let server = Server::start(&folder, &["--aot-only", "--cache-dir", "cache"]);
    assert_eq!(server.get("/"), (200, "hello\n".to_owned()));
    server.stop();
    // A command's code is another engine's.
    folder.guest("p3/command", "job.wasm");
    let text = folder.run(&["package", "compile", "job.wasm", "--cache-dir", "cache"]).ok();
    assert!(text.starts_with("job  ") && text.contains(" of code, "), "{text}");
}
