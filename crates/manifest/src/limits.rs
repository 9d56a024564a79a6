//! What a component may use up, with defaults that are always on, and how its instances are reused.
//! The host and the edge enforce them; this file only says what they mean.

use std::time::Duration;

/// The limits of one component. Sizes in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Linear memories and tables of one instance together, in bytes. 128 MiB.
    pub memory: u64,
    /// The same over all instances of the component, in bytes. 1 GiB.
    pub memory_total: u64,
    /// CPU time that one request may use inside the guest. 1 s: three orders above a usual request, yet a
    /// loop without end is noticed while its client still waits.
    pub cpu_per_request: Duration,
    /// CPU time that all its guests together may use a second; beyond it they wait, and new requests queue. 2 s is two
    /// cores. `None`: all cores.
    pub cpu_per_second: Option<Duration>,
    /// Turns it gets beside other components' one when guests compute for longer than a slice. 1.
    pub weight: u32,
    /// Wall time from the arrival of a request to its response's head; after the head, how long the body may stand still.
    /// A stream that keeps flowing has no end set to it. 30 s.
    pub deadline: Duration,
    /// Wall time that work may go on after the response has ended. 30 s; at most 2 s when the client left before its end.
    pub after_response: Duration,
    /// Requests running at the same time. 256.
    pub concurrency: u32,
    /// Requests waiting for their turn; further ones get a 503 with Retry-After. 512; 0 is no queue.
    pub queue: u32,
    /// Wall time a request may wait in the queue. 1 s.
    pub queue_deadline: Duration,
    /// Bytes of one request body. 32 MiB.
    pub request_body: u64,
    /// Bytes of all headers of one request. 64 KiB.
    pub request_headers: u64,
    /// How many bytes of a request body are kept, so that a fallback can be tried. 64 KiB; 0 keeps none.
    pub replay_buffer: u64,
    /// Bytes that a guest may hand to the host in one call. 8 MiB.
    pub call_bytes: u64,
    /// Handles of an instance: to host resources, and to streams, futures and tasks. 1024 of each.
    pub handles: u32,
    /// Outbound connections open at the same time. 64.
    pub outbound_connections: u32,
    /// Bytes of log, stdout and stderr per second; the rest is dropped and counted. 1 MiB.
    pub log_bytes: u64,
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 128 * MIB,
            memory_total: 1024 * MIB,
            cpu_per_request: Duration::from_secs(1),
            cpu_per_second: None,
            weight: 1,
            deadline: Duration::from_secs(30),
            after_response: Duration::from_secs(30),
            concurrency: 256,
            queue: 512,
            queue_deadline: Duration::from_secs(1),
            request_body: 32 * MIB,
            request_headers: 64 * KIB,
            replay_buffer: 64 * KIB,
            call_bytes: 8 * MIB,
            handles: 1024,
            outbound_connections: 64,
            log_bytes: MIB,
        }
    }
}

/// How instances are reused. By default an instance serves one request and is thrown away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reuse {
    /// Requests that one instance serves before it is replaced. At least 1.
    pub requests: u32,
    /// Requests that one instance serves at the same time, never more than `requests`. At least 1; above 1 only WASI 0.3
    /// components can do it, and a trap ends all of them.
    pub concurrency: u32,
    /// How long an instance without a request is kept. 10 s.
    pub idle: Duration,
}

impl Default for Reuse {
    fn default() -> Self {
        Self { requests: 1, concurrency: 1, idle: Duration::from_secs(10) }
    }
}
