//! The log, in a process of its own: this very test program, started again.

use coracle_edge::logging;
use coracle_telemetry::Format;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};

const TELLS: &str = "CORACLE_TEST_LOG";

/// A process that logs once its standard input is closed.
fn start() -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "logging::the_other_process", "--nocapture"]).env(TELLS, "1");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Does nothing, unless `start` runs it.
#[test]
fn the_other_process() {
    if std::env::var_os(TELLS).is_none() {
        return;
    }
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    let log = logging::init(Format::Text, "info", false).unwrap();
    tracing::info!(target: "guest", component = "shop\n", "a\ttab\nERROR forged \x1b[2J\u{9b}1m");
    tracing::warn!(field = "x\ny\x1b]0;t\x07", "first\nsecond\r");
    tracing::info!(target: "upstream", name = "node", "{}", "\u{e9}".repeat(10_000));
    log.flush_within(std::time::Duration::from_secs(10));
}

#[test]
fn no_text_begins_a_line_or_steers_a_terminal() {
    let mut process = start();
    drop(process.stdin.take());
    let mut log = String::new();
    process.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(process.wait().unwrap().success());
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines[0], r"[shop\n] a	tab\nERROR forged \u{1b}[2J\u{9b}1m");
    assert_eq!(lines[1], " WARN first");
    assert_eq!(lines[2], r"      | second\r field=x\ny\u{1b}]0;t\u{7}");
    assert_eq!((lines.len(), lines[3].len()), (4, "[node] ".len() + 8 * 1024));
}

#[test]
fn a_closed_standard_error_ends_nothing() {
    let mut process = start();
    drop(process.stderr.take());
    let mut stdin = process.stdin.take().unwrap();
    stdin.write_all(b"\n").unwrap();
    drop(stdin);
    let status = process.wait().unwrap();
    assert!(status.success(), "{status}");
}
