//! One shard: an OS thread with a runtime and listeners of its own, from its first connection to the end of the drain.
//!
//! ```text
//!   accept ── drain ─▶ take what already waits to be accepted, close ─▶ finish requests ── all done, or `now` ─▶ drained
//!                                                                        stay for work after responses until `stop`
//! ```

use crate::crowd::Crowd;
use crate::door::{Door, Opened};
use crate::forward::Peer;
use crate::live::Live;
use crate::record::Sink;
use crate::running::Running;
use crate::serve::{Connection, serve};
use http::uri::Scheme;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use ipnet::IpNet;
use socket2::{SockRef, TcpKeepalive};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_io_timeout::TimeoutStream;

/// Headers a request may have.
const MAX_HEADERS: usize = 128;
/// Bytes of one request's head.
const MAX_HEAD_BYTES: usize = 128 * 1024;
/// Requests at the same time on one HTTP/2 connection.
const MAX_STREAMS: u32 = 128;
/// After this the other end of an idle HTTP/2 connection is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(30);
/// After this the other end of any silent connection is asked by the system, so that a tunnel whose client is gone ends.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// How often it is asked again before it counts as gone.
const KEEPALIVE_AGAIN: Duration = Duration::from_secs(15);
/// How long a connection that was just opened may take to send its first request when the drain has begun.
const LAST_CALL: Duration = Duration::from_millis(200);
/// Timers of requests are due later than this.
const HEARTBEAT: Duration = Duration::from_millis(100);
/// How long to wait when the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a shard starts with.
pub struct Shard {
    pub number: usize,
    /// Each with what its connections begin with.
    pub listeners: Vec<(std::net::TcpListener, Door)>,
    pub trusted: Arc<[IpNet]>,
    pub live: Arc<Live>,
    /// Its own copy: a count of references that all shards share would travel between their cores with each request.
    pub sink: Arc<Sink>,
    pub header_timeout: Duration,
    pub write_timeout: Duration,
    /// Connections it keeps open at the same time.
    pub max_connections: usize,
}

impl Shard {
    /// Serves until `live.stop`; says so on `drained` when no connection is left. Blocks its thread.
    ///
    /// # Errors
    /// When its runtime or a listener can't be set up.
    pub fn run(self, drained: mpsc::Sender<usize>) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let number = self.number;
        let live = Arc::clone(&self.live);
        runtime.block_on(async {
            let result = Box::pin(self.serve()).await;
            // Nobody listens any more when the start failed elsewhere.
            let _ = drained.send(number).await;
            live.stop.cancelled().await;
            result
        })?;
        runtime.shutdown_background();
        Ok(())
    }

    async fn serve(mut self) -> io::Result<()> {
        // Each connection holds a sender; when none is left, nothing can be received any more.
        let (open, mut all_closed) = mpsc::channel::<Infallible>(1);
        let listeners = std::mem::take(&mut self.listeners)
            .into_iter()
            .map(|(listener, door)| Ok((TcpListener::from_std(listener)?, door)))
            .collect::<io::Result<Vec<_>>>()?;
        let now = self.live.now.clone();
        let heart = tokio::spawn(beat());
        let shard = Arc::new(self);
        let crowd = Arc::new(Crowd::new(shard.max_connections));
        let accepting = listeners.into_iter().map(|(listener, door)| {
            let (shard, crowd) = (Arc::clone(&shard), Arc::clone(&crowd));
            tokio::spawn(accept(shard, (listener, door), crowd, open.clone()))
        });
        for task in accepting.collect::<Vec<_>>() {
            let _ = task.await;
        }
        drop(open);
        tokio::select! {
            _ = all_closed.recv() => {}
            () = now.cancelled() => {}
        }
        heart.abort();
        Ok(())
    }
}

/// Keeps a timer close ahead. The runtime wakes itself by a system call whenever a timer is set that is due before all
/// others, and each request sets some: with this one none of them ever is.
async fn beat() {
    let mut beats = tokio::time::interval(HEARTBEAT);
    loop {
        beats.tick().await;
    }
}

/// Accepts until the drain begins, and then what is already waiting.
async fn accept(
    shard: Arc<Shard>,
    (listener, door): (TcpListener, Door),
    crowd: Arc<Crowd>,
    opened: mpsc::Sender<Infallible>,
) {
    let local = listener.local_addr().unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
    let open = |stream: TcpStream, peer: SocketAddr, place: OwnedSemaphorePermit| {
        let newcomer = Newcomer { stream, peer, local, place: Arc::new(place), door: door.clone() };
        let (opened, shard, crowd) = (opened.clone(), Arc::clone(&shard), Arc::clone(&crowd));
        tokio::spawn(async move {
            newcomer.enter(&shard, &crowd).await;
            drop(opened);
        });
    };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shard.live.drain.cancelled() => break,
            () = shard.live.stop.cancelled() => return,
        };
        match accepted {
            // While the drain lasts places become free too, so that whoever was accepted before is still served.
            Ok((stream, peer)) => tokio::select! {
                place = crowd.place() => open(stream, peer, place),
                () = shard.live.stop.cancelled() => return,
            },
            Err(error) if is_the_connections(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection could be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // Asked without the runtime, which may not have noticed yet what is waiting.
    let Ok(listener) = listener.into_std() else { return };
    while let Some(place) = crowd.free_place()
        && let Ok((stream, peer)) = listener.accept()
    {
        match stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream)) {
            Ok(stream) => open(stream, peer, place),
            Err(error) => tracing::debug!(%error, "a last connection was lost"),
        }
    }
}

/// The connection failed before it was accepted; the listener is well.
fn is_the_connections(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// A connection that was just accepted.
struct Newcomer {
    stream: TcpStream,
    peer: SocketAddr,
    local: SocketAddr,
    place: Arc<OwnedSemaphorePermit>,
    door: Door,
}

impl Newcomer {
    /// Serves it to its end.
    async fn enter(self, shard: &Shard, crowd: &Crowd) {
        let Self { stream, peer, local, place, door } = self;
        let _ = stream.set_nodelay(true);
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE_AGAIN);
        let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
        let running = Running::new();
        let _member = crowd.join(&running);
        let scheme = if door.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
        // Until it has opened the door it is idle: silent, it has as long as any other, or until others need its place.
        let opened = tokio::select! {
            opened = door.open(stream, peer) => opened,
            () = running.idle(shard.header_timeout) => return,
            () = shard.live.now.cancelled() => return,
        };
        let (stream, guest) = match opened {
            Ok(opened) => opened,
            Err(error) => return tracing::debug!(%error, %peer, "a connection was not taken"),
        };
        let connection = Connection {
            peer: Peer { addr: guest.addr, scheme, certificate: guest.certificate },
            local,
            trusted: Arc::clone(&shard.trusted),
            shard: shard.number,
            sink: Arc::clone(&shard.sink),
            place,
            running,
        };
        match stream {
            Opened::Plain(stream) => connected(stream, connection, shard).await,
            Opened::Tls(stream) => Box::pin(connected(stream, connection, shard)).await,
        }
    }
}

/// One connection, HTTP/1.1 or HTTP/2 by what it begins with.
async fn connected<S>(stream: S, connection: Connection, shard: &Shard)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let patience = shard.header_timeout;
    let live = Arc::clone(&shard.live);
    let asked = Arc::new(AtomicBool::new(false));
    let (drain, running) = (live.drain.clone(), connection.running.clone());
    let service = {
        let asked = Arc::clone(&asked);
        service_fn(move |request: http::Request<Incoming>| {
            asked.store(true, Relaxed);
            let state = live.state.load_full();
            let connection = connection.clone();
            async move { Ok::<_, Infallible>(Box::pin(serve(state, connection, request)).await) }
        })
    };
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        // What is slow to send a head runs no request, and counts as idle: a timer of hyper's would be set for each.
        .header_read_timeout(None)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES)
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD_BYTES as u32)
        .keep_alive_interval(PING_EVERY);
    // Whoever takes nothing of what is ready for him holds its memory and his place.
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(shard.write_timeout));
    let served = server.serve_connection_with_upgrades(TokioIo::new(Box::pin(stream)), service);
    tokio::pin!(served);
    // No timeout of hyper's runs: a connection that runs no request is idle, whether it is silent or slow to send a head.
    let result = tokio::select! {
        result = &mut served => Some(result),
        () = running.idle(patience) => if asked.load(Relaxed) { None } else { return },
        () = drain.cancelled() => None,
    };
    let result = match result {
        Some(result) => result,
        None => {
            if !asked.load(Relaxed) {
                let _ = tokio::time::timeout(LAST_CALL, served.as_mut()).await;
            }
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection broke off");
    }
}
