//! Sockets: each address is bound once per shard with SO_REUSEPORT, after making sure that nobody else has it.
//!
//! SO_REUSEPORT alone would let a second process of the same user share the port silently; a bind without it fails then.

use crate::live::Live;
use crate::settings::{Listen, Settings};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, MutexGuard, PoisonError};

/// Connections that may wait to be accepted, per shard.
const BACKLOG: i32 = 1024;

/// An address could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {addr}: {}", why(.source))]
pub struct ListenError {
    pub addr: SocketAddr,
    #[source]
    pub source: io::Error,
}

fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there; stop it, or choose another address".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need a right this process lacks; choose a higher one".to_owned()
        }
        _ => error.to_string(),
    }
}

/// What an address is listened on with: what was handed over, or sockets of our own.
pub fn bind(settings: &Settings, at: &Listen, shards: usize) -> Result<(SocketAddr, Vec<TcpListener>), ListenError> {
    let same = settings.inherited.iter().filter(|(addr, _)| *addr == at.addr);
    let handed: Vec<_> = same.map(|(_, socket)| Arc::clone(socket)).collect();
    if handed.is_empty() { shared(at.addr, shards) } else { adopted(at.addr, &handed, shards) }
}

pub fn bind_admin(settings: &Settings, addr: SocketAddr) -> Result<(SocketAddr, TcpListener), ListenError> {
    let Some((_, handed)) = settings.inherited.iter().find(|(handed, _)| *handed == addr) else {
        return exclusive(addr);
    };
    let socket = handed.try_clone().map_err(|source| ListenError { addr, source })?;
    Ok((addr, socket))
}

/// Keeps copies of the listening sockets for a successor.
pub fn keep<'a>(live: &Live, sockets: impl Iterator<Item = &'a TcpListener>) {
    *kept(live) = sockets.filter_map(|socket| socket.try_clone().ok()).collect();
}

pub fn kept(live: &Live) -> MutexGuard<'_, Vec<TcpListener>> {
    live.sockets.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One listener per shard, all on one address. Port 0 picks a free one.
///
/// # Errors
/// When the address is taken or not ours.
pub fn shared(addr: SocketAddr, shards: usize) -> Result<(SocketAddr, Vec<TcpListener>), ListenError> {
    let failed = |source| ListenError { addr, source };
    if addr.port() != 0 {
        // Bound, but never listening: no client can reach it.
        drop(socket(addr, false).map_err(failed)?);
    }
    let first = socket(addr, true).and_then(listen).map_err(failed)?;
    let bound = first.local_addr().map_err(failed)?;
    let mut listeners = vec![first];
    while listeners.len() < shards {
        listeners.push(socket(bound, true).and_then(listen).map_err(failed)?);
    }
    Ok((bound, listeners))
}

/// The same from sockets that are bound already: each shard gets one, several the same where there are fewer.
///
/// # Errors
/// When the process is out of descriptors.
pub fn adopted(
    addr: SocketAddr,
    sockets: &[Arc<TcpListener>],
    shards: usize,
) -> Result<(SocketAddr, Vec<TcpListener>), ListenError> {
    let taken = sockets.iter().cycle().take(shards);
    let listeners = taken.map(|socket| socket.try_clone()).collect::<io::Result<Vec<_>>>();
    Ok((addr, listeners.map_err(|source| ListenError { addr, source })?))
}

/// The only listener on an address.
///
/// # Errors
/// As [`shared`].
pub fn exclusive(addr: SocketAddr) -> Result<(SocketAddr, TcpListener), ListenError> {
    let failed = |source| ListenError { addr, source };
    let listener = socket(addr, false).and_then(listen).map_err(failed)?;
    Ok((listener.local_addr().map_err(failed)?, listener))
}

fn socket(addr: SocketAddr, share: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // A port whose last connections are still in TIME_WAIT can be taken at once.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(share)?;
    if addr.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

fn listen(socket: Socket) -> io::Result<TcpListener> {
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
