//! OTLP: our own data as its messages, and its messages as our own data.
//!
//! Pure: what sends and receives them is elsewhere. One list of spans or lines becomes one message, grouped by nothing but the resource,
//! which is the process.

pub mod json;
pub mod proto;
mod read;
mod write;

pub use read::{Origin, logs as read_logs, spans as read_spans};
pub use write::{logs, metrics, traces};

use std::sync::Arc;

/// The instrumentation that our own spans, figures and lines name.
pub const SCOPE: &str = "coracle";

/// What is measured, as OpenTelemetry's resource attributes: `service.name` first.
pub type Resource = Arc<[(String, String)]>;
