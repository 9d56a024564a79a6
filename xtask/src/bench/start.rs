//! Cold starts: from the start of a process to the first byte of a 200, with compiled code in the peer's cache and without;
//! and from telling a running host of a new component to its first byte, which of the peers only Coracle can be asked.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::contender::{Contender, Peer, Places, Ports, Program};
use super::server::{Server, first_byte};

/// How often each start is measured in a round.
const TIMES: usize = 5;
/// How long to wait between two attempts to connect: what times can be wrong by.
const STEP: Duration = Duration::from_micros(200);
/// In ms; not measured again when it took longer.
const LONG: f64 = 5000.0;
const PATIENCE: Duration = Duration::from_secs(120);

pub fn measure(places: &Places, contender: &Contender, folder: &Path) -> Result<Vec<(String, f64)>> {
    let mut figures = Vec::new();
    let mut add = |name: &str, value: f64| figures.push((name.to_owned(), value));
    let Program::Guest(guest, _) = &contender.program else {
        for _ in 0..TIMES {
            add("process ms", process(places, contender, folder, Cache::Filled)?);
        }
        return Ok(figures);
    };
    // What takes long once takes long always: once is enough.
    let times = |first: f64| if first < LONG { TIMES } else { 1 };
    let uncached = process(places, contender, folder, Cache::Empty)?;
    add("process, nothing cached, ms", uncached);
    for _ in 1..times(uncached) {
        add("process, nothing cached, ms", process(places, contender, folder, Cache::Empty)?);
    }
    let cached = process(places, contender, folder, Cache::Filled)?;
    add("process ms", cached);
    for _ in 1..times(cached) {
        add("process ms", process(places, contender, folder, Cache::Filled)?);
    }
    // Answers to any path with 200, so that it can be told from the host.
    if guest.ends_with("/hello") && uncached < LONG && contender.peer == Peer::Coracle {
        for (name, cache) in
            [("new component, not compiled, ms", Cache::Empty), ("new component, compiled before, ms", Cache::Filled)]
        {
            for _ in 0..TIMES {
                add(name, component(places, contender, folder, cache)?);
            }
        }
    }
    Ok(figures)
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Cache {
    Empty,
    Filled,
}

/// In ms.
fn process(places: &Places, contender: &Contender, folder: &Path, cache: Cache) -> Result<f64> {
    if cache == Cache::Empty {
        forget(folder)?;
    }
    let begin = Instant::now();
    let server = Server::spawn(folder, |port| contender.command(places, folder, Ports { own: port, upstream: None }))?;
    until_ok(server.port, "/", &server)?;
    Ok(begin.elapsed().as_secs_f64() * 1e3)
}

/// From the signal to reload until the new component answers, in ms.
fn component(places: &Places, contender: &Contender, folder: &Path, cache: Cache) -> Result<f64> {
    let Program::Guest(guest, _) = &contender.program else { bail!("only guests are components") };
    if cache == Cache::Empty {
        forget(folder)?;
    }
    let wasm = places.guests.join(format!("{guest}.wasm"));
    let manifest = folder.join("coracle.toml");
    let part = |name: &str, wasm: &Path, path: &str| {
        format!(
            "[component.{name}]\nsource = {:?}\n\n[[route]]\npath = \"{path}\"\nto = \"{name}\"\n\n",
            wasm.display().to_string()
        )
    };
    // Another small guest answers from the beginning.
    let other = places.guests.join("p2/echo.wasm");
    let before = "name = \"bench\"\n\n".to_owned() + &part("first", &other, "/");
    fs::write(&manifest, &before)?;
    let server = Server::spawn(folder, |port| {
        let mut command = std::process::Command::new(places.built.join("coracle"));
        command.args(["up", "--quiet", "--listen", &format!("127.0.0.1:{port}"), "--admin", "127.0.0.1:0"]);
        Ok(command)
    })?;
    until_ok(server.port, "/", &server)?;
    fs::write(&manifest, before + &part("second", &wasm, "/new"))?;
    let begin = Instant::now();
    kill(Pid::from_raw(server.process()), Signal::SIGHUP).context("the signal can't be sent")?;
    until_ok(server.port, "/new", &server)?;
    Ok(begin.elapsed().as_secs_f64() * 1e3)
}

/// Removes what a peer has cached below the home that it is started with.
fn forget(folder: &Path) -> Result<()> {
    let home = folder.join("home");
    match fs::remove_dir_all(&home) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", home.display()))
        }
        _ => Ok(()),
    }
}

fn until_ok(port: u16, path: &str, server: &Server) -> Result<()> {
    let begin = Instant::now();
    while !first_byte(port, path).is_some_and(|line| line.contains(" 200")) {
        ensure!(begin.elapsed() < PATIENCE, "no answer within {} s:\n{}", PATIENCE.as_secs(), server.log());
        sleep(STEP);
    }
    Ok(())
}
