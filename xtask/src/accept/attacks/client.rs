//! An attacker's HTTP/1.1: one request by hand, and what came of it as a short label.
//!
//! Labels: `200`, `500 cpu-limit` (the problem's kind), `200 cut` (a head, then the body broke off), `200 stalls` (a head, then
//! nothing), `closed` and `reset` (not a byte came), `silence` (nothing for as long as we wait), `refused` (no connection).

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// As much of an answer as is looked at.
const ENOUGH: usize = 1 << 20;

/// A GET that closes behind itself.
pub fn get(addr: SocketAddr, path: &str, patience: Duration) -> String {
    ask(addr, format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n").as_bytes(), patience)
}

/// Sends bytes as they are and waits for an end. Patience is for the whole.
pub fn ask(addr: SocketAddr, request: &[u8], patience: Duration) -> String {
    match open(addr) {
        Ok(mut stream) => {
            // An answer may come, and the connection be closed, before all was sent.
            let _ = stream.set_write_timeout(Some(patience));
            let _ = stream.write_all(request);
            outcome(&mut stream, patience)
        }
        Err(_) => "refused".to_owned(),
    }
}

pub fn open(addr: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&addr, Duration::from_secs(5))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads until the answer is whole, or nothing more can come.
pub fn outcome(stream: &mut TcpStream, patience: Duration) -> String {
    let end = Instant::now() + patience;
    let mut answer = Vec::new();
    let mut chunk = [0; 16 * 1024];
    let last = loop {
        if whole(&answer) {
            return label(&answer, "");
        }
        if Instant::now() >= end && !answer.is_empty() {
            break "goes on";
        }
        let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let _ = stream.set_read_timeout(Some(left));
        match stream.read(&mut chunk) {
            Ok(0) => break if answer.is_empty() { "closed" } else { "cut" },
            Ok(count) if answer.len() < ENOUGH => answer.extend_from_slice(chunk.get(..count).unwrap_or_default()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                break if answer.is_empty() { "silence" } else { "stalls" };
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break if answer.is_empty() { "reset" } else { "cut" },
        }
    };
    let _ = stream.shutdown(Shutdown::Both);
    label(&answer, last)
}

fn head(answer: &[u8]) -> Option<(&str, &[u8])> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, body) = answer.split_at_checked(end + 4)?;
    Some((std::str::from_utf8(head).ok()?, body))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// Whether all of it is here, by its own length or its last chunk.
pub fn whole(answer: &[u8]) -> bool {
    let Some((head, body)) = head(answer) else { return false };
    match header(head, "content-length").map(str::parse::<usize>) {
        Some(Ok(length)) => body.len() >= length,
        _ => header(head, "transfer-encoding").is_some() && body.ends_with(b"0\r\n\r\n"),
    }
}

fn label(answer: &[u8], end: &str) -> String {
    let Some((head, body)) = head(answer) else {
        return if end.is_empty() || answer.is_empty() { end.to_owned() } else { format!("half a head {end}") };
    };
    let status = head.split(' ').nth(1).unwrap_or("?");
    let body = String::from_utf8_lossy(body);
    let kind = body.split_once("urn:coracle:problem:").and_then(|(_, rest)| rest.split('"').next());
    let words = [status, kind.unwrap_or_default(), end];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_told_in_a_word() {
        let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nsome\n\r\n";
        assert!(!whole(chunked));
        assert_eq!(label(chunked, "cut"), "200 cut");
        let problem = b"HTTP/1.1 500 x\r\nContent-Length: 3\r\n\r\n{\"type\":\"urn:coracle:problem:trap\"}";
        assert!(whole(problem));
        assert_eq!(label(problem, ""), "500 trap");
        assert_eq!(label(b"", "reset"), "reset");
        assert_eq!(label(b"HTTP/1.", "cut"), "half a head cut");
    }
}
