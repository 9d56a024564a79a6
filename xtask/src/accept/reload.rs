//! SIGHUP every 300 ms, each with a new value in the manifest, under load on components, files and Node: no request fails,
//! and the new values show.

use std::path::{Path, PathBuf};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use super::Stage;
use super::http;
use super::report::Report;
use super::server::Server;
use super::wrk::{Counted, Memory, round};

const EVERY: Duration = Duration::from_millis(300);
/// Memory comes to rest within.
const MOST: Duration = Duration::from_secs(120);
const PATHS: [&str; 4] = ["/", "/api/price/rope-mat?country=DE&qty=3", "/api/catalogue", "/probe"];

pub fn check(stage: &Stage, report: &mut Report) -> Result<()> {
    write(stage, 0)?;
    let server = Server::shop(stage, "reload", &[])?;
    report.check("reloads under load", || reloads(stage, &server));
    report.check("SIGTERM", || server.stop());
    Ok(())
}

/// The shop and a component beside it, which answers with its environment.
fn write(stage: &Stage, value: u32) -> Result<()> {
    let wasm = stage.guests.join("p3/reflect.wasm");
    stage.shop.append(&format!(
        "[component.probe]\nsource = {:?}\nenv = {{ ROUND = \"{value}\" }}\n\n[[route]]\npath = \"/probe\"\nto = \"probe\"\n",
        wasm.display().to_string()
    ))
}

fn reloads(stage: &Stage, server: &Server) -> Result<String> {
    let time = Duration::from_secs(if stage.quick { 5 } else { 20 });
    let script = script(&stage.logs, &PATHS)?;
    let memory = Memory::watch(server.process());
    let begin = Instant::now();
    // More than one round where memory has not come to rest yet; what leaks never does.
    let load = || -> Result<Counted> {
        let mut counted = round(&server.url, time, Some(&script))?;
        while memory.flat().is_err() && begin.elapsed() < MOST && counted.refused + counted.broken == 0 {
            counted.add(round(&server.url, time, Some(&script))?);
        }
        Ok(counted)
    };
    let (counted, kept) = thread::scope(|scope| {
        let load = scope.spawn(load);
        let kept = keep_reloading(stage, server, || load.is_finished());
        (load.join(), kept)
    });
    let flat = memory.flat();
    let counted = counted.ok().context("the load's thread panicked")??;
    let clean = counted.clean()?;
    ensure!(counted.requests > 0, "no request was answered meanwhile");
    let (asked, seen) = kept?;
    let begin = Instant::now();
    while shown(server)? != asked {
        ensure!(begin.elapsed() < Duration::from_secs(30), "{asked} was written last, {} shows", shown(server)?);
        sleep(Duration::from_millis(50));
    }
    let log = server.log()?;
    let (done, refused) = (log.matches("reloaded generation=").count(), log.matches("the app stays as it was").count());
    ensure!(refused == 0, "{refused} reloads were refused:\n{log}");
    ensure!(seen > 1, "{asked} values were written, {seen} showed under load");
    let away = server.access()?.matches(" (fallback from ").count();
    Ok(format!(
        "{asked} SIGHUPs, {done} reloads, {seen} values seen under load\n{clean}, {away} by a fallback\n{}",
        flat?
    ))
}

/// Writes and reloads until the load has ended: the last value written, and how many different ones showed.
fn keep_reloading(stage: &Stage, server: &Server, ended: impl Fn() -> bool) -> Result<(u32, usize)> {
    let mut seen = Vec::new();
    let mut value = 0;
    while !ended() {
        let begin = Instant::now();
        value += 1;
        write(stage, value)?;
        server.signal(Signal::SIGHUP)?;
        seen.push(shown(server)?);
        sleep(EVERY.saturating_sub(begin.elapsed()));
    }
    ensure!(seen.is_sorted(), "an older value showed after a newer one: {seen:?}");
    seen.dedup();
    Ok((value, seen.len()))
}

/// The value that a new request sees.
fn shown(server: &Server) -> Result<u32> {
    let body = http::get(&format!("{}/probe", server.url))?.body;
    let seen: serde_json::Value = serde_json::from_str(&body).with_context(|| format!("no JSON: {body}"))?;
    let value = seen.get("env").and_then(|env| env.get("ROUND")).and_then(|value| value.as_str());
    value.and_then(|value| value.parse().ok()).with_context(|| format!("no ROUND in {body}"))
}

/// Makes wrk ask for one path after the other.
pub fn script(folder: &Path, paths: &[&str]) -> Result<PathBuf> {
    let file = folder.join("paths.lua");
    let paths = paths.iter().map(|path| format!("{path:?}")).collect::<Vec<_>>().join(", ");
    let lua = format!(
        "local paths = {{ {paths} }}\nlocal at = 0\nrequest = function()\n  at = at % #paths + 1\n  return wrk.format(\"GET\", paths[at])\nend\n"
    );
    std::fs::write(&file, lua).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}
