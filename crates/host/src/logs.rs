//! What guests write to stdout and stderr: whole lines, attributed, and no more of them than the limit allows.
//!
//! A line belongs to the request that runs alone in its instance, or to the one that makes the host call by which it is written or
//! its stream was opened (`roots::Seat`). Where that is not known the line says so by naming none. Lines leave as `tracing` events with
//! the target `guest`, and go to what the process keeps of its telemetry.

use crate::flight::Flights;
use crate::meter::Meter;
use crate::roots::{Seat, Sitting};
use bytes::Bytes;
use coracle_telemetry::metrics::names::Name;
use coracle_telemetry::{Attribute, RequestId, Severity, Source, Telemetry, span};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Instant, SystemTime};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Longer lines are cut into pieces of this many bytes.
const LINE_MAX: usize = 8 * 1024;

/// The log of one component: all its instances draw on one rate.
pub(crate) struct Log {
    component: Arc<str>,
    rate: Mutex<Rate>,
    telemetry: Option<Arc<Telemetry>>,
}

struct Rate {
    per_second: u64,
    left: u64,
    since: Instant,
    dropped: u64,
}

impl Log {
    pub(crate) fn new(component: Arc<str>, bytes_per_second: u64, telemetry: Option<&Arc<Telemetry>>) -> Self {
        let rate = Rate { per_second: bytes_per_second, left: bytes_per_second, since: Instant::now(), dropped: 0 };
        Self { component, rate: Mutex::new(rate), telemetry: telemetry.cloned() }
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
            if let Some(telemetry) = &self.telemetry {
                telemetry.metrics.add(Name::LogDropped, &[&self.component], 1.0);
            }
            return false;
        }
        rate.left -= bytes;
        true
    }

    fn line(&self, stream: Which, whose: Option<&Whose>, line: &[u8]) {
        if line.is_empty() || !self.admit(line.len()) {
            return;
        }
        let source = match stream {
            Which::Stdout => Source::Stdout,
            Which::Stderr => Source::Stderr,
        };
        self.write((source, Severity::Info), &String::from_utf8_lossy(line), whose, Vec::new());
    }

    /// Writes a line that may be written, and keeps it.
    fn write(
        &self,
        (source, severity): (Source, Severity),
        text: &str,
        whose: Option<&Whose>,
        attributes: Vec<Attribute>,
    ) {
        // Control characters of a guest must not steer the operator's terminal.
        let text: String = text.chars().filter(|c| !c.is_control() || *c == '\t').collect();
        let component = &*self.component;
        let stream = source.name();
        let place = whose.and_then(|whose| whose.meter.as_ref()?.scope().map(|scope| (scope.trace, scope.current())));
        let request = whose.map(|whose| tracing::field::display(whose.request));
        let trace_id = place.map(|(trace, _)| tracing::field::display(trace));
        let span_id = place.map(|(_, span)| tracing::field::display(span));
        macro_rules! say {
            ($level:ident) => {
                tracing::$level!(target: "guest", component, stream, request, trace_id, span_id, "{text}")
            };
        }
        match severity {
            Severity::Trace => say!(trace),
            Severity::Debug => say!(debug),
            Severity::Info => say!(info),
            Severity::Warn => say!(warn),
            Severity::Error | Severity::Fatal => say!(error),
        }
        if let Some(telemetry) = &self.telemetry {
            telemetry.metrics.add(Name::LogLines, &[component, source.name()], 1.0);
            telemetry.log(coracle_telemetry::Log {
                time: span::nanos(SystemTime::now()),
                severity,
                source,
                body: text.into_boxed_str(),
                name: Some(Arc::clone(&self.component)),
                request: whose.map(|whose| whose.request),
                trace: place.map(|(trace, _)| trace),
                span: place.map(|(_, span)| span),
                attributes,
            });
        }
    }
}

/// What a guest says to its log by an interface of its own, at the rate of its standard output. Copies are cheap.
#[derive(Clone)]
pub struct Voice {
    log: Arc<Log>,
    flights: Flights,
    seat: Seat,
}

impl Voice {
    pub(crate) fn new(log: Arc<Log>, flights: Flights, seat: Seat) -> Self {
        Self { log, flights, seat }
    }

    /// Says a line of the calling request; only on entry of a host call.
    pub fn say(&self, severity: Severity, text: &str, attributes: Vec<Attribute>) {
        let text = text.get(..text.floor_char_boundary(LINE_MAX)).unwrap_or(text);
        if !self.log.admit(text.len()) {
            return;
        }
        let whose = match self.seat.get() {
            Some(Sitting { request, meter }) => Some(Whose { request, meter: Some(meter) }),
            None => self.flights.only().map(|(request, meter)| Whose { request, meter: Some(meter) }),
        };
        self.log.write((Source::Guest, severity), text, whose.as_ref(), attributes);
    }
}

/// Which of the two streams.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Stdout,
    Stderr,
}

/// The request a line belongs to.
struct Whose {
    request: RequestId,
    meter: Option<Arc<Meter>>,
}

/// One stream of one instance. Its copies share the unfinished line.
#[derive(Clone)]
pub(crate) struct Stream {
    log: Arc<Log>,
    which: Which,
    flights: Flights,
    seat: Seat,
    /// Who opened this copy of the stream, where a copy is opened by each writer (WASI 0.3).
    opened_by: Option<Sitting>,
    partial: Arc<Mutex<Partial>>,
}

impl Stream {
    pub(crate) fn new(log: Arc<Log>, which: Which, flights: Flights, seat: Seat) -> Self {
        Self { log, which, flights, seat, opened_by: None, partial: Arc::default() }
    }

    /// Whose line it is that is being written: of who opened the stream, of who makes the host call that writes it, or of the one request
    /// that is here.
    fn whose(&self, writer: Option<&Sitting>) -> Option<Whose> {
        match self.opened_by.as_ref().or(writer) {
            Some(known) => Some(Whose { request: known.request, meter: Some(Arc::clone(&known.meter)) }),
            None => self.flights.only().map(|(request, meter)| Whose { request, meter: Some(meter) }),
        }
    }

    fn take(&self, mut bytes: &[u8], writer: Option<&Sitting>) {
        let mut partial = self.partial.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at(end);
            partial.add(line, writer);
            self.say(&mut partial, writer);
            bytes = rest.get(1..).unwrap_or_default();
        }
        partial.add(bytes, writer);
        if partial.bytes.len() >= LINE_MAX {
            self.say(&mut partial, writer);
        }
    }

    fn say(&self, partial: &mut Partial, writer: Option<&Sitting>) {
        let whose = if partial.mixed { None } else { self.whose(writer) };
        for piece in partial.bytes.chunks(LINE_MAX) {
            self.log.line(self.which, whose.as_ref(), piece);
        }
        *partial = Partial::default();
    }
}

/// A line that has not ended.
#[derive(Default)]
struct Partial {
    bytes: Vec<u8>,
    /// Who wrote what is there, and whether several did.
    by: Option<RequestId>,
    mixed: bool,
}

impl Partial {
    fn add(&mut self, bytes: &[u8], writer: Option<&Sitting>) {
        if bytes.is_empty() {
            return;
        }
        let by = writer.map(|writer| writer.request);
        self.mixed |= !self.bytes.is_empty() && self.by != by;
        self.by = by;
        self.bytes.extend_from_slice(bytes);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if Arc::strong_count(&self.partial) == 1 {
            let partial = Arc::clone(&self.partial);
            self.say(&mut partial.lock().unwrap_or_else(PoisonError::into_inner), None);
        }
    }
}

impl IsTerminal for Stream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stream {
    /// Called by the host call that opens it: its writer is known then, and at no later time.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        match self.seat.get() {
            None => Box::new(self.clone()),
            opened_by => Box::new(Self {
                log: Arc::clone(&self.log),
                which: self.which,
                flights: self.flights.clone(),
                seat: self.seat.clone(),
                opened_by,
                partial: Arc::default(),
            }),
        }
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
        self.take(&bytes, self.seat.get().as_ref());
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
        // Written by the event loop, in no call of the guest.
        self.take(bytes, None);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
