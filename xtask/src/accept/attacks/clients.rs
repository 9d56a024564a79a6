//! Attacks by HTTP/1.1 clients: what comes too slowly, too much, or goes away too soon.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::case::{Scene, Tally};
use super::client;

/// Between attacks of one attacker: what is measured is the host, not how busy its clients can keep the machine.
const PAUSE: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens connections, a few at a time, so that none is lost to a full queue.
fn many(scene: &Scene<'_>, count: usize) -> Result<Vec<TcpStream>> {
    let mut open = Vec::with_capacity(count);
    for number in 0..count {
        open.push(client::open(scene.addr()).with_context(|| format!("connection {number}"))?);
    }
    Ok(open)
}

/// How the host left them.
fn ends(open: &mut [TcpStream]) -> Tally {
    let mut tally = Tally::default();
    open.iter_mut().for_each(|stream| tally.add(client::outcome(stream, Duration::from_millis(1))));
    tally
}

/// A byte a second into each of many connections, after a beginning.
fn trickle(scene: &Scene<'_>, count: usize, beginning: &str, byte: &[u8]) -> Result<Tally> {
    let mut open = many(scene, count)?;
    open.iter_mut().for_each(|stream| drop(stream.write_all(beginning.as_bytes())));
    while scene.goes_on() {
        sleep(Duration::from_secs(1).min(scene.left()));
        open.iter_mut().for_each(|stream| drop(stream.write_all(byte)));
    }
    Ok(ends(&mut open))
}

pub fn slow_head(scene: &Scene<'_>) -> Result<Tally> {
    trickle(scene, 200, "", b"G")
}

pub fn slow_body(scene: &Scene<'_>) -> Result<Tally> {
    trickle(scene, 128, "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n", b"x")
}

/// A guest that waits for a whole body which comes a byte a second.
pub fn slow_body_unanswered(scene: &Scene<'_>) -> Result<Tally> {
    let beginning = "POST /host3?do=ignore-body HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n";
    trickle(scene, 64, beginning, b"x")
}

/// Answers without end, of which nothing is read.
pub fn slow_reader(scene: &Scene<'_>, path: &str) -> Result<Tally> {
    let mut open = many(scene, 64)?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    open.iter_mut().for_each(|stream| drop(stream.write_all(request.as_bytes())));
    sleep(scene.left());
    Ok(ends(&mut open))
}

/// Requests without end on one connection, of whose answers nothing is read.
pub fn pipeline(scene: &Scene<'_>) -> Result<Tally> {
    let burst = "GET /hello HTTP/1.1\r\nhost: a\r\n\r\n".repeat(1000);
    let mut open = many(scene, 8)?;
    for stream in &mut open {
        stream.set_write_timeout(Some(Duration::from_millis(20)))?;
    }
    while scene.goes_on() {
        open.iter_mut().for_each(|stream| drop(stream.write_all(burst.as_bytes())));
        sleep(PAUSE.min(scene.left()));
    }
    Ok(ends(&mut open))
}

/// Connections that say nothing, as many as the host has places for and as this machine lets us open.
pub fn idle(scene: &Scene<'_>) -> Result<Tally> {
    let mut open = Vec::new();
    let mut tally = Tally::default();
    // Opening them takes what it takes.
    let limit = scene.end + Duration::from_secs(5);
    while open.len() < 10_000 && Instant::now() < limit {
        match client::open(scene.addr()) {
            Ok(stream) => open.push(stream),
            Err(error) => {
                tally.add(format!("no more: {}", error.kind()));
                break;
            }
        }
    }
    sleep(scene.left().max(Duration::from_millis(500)));
    tally.add(if open.len() == 10_000 { "10000 opened" } else { "fewer opened" });
    Ok(tally)
}

/// Connections that come and go.
pub fn connect_storm(scene: &Scene<'_>) -> Result<Tally> {
    Ok(scene.each(8, Duration::from_millis(2), |_| match client::open(scene.addr()) {
        Ok(_) => "opened".to_owned(),
        Err(error) => format!("not opened: {}", error.kind()),
    }))
}

/// Requests whose clients leave a moment later.
pub fn cancel(scene: &Scene<'_>, path: &str) -> Result<Tally> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    Ok(scene.each(16, Duration::from_millis(8), |number| {
        let Ok(mut stream) = client::open(scene.addr()) else { return "refused".to_owned() };
        let _ = stream.write_all(request.as_bytes());
        sleep(Duration::from_micros(500 * number as u64));
        let _ = stream.shutdown(Shutdown::Both);
        "left".to_owned()
    }))
}

/// What is too large or no HTTP at all; each is answered, or the connection closed.
pub fn bombs(scene: &Scene<'_>, request: &[u8]) -> Result<Tally> {
    Ok(scene.each(8, PAUSE, |_| client::ask(scene.addr(), request, PATIENCE)))
}

/// A head with many headers.
pub fn many_headers() -> Vec<u8> {
    let headers: String = (0..20_000).map(|number| format!("x-{number}: y\r\n")).collect();
    format!("GET /hello HTTP/1.1\r\nhost: a\r\n{headers}\r\n").into_bytes()
}

/// A head with a large one.
pub fn large_header() -> Vec<u8> {
    format!("GET /hello HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "y".repeat(4 << 20)).into_bytes()
}

/// A body in chunks of a byte with all they may carry beside.
pub fn chunk_extensions() -> Vec<u8> {
    let chunk = format!("1;{}\r\nx\r\n", "e".repeat(4000));
    let mut bytes =
        b"POST /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    bytes.extend_from_slice(chunk.repeat(500).as_bytes());
    bytes
}

/// A body of very many chunks.
pub fn tiny_chunks() -> Vec<u8> {
    let mut bytes =
        b"POST /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    bytes.extend_from_slice("1\r\nx\r\n".repeat(20_000).as_bytes());
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

/// A body larger than the component's limit, that does not say so.
pub fn endless_body() -> Vec<u8> {
    let mut bytes =
        b"POST /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    bytes.extend_from_slice(chunk.repeat(40).as_bytes());
    bytes
}

/// Uploads as fast as they are taken, to a guest that takes nothing.
pub fn upload_unread(scene: &Scene<'_>) -> Result<Tally> {
    let head =
        "POST /host3?do=ignore-body HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 16000000\r\n\r\n";
    let request = [head.as_bytes(), &vec![b'x'; 16_000_000]].concat();
    Ok(scene.each(32, PAUSE, |_| {
        let Ok(mut stream) = client::open(scene.addr()) else { return "refused".to_owned() };
        let _ = stream.set_write_timeout(Some(Duration::from_secs(3)));
        let _ = stream.write_all(&request);
        client::outcome(&mut stream, PATIENCE)
    }))
}
