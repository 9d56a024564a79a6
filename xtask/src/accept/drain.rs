//! SIGTERM under load: every request that had come in is answered whole, then the process ends with 0, within the drain time.
//!
//! A connection that is made after the signal may be refused or reset before anything came back; a cut answer is never fine.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use super::Stage;
use super::report::Report;
use super::server::{DRAIN, Server};

/// Quick answers and ones that take two seconds, side by side.
const CLIENTS: [(usize, &str); 2] = [(32, "/?n=1"), (32, "/?n=20&ms=100")];

/// How one request ended.
enum Ended {
    Whole,
    /// No connection, or closed before a byte came back.
    Unheard(Instant),
    Cut(String),
}

#[derive(Default)]
struct Tally {
    whole: usize,
    /// Answers that came whole after the signal.
    drained: usize,
    /// Connections made after the signal and not served.
    late: usize,
    failed: Vec<String>,
}

pub fn check(stage: &Stage, report: &mut Report) -> Result<()> {
    for set in ["p3", "p2"] {
        let wasm = stage.guests.join(format!("{set}/drip.wasm"));
        let mut server = Server::component(stage, &format!("drain-{set}"), &wasm)?;
        report.check(&format!("SIGTERM under load, {set}"), || drain(&mut server));
    }
    Ok(())
}

fn drain(server: &mut Server) -> Result<String> {
    let addr: SocketAddr = server.url.trim_start_matches("http://").parse().context("an address")?;
    let (signalled, stop): (OnceLock<Instant>, AtomicBool) = Default::default();
    let (tally, ended) = thread::scope(|scope| {
        let clients = CLIENTS.iter().flat_map(|(count, path)| std::iter::repeat_n(*path, *count));
        let clients: Vec<_> = clients.map(|path| scope.spawn(|| client(addr, path, &signalled, &stop))).collect();
        sleep(Duration::from_millis(2500));
        let _ = signalled.set(Instant::now());
        let ended = server.signal(Signal::SIGTERM).and_then(|()| server.ended());
        stop.store(true, Ordering::Relaxed);
        let mut all = Tally::default();
        for tally in clients.into_iter().filter_map(|client| client.join().ok()) {
            all.whole += tally.whole;
            all.drained += tally.drained;
            all.late += tally.late;
            all.failed.extend(tally.failed);
        }
        (all, ended)
    });
    let Tally { whole, drained, late, failed } = tally;
    let text = format!("{whole} answers whole, {drained} of them after the signal; {late} later ones refused");
    ensure!(failed.is_empty(), "{} failed: {}; {text}", failed.len(), failed.first().map_or("", String::as_str));
    ensure!(drained > 0, "nothing was in flight: {text}");
    let ended = ended?;
    let took = signalled.get().map_or(Duration::MAX, Instant::elapsed);
    ensure!(took < DRAIN + Duration::from_secs(2), "took {took:.1?}, longer than the drain time; {text}");
    Ok(format!("{text}; {ended}"))
}

/// Asks again and again over new connections, until the server is gone.
fn client(addr: SocketAddr, path: &str, signalled: &OnceLock<Instant>, stop: &AtomicBool) -> Tally {
    let mut tally = Tally::default();
    while !stop.load(Ordering::Relaxed) && tally.failed.is_empty() {
        let outcome = ask(addr, path);
        let after = signalled.get();
        match (outcome, after) {
            (Ended::Whole, after) => {
                tally.whole += 1;
                tally.drained += usize::from(after.is_some());
            }
            (Ended::Unheard(connected), Some(signal)) if connected > *signal => {
                tally.late += 1;
                sleep(Duration::from_millis(50));
            }
            (Ended::Unheard(_), _) => {
                tally.failed.push("a connection from before the signal was not served".to_owned())
            }
            (Ended::Cut(got), _) => tally.failed.push(format!("an answer was cut: {got:?}")),
        }
    }
    tally
}

fn ask(addr: SocketAddr, path: &str) -> Ended {
    let Ok(mut stream) = TcpStream::connect(addr) else { return Ended::Unheard(Instant::now()) };
    let connected = Instant::now();
    let _ = stream.set_read_timeout(Some(Duration::from_secs(30)));
    let head = format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n");
    let mut bytes = Vec::new();
    let sent = stream.write_all(head.as_bytes());
    let read = sent.and_then(|()| stream.read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    // The last chunk of a chunked body.
    if text.starts_with("HTTP/1.1 200 ") && text.ends_with("\r\n0\r\n\r\n") {
        return Ended::Whole;
    }
    match read {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ended::Cut(format!("{text} … nothing for 30 s")),
        _ if text.is_empty() => Ended::Unheard(connected),
        _ => Ended::Cut(text.into_owned()),
    }
}
