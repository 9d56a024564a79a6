//! `run`: a command from its arguments to its exit code, in each generation of WASI.

use crate::support::{Folder, Ran, guest_arg};
use std::io::Write as _;
use std::process::Stdio;

/// Runs a case for WASI 0.2 and 0.3.
fn both(case: impl Fn(&Folder, &str)) {
    for name in ["p2/command", "p3/command"] {
        case(&Folder::new(), &guest_arg(name));
    }
}

fn fed(folder: &Folder, args: &[&str], input: &[u8]) -> Ran {
    let mut command = folder.command(args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    folder.finished(&child.wait_with_output().unwrap())
}

#[test]
fn arguments_environment_and_streams_are_the_commands() {
    both(|folder, command| {
        let said = folder.run(&["run", command, "--env", "MOOD=fine", "--", "args", "--json", "a b"]).ok();
        assert_eq!(said, "[\"--json\", \"a b\"] Some(\"fine\")\n");
        // Nothing of this process's environment is seen.
        assert_eq!(folder.run(&["run", command, "--", "args"]).ok(), "[] None\n");
        let long = "line\n".repeat(40_000);
        assert_eq!(fed(folder, &["run", command, "--", "cat"], long.as_bytes()).ok(), long);
    });
}

#[test]
fn the_exit_code_is_the_commands_or_says_why_it_ended() {
    both(|folder, command| {
        assert!(folder.run(&["run", command, "--", "fail"]).failed(1).contains("it went badly"));
        assert_eq!(folder.run(&["run", command, "--", "exit"]).failed(1), "");
        let trap = folder.run(&["run", command, "--", "trap"]).failed(134);
        assert!(trap.contains("the guest trapped: wasm trap: wasm `unreachable` instruction executed"), "{trap}");
        let spin = folder.run(&["run", command, "--limit", "cpu_per_request=200ms", "--", "spin"]).failed(124);
        assert!(spin.contains("more CPU time than its limit `cpu_per_request` (200ms)"), "{spin}");
        let grow = folder.run(&["run", command, "--limit", "memory=16MiB", "--", "grow"]).failed(134);
        assert!(grow.contains("its limit `memory` (16777216 bytes)"), "{grow}");
    });
    let folder = Folder::new();
    let wait = guest_arg("p3/command");
    let waited = folder.run(&["run", &wait, "--limit", "deadline=200ms", "--", "wait"]).failed(124);
    assert!(waited.contains("not done within its limit `deadline` (200ms)"), "{waited}");
}

#[test]
fn files_and_sockets_are_what_was_granted() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    both(|folder, command| {
        folder.write("data/note", "kept");
        let run = |flags: &[&str], args: &[&str]| {
            let all: Vec<&str> = ["run", command].iter().chain(flags).chain(&["--"]).chain(args).copied().collect();
            folder.run(&all)
        };
        assert_eq!(run(&["--dir", "data::/data"], &["read", "/data/note"]).ok(), "kept");
        run(&[], &["read", "/data/note"]).failed(1);
        run(&["--dir", "data::/data:ro"], &["write", "/data/new", "x"]).failed(1);
        run(&["--dir", "data::/data"], &["write", "/data/new", "x"]).ok();
        assert_eq!(std::fs::read_to_string(folder.path().join("data/new")).unwrap(), "x");
        run(&["--dir", "data::/data"], &["read", "/data/../coracle.toml"]).failed(1);
        let denied = run(&[], &["connect", &addr]).failed(1);
        assert!(denied.contains("Permission denied"), "{denied}");
        run(&["--grant", &format!("sockets=tcp://{addr}")], &["connect", &addr]).ok();
        run(&["--grant", "sockets=public"], &["connect", &addr]).failed(1);
        run(&["--grant", "sockets=*"], &["connect", &addr]).ok();
    });
}

#[test]
fn what_is_no_command_is_told_what_it_is() {
    let folder = Folder::new();
    let served = folder.run(&["run", &guest_arg("p3/hello")]).failed(1);
    assert!(served.contains("is an HTTP service (wasi:http/handler@0.3.2) and no command: serve it with `coracle up`"));
    let missing = folder.run(&["run", "absent.wasm"]).failed(1);
    assert!(missing.contains("absent.wasm"), "{missing}");
    folder.run(&["run", &guest_arg("p3/command"), "--grant", "sockets=db:1"]).failed(1);
    folder.run(&["run"]).failed(2);
}

/// A program of WASI 0.1, as compilers for `wasm32-wasip1` make them: a core module.
#[test]
fn a_core_module_of_wasi_0_1_is_run() {
    let folder = Folder::new();
    let hello = r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\08\00\00\00\06\00\00\00hello\n")
        (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 100)))))"#;
    folder.write("hello.wasm", wat::parse_str(hello).unwrap());
    assert_eq!(folder.run(&["run", "hello.wasm"]).ok(), "hello\n");
    let fails = r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "_start") (call $exit (i32.const 3))))"#;
    folder.write("fails.wasm", wat::parse_str(fails).unwrap());
    // The adapter tells good from bad and nothing more.
    assert_eq!(folder.run(&["run", "fails.wasm"]).code, 1);
}
