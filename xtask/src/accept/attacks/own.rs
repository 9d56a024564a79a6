//! Attacks that need more than requests: a host of their own whose log nobody reads, and a component that the host is told to
//! load while it serves.

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use nix::sys::signal::Signal;

use super::case::{Scene, Tally};
use super::client;
use super::graft;
use crate::accept::groups::Group;

const PATIENCE: Duration = Duration::from_secs(5);
/// To compile on a busy machine.
const START: Duration = Duration::from_secs(60);

/// A host whose standard output and error are pipes that nobody reads: what is logged is lost, and nothing else.
pub fn unread_log(scene: &Scene<'_>) -> Result<Tally> {
    let (listen, admin) = (free()?, free()?);
    let mut command = Command::new(&scene.app.binary);
    command.arg("up").arg(scene.app.guests.join("p3/trap.wasm")).args(["--listen", &listen, "--admin", &admin]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).current_dir(&scene.app.place);
    let mut host = Group::start(&mut command)?;
    let (addr, admin) = (listen.parse()?, admin.parse()?);
    let begin = Instant::now();
    while client::get(admin, "/readyz", PATIENCE) != "200" {
        ensure!(begin.elapsed() < START, "the host with the unread log is not ready");
        sleep(Duration::from_millis(20));
    }
    // Well more than a pipe holds, in lines for requests and for traps.
    let mut tally = scene.each(4, Duration::from_millis(1), |number| {
        client::get(addr, if number % 2 == 0 { "/" } else { "/?when=before" }, PATIENCE)
    });
    tally.add(format!("livez {}", client::get(admin, "/livez", PATIENCE)));
    nix::sys::signal::kill(host.pid(), Signal::SIGTERM)?;
    tally.add(format!("ended with {:?}", host.wait(Duration::from_secs(20))?));
    Ok(tally)
}

fn free() -> Result<String> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.to_string())
}

/// A function of 1.8 MB that takes a compiler 1.5 GB. The reload must be refused.
pub fn compile_bomb(scene: &Scene<'_>) -> Result<Tally> {
    let (place, hello) = (&scene.app.place, scene.app.guests.join("p3/hello.wasm"));
    let manifest = place.join("coracle.toml");
    let before = std::fs::read_to_string(&manifest)?;
    let bomb = place.join("bomb.wasm");
    std::fs::write(&bomb, graft::graft(&std::fs::read(&hello)?, &graft::many_calls(900_000))?)?;
    std::fs::write(&manifest, format!("{before}\n[component.bomb]\nsource = {bomb:?}\n"))?;
    let outcome = reload(scene);
    std::fs::write(&manifest, &before)?;
    ensure!(reload(scene)? == "loaded", "the manifest as it was is refused");
    let mut tally = Tally::default();
    tally.add(outcome?);
    Ok(tally)
}

/// Asks for a reload, and waits for one more line of the log that says how it ended.
fn reload(scene: &Scene<'_>) -> Result<&'static str> {
    let count = || -> Result<(usize, usize)> {
        let log = scene.app.log()?;
        Ok((log.matches("the app stays as it was").count(), log.matches("reloaded generation=").count()))
    };
    let before = count()?;
    scene.app.signal(Signal::SIGHUP)?;
    let begin = Instant::now();
    while begin.elapsed() < START {
        let now = count()?;
        if now.0 > before.0 {
            return Ok("refused");
        }
        if now.1 > before.1 {
            return Ok("loaded");
        }
        sleep(Duration::from_millis(20));
    }
    bail!("no outcome of a reload within {START:?}")
}
