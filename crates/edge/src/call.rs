//! What a destination is given and what it answers.

use crate::respond::Refusal;
use crate::tunnel::Place;
use coracle_host::{Meter, Request, Response};
use coracle_telemetry::RequestId;
use std::sync::Arc;

/// One request on its way down.
pub struct Call {
    pub request: Request,
    pub id: RequestId,
    pub meter: Arc<Meter>,
    /// A fallback stands by: keep what is needed to hand the request back.
    pub keep: bool,
    /// How many components it has gone through.
    pub depth: u32,
    /// The shard it runs on; pooled connections belong to one.
    pub shard: usize,
    /// Of its connection, for a tunnel to keep.
    pub place: Place,
}

/// The answer of a destination.
pub enum Answer {
    Response(Response),
    /// Files only: there is no such file, or not with this method.
    Refused(Refusal),
}
