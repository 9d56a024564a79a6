//! What is kept to be looked at: the last requests, the lines they and others wrote, and spans received from elsewhere.
//!
//! Bounded in number and in bytes, so that it can be on by default. Queries look through all of it: a hundred thousand records take
//! milliseconds, on a thread that serves no requests.

pub mod filter;
pub mod history;
pub mod ring;
pub mod view;

use crate::id::{RequestId, TraceId};
use crate::kept::Kept;
use crate::log::Log;
use crate::otlp::Origin;
use crate::span::Span;
use history::History;
use ring::Ring;
use std::sync::Arc;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub requests: usize,
    pub logs: usize,
    /// Spans of others.
    pub spans: usize,
    /// Of everything together; half of it is for requests, a quarter each for lines and others' spans.
    pub bytes: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { requests: 100_000, logs: 50_000, spans: 50_000, bytes: 96 << 20 }
    }
}

/// A span that somebody sent.
#[derive(Debug)]
pub struct Received {
    pub origin: Arc<Origin>,
    pub span: Span,
}

/// All that is kept.
pub struct Store {
    pub requests: Ring<Kept>,
    pub logs: Ring<Log>,
    pub received: Ring<Received>,
    pub history: History,
}

impl Store {
    #[must_use]
    pub fn new(room: Room) -> Self {
        Self {
            requests: Ring::new(room.requests, room.bytes / 2),
            logs: Ring::new(room.logs, room.bytes / 4),
            received: Ring::new(room.spans, room.bytes / 4),
            history: History::default(),
        }
    }

    /// The requests that a filter asks for, the newest first.
    #[must_use]
    pub fn find(&self, filter: &filter::Requests) -> Vec<(u64, Arc<Kept>)> {
        let mut found = Vec::new();
        self.requests.newest(|number, kept| {
            if filter.page.has(number) && filter.matches(kept) {
                found.push((number, Arc::clone(kept)));
            }
            found.len() < filter.page.limit && filter.page.after.is_none_or(|after| number > after)
        });
        found
    }

    /// The lines that a filter asks for, the newest first.
    #[must_use]
    pub fn find_logs(&self, filter: &filter::Logs) -> Vec<(u64, Arc<Log>)> {
        let mut found = Vec::new();
        self.logs.newest(|number, log| {
            if filter.page.has(number) && filter.matches(log) {
                found.push((number, Arc::clone(log)));
            }
            found.len() < filter.page.limit && filter.page.after.is_none_or(|after| number > after)
        });
        found
    }

    /// The request with this id.
    #[must_use]
    pub fn request(&self, id: RequestId) -> Option<Arc<Kept>> {
        let mut found = None;
        self.requests.newest(|_, kept| {
            if kept.record.id == id {
                found = Some(Arc::clone(kept));
            }
            found.is_none()
        });
        found
    }

    /// The requests of a trace, the newest first.
    #[must_use]
    pub fn requests_of(&self, trace: TraceId) -> Vec<Arc<Kept>> {
        let mut found = Vec::new();
        self.requests.newest(|_, kept| {
            if kept.record.trace_id == trace {
                found.push(Arc::clone(kept));
            }
            true
        });
        found
    }

    /// Others' spans of a trace.
    #[must_use]
    pub fn received_of(&self, trace: TraceId) -> Vec<Arc<Received>> {
        let mut found = Vec::new();
        self.received.newest(|_, received| {
            if received.span.trace == trace {
                found.push(Arc::clone(received));
            }
            true
        });
        found
    }

    /// Keeps a line.
    pub fn log(&self, log: Arc<Log>) {
        let (bytes, at) = (log.weight(), log.time);
        self.logs.push(log, bytes, at);
    }

    /// Keeps somebody's span.
    pub fn receive(&self, origin: &Arc<Origin>, span: Span) {
        let (bytes, at) = (span.weight(), span.end);
        self.received.push(Arc::new(Received { origin: Arc::clone(origin), span }), bytes, at);
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}
