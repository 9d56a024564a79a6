//! Components nobody here wrote: served, or refused at the start with the sentence that says why, and exit code 1.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Stage;
use super::groups::Group;
use super::http;
use super::report::Report;
use super::server::Server;

const SERVED: &str = "oci-wasm-component.wasm";

/// Each with what its refusal says.
const REFUSED: [(&str, &str); 5] = [
    ("oci-wasm-binary-wit.wasm", "this is a WIT package: it describes interfaces and has no code to run"),
    ("wash-runtime-cron-component.wasm", "it answers no HTTP: it exports `wasmcloud:example/cron@0.0.1`"),
    ("wash-runtime-cron-service.wasm", "this is a command (it exports `wasi:cli/run@0.2.3`) and answers no HTTP"),
    ("wash-runtime-http-blobstore.wasm", "which Coracle does not offer"),
    ("wash-runtime-http-counter.wasm", "which Coracle does not offer"),
];

pub fn check(stage: &Stage, report: &mut Report) -> Result<()> {
    report.check(SERVED, || {
        let server = Server::component(stage, "third-party", &stage.third_party.join(SERVED))?;
        let answer = http::get(&server.url)?;
        let stopped = server.stop()?;
        Ok(format!("served: {} {}, {} bytes; {stopped}", answer.status, answer.kind, answer.body.len()))
    });
    for (file, sentence) in REFUSED {
        report.check(file, || refused(stage, file, sentence));
    }
    Ok(())
}

fn refused(stage: &Stage, file: &str, sentence: &str) -> Result<String> {
    let log = stage.logs.join(format!("{file}.err"));
    let mut coracle = Command::new(&stage.coracle);
    coracle.args(["up", "--listen", "127.0.0.1:0", "--no-admin"]).arg(stage.third_party.join(file));
    coracle.current_dir(&stage.logs).stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?);
    let code = Group::start(&mut coracle)?.wait(Duration::from_secs(120))?;
    let text = std::fs::read_to_string(&log)?;
    ensure!(code == Some(1), "ended with {code:?} instead of 1:\n{text}");
    ensure!(text.contains(sentence), "doesn't say {sentence:?} but:\n{text}");
    let line = text.lines().find(|line| line.contains(sentence)).context("a sentence is one line")?;
    let start = line.find(sentence).unwrap_or_default();
    let shown: String = line.chars().skip(start).take(90).collect();
    Ok(format!("exit 1: {shown}…"))
}
