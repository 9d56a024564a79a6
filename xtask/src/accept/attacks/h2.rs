//! HTTP/2 by hand (RFC 9113), for what no client library would send: frames as bytes, and what comes back as a label.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::client;

pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
const GOAWAY: u8 = 7;
pub const CONTINUATION: u8 = 9;

const ACK: u8 = 1;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// SETTINGS_INITIAL_WINDOW_SIZE.
const WINDOW: u16 = 4;

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(9 + payload.len());
    bytes.extend(payload.len().to_be_bytes().iter().skip(size_of::<usize>() - 3));
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Header fields by HPACK (RFC 7541), each a literal that is not indexed.
pub fn fields(all: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in all {
        block.push(0);
        for text in [name, value] {
            length(&mut block, text.len(), 7, 0);
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// An integer with a prefix of some bits.
pub fn length(to: &mut Vec<u8>, value: usize, bits: u8, first: u8) {
    let most = (1_usize << bits) - 1;
    if value < most {
        return to.push(first | value as u8);
    }
    to.push(first | most as u8);
    let mut rest = value - most;
    while rest >= 0x80 {
        to.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    to.push(rest as u8);
}

/// A GET of a path.
pub fn get(addr: SocketAddr, path: &str) -> Vec<u8> {
    fields(&[(":method", "GET"), (":scheme", "http"), (":authority", &addr.to_string()), (":path", path)])
}

/// A connection whose settings are said; `window` is how much of each answer it takes, if not the usual 64 KiB.
pub fn connect(addr: SocketAddr, window: Option<u32>) -> Result<TcpStream> {
    let mut stream = client::open(addr).context("no connection")?;
    let mut settings = Vec::new();
    if let Some(window) = window {
        settings.extend(WINDOW.to_be_bytes());
        settings.extend(window.to_be_bytes());
    }
    stream.set_write_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(PREFACE)?;
    stream.write_all(&frame(SETTINGS, 0, 0, &settings))?;
    stream.write_all(&frame(SETTINGS, ACK, 0, &[]))?;
    Ok(stream)
}

/// Reads what comes until the connection ends or goes away, or a time has passed: `goaway CODE`, `closed`, `reset` or `open`;
/// and how many streams were answered, and reset by the host.
pub fn end(stream: &mut TcpStream, patience: Duration) -> (String, usize, usize) {
    let end = Instant::now() + patience;
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 * 1024];
    let last = loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break "open";
        }
        let _ = stream.set_read_timeout(Some(left));
        match stream.read(&mut chunk) {
            Ok(0) => break "closed",
            Ok(count) => bytes.extend_from_slice(chunk.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break "open",
            Err(_) => break "reset",
        }
    };
    let (mut answered, mut resets, mut away) = (0, 0, None);
    for (kind, payload) in frames(&bytes) {
        match kind {
            HEADERS => answered += 1,
            RST_STREAM => resets += 1,
            GOAWAY => away = payload.get(4..8).and_then(|code| code.try_into().ok()).map(u32::from_be_bytes),
            _ => {}
        }
    }
    (away.map_or(last.to_owned(), |code| format!("goaway {}", name(code))), answered, resets)
}

fn frames(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut all = Vec::new();
    while let Some(([a, b, c, kind, _, _, _, _, _], rest)) = bytes.split_first_chunk() {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let Some((payload, rest)) = rest.split_at_checked(length) else { break };
        all.push((*kind, payload));
        bytes = rest;
    }
    all
}

/// Error codes, as far as a flood may meet them.
fn name(code: u32) -> String {
    match code {
        0 => "no-error".to_owned(),
        1 => "protocol-error".to_owned(),
        3 => "flow-control".to_owned(),
        6 => "frame-size".to_owned(),
        9 => "compression".to_owned(),
        11 => "calm-down".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_integers_are_as_in_the_standard() {
        assert_eq!(frame(PING, ACK, 3, &[7; 2]), [0, 0, 2, 6, 1, 0, 0, 0, 3, 7, 7]);
        let mut bytes = Vec::new();
        // RFC 7541, C.1.2: 1337 with a prefix of 5 bits.
        length(&mut bytes, 1337, 5, 0);
        assert_eq!(bytes, [31, 154, 10]);
        let two = [frame(RST_STREAM, 0, 1, b"abcd"), frame(PING, 0, 0, &[])].concat();
        assert_eq!(frames(&two), [(RST_STREAM, &b"abcd"[..]), (PING, &[][..])]);
        assert_eq!(fields(&[("a", "bc")]), [0, 1, b'a', 2, b'b', b'c']);
    }
}
