//! Spans: what was done for a trace, when, for how long and with what outcome. Ours and received ones have the same shape.

use crate::id::{SpanId, TraceId};
use crate::value::{Attribute, Value, weight};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// One span. Times are nanoseconds since 1970.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    pub trace: TraceId,
    pub id: SpanId,
    pub parent: Option<SpanId>,
    /// Of few different values: never holds an id or a path.
    pub name: Cow<'static, str>,
    pub kind: Kind,
    pub start: u64,
    pub end: u64,
    pub status: Status,
    pub attributes: Vec<Attribute>,
    pub events: Vec<Event>,
    pub links: Vec<Link>,
    /// The instrumentation that made it; absent for ours.
    pub scope: Option<Arc<str>>,
    pub state: Option<Box<str>>,
    /// Attributes and events that were left out.
    pub dropped: u32,
}

/// The side of a call that a span describes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    #[default]
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

/// How it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Status {
    #[default]
    Unset,
    Ok,
    /// With what a person should read; may be empty.
    Error(String),
}

/// Something that happened during a span.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub time: u64,
    pub name: Cow<'static, str>,
    pub attributes: Vec<Attribute>,
}

/// Another span that has to do with this one, most often of another trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    pub trace: TraceId,
    pub span: SpanId,
    pub attributes: Vec<Attribute>,
}

impl Span {
    /// A span without attributes.
    #[must_use]
    pub fn new(trace: TraceId, id: SpanId, name: impl Into<Cow<'static, str>>, kind: Kind, time: (u64, u64)) -> Self {
        let (start, end) = time;
        Self {
            trace,
            id,
            parent: None,
            name: name.into(),
            kind,
            start,
            end: end.max(start),
            status: Status::Unset,
            attributes: Vec::new(),
            events: Vec::new(),
            links: Vec::new(),
            scope: None,
            state: None,
            dropped: 0,
        }
    }

    /// The value of an attribute.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.attributes.iter().find(|attribute| attribute.key == key).map(|attribute| &attribute.value)
    }

    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        self.attributes.push(Attribute::new(key, value));
    }

    /// Nanoseconds from start to end.
    #[must_use]
    pub fn duration(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    #[must_use]
    pub fn is_error(&self) -> bool {
        matches!(self.status, Status::Error(_))
    }

    /// Bytes it takes in memory, about.
    #[must_use]
    pub fn weight(&self) -> usize {
        let events: usize = self.events.iter().map(|event| size_of::<Event>() + weight(&event.attributes)).sum();
        let links: usize = self.links.iter().map(|link| size_of::<Link>() + weight(&link.attributes)).sum();
        size_of::<Self>() + self.name.len() + weight(&self.attributes) + events + links
    }
}

impl Kind {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

/// Nanoseconds since 1970.
#[must_use]
pub fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
