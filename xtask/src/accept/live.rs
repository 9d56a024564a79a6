//! What stays open: event streams and socket.io by the example's own scripts, one socket across reloads, Vite's hot reload.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use super::Stage;
use super::groups::Group;
use super::report::Report;
use super::server::Server;

pub fn check(stage: &Stage, report: &mut Report) -> Result<()> {
    let mut server = Server::shop(stage, "live", &[])?;
    report.check("events and socket.io", || script(stage, "live.js", &server));
    report.check("a socket across reloads", || across_reloads(stage, &mut server));
    report.check("SIGTERM", || server.stop());
    stage.shop.reset()?;
    let server = Server::shop(stage, "dev", &["--variant", "dev"])?;
    report.check("Vite's hot reload", || script(stage, "hot-reload.js", &server));
    report.check("events and socket.io beside Vite", || script(stage, "live.js", &server));
    report.check("SIGTERM, with Vite", || server.stop());
    Ok(())
}

fn node(stage: &Stage, name: &str, server: &Server) -> Command {
    let mut node = Command::new("node");
    node.arg(format!("test/{name}")).arg(&server.url).current_dir(&stage.shop.dir);
    node.stdin(Stdio::null()).stdout(Stdio::piped());
    node
}

fn script(stage: &Stage, name: &str, server: &Server) -> Result<String> {
    let mut group = Group::start(&mut node(stage, name, server))?;
    let mut text = String::new();
    group.child.stdout.take().context("standard output is piped")?.read_to_string(&mut text)?;
    let code = group.wait(Duration::from_secs(10))?;
    ensure!(code == Some(0), "{name} ended with {code:?}:\n{text}");
    Ok(text)
}

/// Holds one socket while the app is replaced three times, each time with another value in a component's environment.
fn across_reloads(stage: &Stage, server: &mut Server) -> Result<String> {
    let mut holding = Group::start(node(stage, "live.js", server).arg("--hold").stdin(Stdio::piped()))?;
    let mut lines = BufReader::new(holding.child.stdout.take().context("standard output is piped")?);
    let mut text = String::new();
    lines.read_line(&mut text)?;
    ensure!(text == "holding\n", "the socket could not be opened: {text}");
    for round in 1..=3 {
        stage.shop.append(&format!("[component.price.env]\nROUND = \"{round}\"\n"))?;
        server.signal(Signal::SIGHUP)?;
        server.wait_for("the reload", |server| {
            Ok((server.log()?.matches("reloaded generation=").count() >= round).then_some(()))
        })?;
        sleep(Duration::from_millis(300));
    }
    // The script asks until its input ends.
    drop(holding.child.stdin.take());
    text.clear();
    lines.read_to_string(&mut text)?;
    let code = holding.wait(Duration::from_secs(10))?;
    ensure!(code == Some(0), "the socket did not survive: {text}");
    Ok(format!("3 reloads, {}", text.trim()))
}
