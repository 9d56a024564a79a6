//! A server behind the host, as a Node service would be: keeps connections, answers every request with a few bytes.
//! `/slow` answers after two seconds; it is what attackers make the host wait for.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::Result;

/// Listens until the process ends; a thread a connection.
pub fn start() -> Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let addr = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(&stream));
        }
    });
    Ok(addr)
}

fn serve(stream: &TcpStream) -> Option<()> {
    let mut lines = BufReader::new(stream);
    let mut stream = stream;
    stream.set_nodelay(true).ok()?;
    let mut line = String::new();
    loop {
        let mut slow = false;
        loop {
            line.clear();
            if lines.read_line(&mut line).ok()? == 0 {
                return None;
            }
            slow |= line.starts_with("GET /slow");
            if line == "\r\n" {
                break;
            }
        }
        if slow {
            thread::sleep(Duration::from_secs(2));
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 7\r\n\r\nbehind\n").ok()?;
    }
}
