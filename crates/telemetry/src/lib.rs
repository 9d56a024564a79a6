//! What requests leave behind: the [`Record`], and how it becomes a log line, figures, a trace, and something to look at.
//!
//! ```text
//! head ─ Scope ─ calls noted in it ─▶ end: Record + Scope ─ Telemetry::ended ─▶ metrics · store · export
//!                                            └ access log
//! ```
//! The edge arms a record when a request is admitted and fires it once, when the response body has ended or was dropped. The host fills
//! in what only it knows ([`Run`]), and notes calls in the [`Scope`]. This crate never decides anything about a request and knows
//! neither the runtime nor the edge. With telemetry off there is no scope, and nothing is measured.

mod access;
pub mod context;
pub mod export;
mod id;
mod kept;
mod lines;
pub mod log;
pub mod metrics;
pub mod otlp;
pub mod receive;
mod record;
mod sample;
mod scope;
pub mod span;
pub mod store;
mod telemetry;
mod value;

pub use access::{AccessLog, Format};
pub use id::{RequestId, SpanId, TraceId};
pub use kept::{Kept, method, pattern};
pub use lines::Lines;
pub use log::format::Fields;
pub use log::{Log, Severity, Source};
pub use record::{Blame, Outcome, Record, Run, Stage};
pub use sample::{Rule, Sampler, Why};
pub use scope::{Calls, Open, Rest, Scope};
pub use span::Span;
pub use telemetry::{Options, Telemetry};
pub use value::{Attribute, Value};
