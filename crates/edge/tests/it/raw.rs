//! Requests byte by byte, for what no client library would send or show.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub const PATIENCE: Duration = Duration::from_secs(20);

/// Sends these bytes and reads until the server closes. The text holds what came; `Err` holds it too when it broke off.
pub async fn exchange(addr: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut received = Vec::new();
    // A reset after the bytes is an end like any other here.
    let closed = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut received)).await;
    assert!(closed.is_ok(), "the server does not close after {:?}", String::from_utf8_lossy(&received));
    String::from_utf8_lossy(&received).into_owned()
}

/// Reads until `text` has come.
pub async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut received = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&received).contains(text) {
            let mut chunk = [0; 4096];
            let count = stream.read(&mut chunk).await.unwrap();
            assert!(count > 0, "closed before `{text}` came: {}", String::from_utf8_lossy(&received));
            received.extend_from_slice(&chunk[..count]);
        }
    };
    tokio::time::timeout(PATIENCE, read).await.unwrap_or_else(|_| panic!("`{text}` never came"));
    String::from_utf8_lossy(&received).into_owned()
}
