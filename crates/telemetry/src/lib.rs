//! What one request leaves behind: the [`Record`], and how it becomes a log line.
//!
//! The edge arms a record when a request is admitted and fires it once, when the response body has ended or was
//! dropped. The host fills in what only it knows ([`Run`]). This crate never decides anything and knows neither the
//! runtime nor the wire; later it turns the same records into traces and metrics.

mod access;
mod id;
mod lines;
mod record;

pub use access::{AccessLog, Format};
pub use id::RequestId;
pub use lines::Lines;
pub use record::{Blame, Outcome, Record, Run, Stage};
