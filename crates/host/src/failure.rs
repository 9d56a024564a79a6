//! Why a call gave no response: a wire-level shape, frozen since first light (docs/design/003-wire-shapes.md).
//!
//! A failure is a plain value. It never captures a backtrace, and its texts are for logs: what a client is told is
//! decided by the edge from [`Cause`] alone.

use crate::{BodyError, Request};
pub use coracle_telemetry::{Blame, Stage};
use std::fmt;
use std::time::Duration;

/// A call that gave no response.
pub struct Failure {
    /// How far the call had come.
    pub stage: Stage,
    /// Who has to act on it.
    pub blame: Blame,
    /// What happened, for the code that branches on it.
    pub cause: Cause,
    /// What happened, for the log; may hold guest text, never sent to a client.
    pub detail: String,
    /// The request, when it is intact: nothing of it is lost and no effect has left the instance since it entered.
    /// Only then may another destination be tried.
    pub request: Option<Box<Request>>,
}

/// The closed set of causes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The queue in front of the component is full, or its deadline passed.
    Busy { retry_after: Duration },
    /// No instance could be placed: the process is at its limit of memory or instances.
    NoRoom { retry_after: Duration },
    /// The component's code could not be made ready: it does not compile, or its file is gone. A later call tries again.
    NotLoaded { retry_after: Duration },
    /// The component is being replaced or the process is shutting down.
    Closing,
    /// The instance could not be made: its start function trapped, or the host lacks something.
    Instantiate,
    /// The guest trapped (or called `exit`).
    Trap,
    /// The guest used up the CPU time of one request.
    CpuLimit,
    /// The guest reached its memory limit and died of it.
    MemoryLimit,
    /// No response head before the deadline.
    Deadline,
    /// The guest ended without answering.
    NoResponse,
    /// The guest answered with an error code of `wasi:http` instead of a response.
    ErrorCode(String),
    /// The upstream could not be reached: refused, unresolved, not yet ready.
    Unreachable,
    /// The upstream did not answer in time.
    UpstreamTimeout,
    /// The upstream broke the connection off or spoke something that isn't HTTP.
    UpstreamProtocol,
    /// The request's body is larger than the component's limit.
    BodyTooLarge,
    /// The request's headers are larger than the component's limit.
    HeadersTooLarge,
    /// The client went away.
    ClientGone,
}

impl Cause {
    /// What a guest is told whose request another component could not answer.
    pub(crate) fn as_error(&self) -> BodyError {
        match self {
            Self::Busy { .. } | Self::NoRoom { .. } => BodyError::ConnectionLimitReached,
            Self::Deadline | Self::UpstreamTimeout => BodyError::ConnectionReadTimeout,
            Self::Unreachable | Self::Closing | Self::NotLoaded { .. } => BodyError::DestinationUnavailable,
            Self::BodyTooLarge => BodyError::HttpRequestBodySize(None),
            Self::HeadersTooLarge => BodyError::HttpRequestHeaderSectionSize(None),
            _ => BodyError::HttpProtocolError,
        }
    }

    /// Its name in records, figures and traces.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "busy",
            Self::NoRoom { .. } => "no_room",
            Self::NotLoaded { .. } => "not_loaded",
            Self::Closing => "closing",
            Self::Instantiate => "instantiate",
            Self::Trap => "trap",
            Self::CpuLimit => "cpu_limit",
            Self::MemoryLimit => "memory_limit",
            Self::Deadline => "deadline",
            Self::NoResponse => "no_response",
            Self::ErrorCode(_) => "error_code",
            Self::Unreachable => "unreachable",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::UpstreamProtocol => "upstream_protocol",
            Self::BodyTooLarge => "body_too_large",
            Self::HeadersTooLarge => "headers_too_large",
            Self::ClientGone => "client_gone",
        }
    }
}

impl Failure {
    /// A failure whose request is lost.
    pub fn new(stage: Stage, blame: Blame, cause: Cause, detail: impl Into<String>) -> Self {
        Self { stage, blame, cause, detail: detail.into(), request: None }
    }

    /// The same failure, with the request given back.
    #[must_use]
    pub fn with_request(mut self, request: Request) -> Self {
        self.request = Some(Box::new(request));
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("stage", &self.stage)
            .field("blame", &self.blame)
            .field("cause", &self.cause)
            .field("detail", &self.detail)
            .field("intact", &self.request.is_some())
            .finish()
    }
}

impl std::error::Error for Failure {}
