//! How a connection begins before it speaks HTTP: what a balancer says of its client (the PROXY protocol), then TLS.
//!
//! Both are read in the connection's own task, so that whoever is silent there holds up nobody.

use crate::tls::{self, Tls};
use http::HeaderValue;
use ppp::{HeaderResult, PartialResult as _};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// What every connection of a listener begins with.
#[derive(Clone, Default)]
pub struct Door {
    /// The PROXY protocol, version 1 or 2.
    pub proxy: bool,
    pub tls: Option<Arc<Tls>>,
}

/// A connection that speaks HTTP from here on.
pub enum Opened {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Who is at the other end.
pub struct Guest {
    /// As the balancer says, where there is one.
    pub addr: SocketAddr,
    /// Of a client that has shown one.
    pub certificate: Option<HeaderValue>,
}

/// The longest header of version 1 is 107 bytes (its specification, §2.1); of version 2 as many as balancers send.
const LONGEST: usize = 2048;

impl Door {
    /// Reads what comes before HTTP.
    ///
    /// # Errors
    /// When it is not what the listener expects.
    pub async fn open(&self, mut stream: TcpStream, peer: SocketAddr) -> io::Result<(Opened, Guest)> {
        let addr = if self.proxy { proxied(&mut stream).await?.unwrap_or(peer) } else { peer };
        let Some(tls) = &self.tls else { return Ok((Opened::Plain(stream), Guest { addr, certificate: None })) };
        let stream = tls.acceptor().accept(stream).await?;
        let certificate = tls::client_cert(stream.get_ref().1);
        Ok((Opened::Tls(Box::new(stream)), Guest { addr, certificate }))
    }
}

/// The client's address; `None` when the balancer itself is the client, as for its health checks.
async fn proxied(stream: &mut TcpStream) -> io::Result<Option<SocketAddr>> {
    let mut bytes = Vec::with_capacity(256);
    loop {
        // Looked at first, so that nothing behind the header is taken away.
        let mut seen = [0_u8; LONGEST];
        let count = stream.peek(&mut seen).await?;
        let seen = seen.get(..count).unwrap_or_default();
        let header = HeaderResult::parse(seen);
        if count == 0 || (header.is_incomplete() && count == LONGEST) {
            return Err(malformed());
        }
        if header.is_incomplete() {
            if seen.len() == bytes.len() {
                // A peek returns at once as long as there is something: wait for more of it.
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            bytes = seen.to_vec();
            continue;
        }
        let (length, addr) = said(&header).ok_or_else(malformed)?;
        let mut taken = vec![0; length];
        stream.read_exact(&mut taken).await?;
        return Ok(addr);
    }
}

/// The header's length and the address in it.
fn said(header: &HeaderResult<'_>) -> Option<(usize, Option<SocketAddr>)> {
    match header {
        HeaderResult::V1(Ok(header)) => {
            let addr = match header.addresses {
                ppp::v1::Addresses::Tcp4(ip) => Some(SocketAddr::from((ip.source_address, ip.source_port))),
                ppp::v1::Addresses::Tcp6(ip) => Some(SocketAddr::from((ip.source_address, ip.source_port))),
                ppp::v1::Addresses::Unknown => None,
            };
            Some((header.header.len(), addr))
        }
        HeaderResult::V2(Ok(header)) => {
            let addr = match (header.command, header.addresses) {
                (ppp::v2::Command::Local, _) => None,
                (_, ppp::v2::Addresses::IPv4(ip)) => Some(SocketAddr::from((ip.source_address, ip.source_port))),
                (_, ppp::v2::Addresses::IPv6(ip)) => Some(SocketAddr::from((ip.source_address, ip.source_port))),
                _ => None,
            };
            Some((header.len(), addr))
        }
        _ => None,
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the connection does not begin with the PROXY protocol")
}
