//! What guests write to stdout and stderr: whole lines, attributed, and no more of them than the limit allows.
//!
//! A line belongs to the request that runs alone in its instance. When several run there, nothing says whose line it
//! is, and the line says so by naming none. Lines leave as `tracing` events with the target `guest`.

use crate::flight::Flights;
use bytes::Bytes;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Longer lines are cut into pieces of this many bytes.
const LINE_MAX: usize = 8 * 1024;

/// The log of one component: all its instances draw on one rate.
pub(crate) struct Log {
    component: Arc<str>,
    rate: Mutex<Rate>,
}

struct Rate {
    per_second: u64,
    left: u64,
    since: Instant,
    dropped: u64,
}

impl Log {
    pub(crate) fn new(component: Arc<str>, bytes_per_second: u64) -> Self {
        let rate = Rate { per_second: bytes_per_second, left: bytes_per_second, since: Instant::now(), dropped: 0 };
        Self { component, rate: Mutex::new(rate) }
    }

    /// Whether a text of this length may be written now. Says how much was dropped once there is room again.
    pub(crate) fn admit(&self, bytes: usize) -> bool {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        if rate.since.elapsed().as_secs() >= 1 {
            rate.since = Instant::now();
            rate.left = rate.per_second;
            let dropped = std::mem::take(&mut rate.dropped);
            if dropped > 0 {
                tracing::warn!(component = %self.component, bytes = dropped, "guest output over `log_bytes` was dropped");
            }
        }
        let bytes = bytes as u64;
        if bytes > rate.left {
            rate.dropped += bytes;
            return false;
        }
        rate.left -= bytes;
        true
    }

    fn line(&self, stream: Which, flights: &Flights, line: &[u8]) {
        if line.is_empty() || !self.admit(line.len()) {
            return;
        }
        let text = String::from_utf8_lossy(line);
        // Control characters of a guest must not steer the operator's terminal.
        let text: String = text.chars().filter(|c| !c.is_control() || *c == '\t').collect();
        let component = &*self.component;
        match flights.only() {
            Some(request) => tracing::info!(target: "guest", component, stream = stream.name(), %request, "{text}"),
            None => tracing::info!(target: "guest", component, stream = stream.name(), "{text}"),
        }
    }
}

/// Which of the two streams.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Stdout,
    Stderr,
}

impl Which {
    fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// One stream of one instance. Its copies share the unfinished line.
#[derive(Clone)]
pub(crate) struct Stream {
    log: Arc<Log>,
    which: Which,
    flights: Flights,
    partial: Arc<Mutex<Vec<u8>>>,
}

impl Stream {
    pub(crate) fn new(log: Arc<Log>, which: Which, flights: Flights) -> Self {
        Self { log, which, flights, partial: Arc::default() }
    }

    fn take(&self, mut bytes: &[u8]) {
        let mut partial = self.partial.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at(end);
            partial.extend_from_slice(line);
            self.say(&mut partial);
            bytes = rest.get(1..).unwrap_or_default();
        }
        partial.extend_from_slice(bytes);
        if partial.len() >= LINE_MAX {
            self.say(&mut partial);
        }
    }

    fn say(&self, partial: &mut Vec<u8>) {
        for piece in partial.chunks(LINE_MAX) {
            self.log.line(self.which, &self.flights, piece);
        }
        partial.clear();
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if Arc::strong_count(&self.partial) == 1 {
            let partial = Arc::clone(&self.partial);
            self.say(&mut partial.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl IsTerminal for Stream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Stream {
    async fn ready(&mut self) {}
}

impl OutputStream for Stream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 * 1024)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
