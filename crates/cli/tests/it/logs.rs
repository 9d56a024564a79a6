//! What is logged where: access log on standard output, everything else on standard error, guests by name.

use crate::server::Server;
use crate::support::{Folder, guest_arg};

#[test]
fn each_request_is_a_line_on_standard_output_unless_quiet() {
    let folder = Folder::new();
    let guest = guest_arg("p3/hello");
    let server = Server::start(&folder, &[&guest]);
    server.get("/some/path?q=1");
    let line = server.line();
    assert!(line.contains(" GET ") && line.contains("/some/path") && line.contains(" 200 "), "{line}");
    server.stop();
    let quiet = Server::start(&folder, &["--quiet", &guest]);
    quiet.get("/");
    quiet.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(quiet.end().1, Vec::<String>::new());
}

#[test]
fn json_logs_are_json_on_both_streams() {
    let folder = Folder::new();
    let server = Server::start(&folder, &["--log-format", "json", &guest_arg("p3/logs")]);
    server.get("/?out=from+the+guest");
    let access: serde_json::Value = serde_json::from_str(&server.line()).unwrap();
    assert_eq!((&access["kind"], &access["status"]), (&"request".into(), &200.into()));
    server.signal(nix::sys::signal::Signal::SIGTERM);
    let (code, _, stderr) = server.end();
    assert_eq!(code, 0);
    let events: Vec<serde_json::Value> =
        stderr.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    let guest = events.iter().find(|event| event["target"] == "guest").unwrap_or_else(|| panic!("{events:#?}"));
    assert_eq!((&guest["message"], &guest["component"]), (&"from the guest".into(), &"logs".into()));
}

#[test]
fn an_error_of_the_start_is_a_json_line_too() {
    let folder = Folder::new();
    for (args, code, said) in [
        (vec!["--listen", "192.0.2.1:0"], 3, "this machine has no such address"),
        (vec!["--listen", "127.0.0.1:0", "--grant", "htpp=*"], 1, "did you mean `http`?"),
    ] {
        let guest = guest_arg("p3/hello");
        let args = [&["up", "--no-admin", "--log-format", "json", &guest], args.as_slice()].concat();
        let error = folder.run(&args).failed(code);
        let event: serde_json::Value = serde_json::from_str(&error).unwrap_or_else(|_| panic!("{error}"));
        assert_eq!(event["level"], "ERROR");
        assert!(event["message"].as_str().unwrap().contains(said), "{event:#}");
    }
}

#[test]
fn a_guests_lines_carry_its_name() {
    for guest in ["p3/logs", "p2/logs"] {
        let folder = Folder::new();
        let mut server = Server::start(&folder, &[&guest_arg(guest)]);
        server.get("/?out=to-stdout&err=to-stderr");
        for text in ["to-stdout", "to-stderr"] {
            let line = server.hear(text);
            assert!(line.starts_with("[logs") && line.ends_with(&format!("] {text}")), "{line:?}");
        }
        server.stop();
    }
}

#[test]
fn more_is_logged_for_who_asks() {
    let folder = Folder::new();
    let guest = guest_arg("p3/hello");
    let logged = |args: &[&str]| {
        let server = Server::start(&folder, &[args, &[&guest]].concat());
        server.get("/");
        server.signal(nix::sys::signal::Signal::SIGTERM);
        server.end().2.join("\n")
    };
    let (usual, verbose) = (logged(&[]), logged(&["-vv"]));
    assert!(usual.contains(" INFO serving `hello`") && !usual.contains("DEBUG"), "{usual}");
    assert!(verbose.contains("DEBUG"), "{verbose}");
    let mut command = folder.command(&["up", "--no-admin", "--listen", "192.0.2.1:0", &guest]);
    let silent = folder.finished(&command.env("CORACLE_LOG", "off").output().unwrap());
    assert_eq!(silent.failed(3), "error: can't listen on 192.0.2.1:0: this machine has no such address\n");
}
