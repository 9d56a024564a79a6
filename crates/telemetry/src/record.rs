//! The record of one request: a wire type, frozen since first light (docs/design/003-wire-shapes.md).
//!
//! Fields may be added; none changes its meaning or unit. Names are those of the JSON log.

use crate::id::{RequestId, SpanId, TraceId};
use serde::Serialize;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// One request, from admission to the end of its response.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    pub id: RequestId,
    /// The trace it belongs to, and its server span there.
    pub trace_id: TraceId,
    pub span_id: SpanId,
    /// When the request's head had been read.
    #[serde(serialize_with = "rfc3339")]
    pub time: SystemTime,
    #[serde(serialize_with = "method")]
    pub method: http::Method,
    /// The authority asked for, lower case, without the port.
    pub host: String,
    /// Path without the query, as received.
    pub path: String,
    /// The pattern of the route that was taken; absent when none matched.
    pub route: Option<Arc<str>>,
    /// Name of the component, upstream, `static` or `redirect` that answered.
    pub destination: Option<Arc<str>>,
    /// The destination that was tried first and could not answer.
    pub fallback_from: Option<Arc<str>>,
    /// HTTP status of the response that was sent.
    pub status: u16,
    pub outcome: Outcome,
    /// Why there was no good answer: set with [`Outcome::Failed`] and [`Outcome::Truncated`], and when a fallback
    /// answered.
    pub error: Option<String>,
    /// The kind of what `error` says, of a closed set: `trap`, `deadline`, `unreachable` …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<&'static str>,
    /// Bytes of the request body that were read.
    pub bytes_in: u64,
    /// Bytes of the response body that were handed to the connection.
    pub bytes_out: u64,
    /// From the request's head to the response's head, in microseconds.
    #[serde(rename = "head_us", serialize_with = "micros")]
    pub head: Duration,
    /// From the request's head to the end of the response, in microseconds.
    #[serde(rename = "duration_us", serialize_with = "micros")]
    pub duration: Duration,
    /// What the component's run took; absent when no component ran.
    #[serde(flatten)]
    pub run: Option<Run>,
}

/// What the host knows of a component's run for one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Run {
    /// Number of the instance in its process.
    pub instance: u64,
    /// How many requests the instance had taken before this one.
    pub reused: u32,
    /// CPU time of the instance while it served this request, in microseconds. With concurrency above one it is the
    /// instance's, not the request's.
    #[serde(rename = "cpu_us", serialize_with = "micros")]
    pub cpu: Duration,
    /// Peak of the instance's memory in bytes.
    pub memory: u64,
    /// From the request's head to the call of the component, in microseconds.
    #[serde(rename = "called_us", serialize_with = "micros")]
    pub called: Duration,
    /// Waiting for a place in the component, in microseconds.
    #[serde(rename = "wait_us", serialize_with = "micros")]
    pub wait: Duration,
    /// Making the instance, in microseconds; 0 when the request met one that was there.
    #[serde(rename = "start_us", serialize_with = "micros")]
    pub start: Duration,
    /// From the call of the component to the end of its work for this request, in microseconds; 0 while that is not known.
    #[serde(rename = "run_us", serialize_with = "micros")]
    pub took: Duration,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The whole response was sent.
    Complete,
    /// No destination could answer; the response is an error of ours.
    Failed,
    /// The response broke off after its head; the connection was reset.
    Truncated,
    /// The client went away before the response had ended.
    ClientGone,
}

/// How far a call had come when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Waiting for a place.
    Admit,
    /// Making an instance.
    Instantiate,
    /// Reaching an upstream.
    Connect,
    /// Running, before the response's head.
    Head,
    /// After the response's head.
    Body,
}

/// Who has to act on a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// The request is at fault.
    Client,
    /// The component is at fault.
    Guest,
    /// Another request in the same instance was at fault.
    Collateral,
    /// A limit of the manifest was reached.
    Limit,
    /// The server behind us is at fault.
    Upstream,
    /// Coracle is at fault.
    Host,
}

fn micros<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

fn method<S: serde::Serializer>(method: &http::Method, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(method.as_str())
}

fn rfc3339<S: serde::Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_rfc3339_micros(*time))
}
