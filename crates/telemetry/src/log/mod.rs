//! A line of a log: of a guest, of ourselves, of a server behind us, or received from elsewhere.

pub mod format;

use crate::id::{RequestId, SpanId, TraceId};
use crate::value::{Attribute, weight};
use std::sync::Arc;

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// Nanoseconds since 1970.
    pub time: u64,
    pub severity: Severity,
    pub source: Source,
    pub body: Box<str>,
    /// The component, upstream or service it comes from.
    pub name: Option<Arc<str>>,
    /// The request it belongs to, where that is known; never a guess.
    pub request: Option<RequestId>,
    pub trace: Option<TraceId>,
    pub span: Option<SpanId>,
    pub attributes: Vec<Attribute>,
}

/// Where a line comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A guest's standard output.
    Stdout,
    /// A guest's standard error.
    Stderr,
    /// A guest, by `wasi:logging` or `wasi:otel`.
    Guest,
    /// Coracle itself.
    Host,
    /// A server that Coracle has started.
    Upstream,
    /// Somebody else, by OTLP.
    Received,
}

/// How serious it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

impl Severity {
    /// As OpenTelemetry counts them.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Trace => 1,
            Self::Debug => 5,
            Self::Info => 9,
            Self::Warn => 13,
            Self::Error => 17,
            Self::Fatal => 21,
        }
    }

    /// The range of OpenTelemetry's number. 0 is unknown, and counts as information.
    #[must_use]
    pub fn of(number: i32) -> Self {
        match number {
            1..=4 => Self::Trace,
            5..=8 => Self::Debug,
            13..=16 => Self::Warn,
            17..=20 => Self::Error,
            21.. => Self::Fatal,
            _ => Self::Info,
        }
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }
}

impl Source {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Guest => "guest",
            Self::Host => "host",
            Self::Upstream => "upstream",
            Self::Received => "received",
        }
    }
}

impl Log {
    /// Bytes it takes in memory, about.
    #[must_use]
    pub fn weight(&self) -> usize {
        size_of::<Self>() + self.body.len() + weight(&self.attributes)
    }

    /// Its attributes, and what else it says, as OpenTelemetry has it.
    #[must_use]
    pub fn all_attributes(&self) -> Vec<Attribute> {
        let mut attributes = self.attributes.clone();
        attributes.push(Attribute::new("log.source", self.source.name()));
        if let Some(name) = &self.name {
            let key = match self.source {
                Source::Stdout | Source::Stderr | Source::Guest => "wasm.component.name",
                Source::Host => "coracle.subject",
                Source::Upstream => "coracle.upstream",
                Source::Received => "service.name",
            };
            attributes.push(Attribute::new(key, name));
        }
        if let Some(request) = self.request {
            attributes.push(Attribute::new("coracle.request.id", request.to_string()));
        }
        attributes
    }
}
