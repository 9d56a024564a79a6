//! The one list of metrics. docs/telemetry.md is made from it, and nothing can be counted that isn't in it.
//!
//! To add one: a line here, and the place that counts it. Names are OpenTelemetry's; [`prometheus`](Metric::prometheus) derives the
//! other spelling. Labels hold what the app's author wrote or a closed set, never what a client or guest sends.

/// What a metric is.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    /// As in UCUM: `s`, `By`, `{request}`.
    pub unit: &'static str,
    pub labels: &'static [&'static str],
    /// A sentence.
    pub help: &'static str,
}

/// How a metric is counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values by these upper bounds.
    Histogram(&'static [f64]),
}

/// Seconds of a request (HTTP semantic conventions).
const SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Seconds of what should take microseconds.
const SHORT: &[f64] = &[0.000_01, 0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];
/// Bytes of memory.
const BYTES: &[f64] =
    &[262_144.0, 1_048_576.0, 4_194_304.0, 16_777_216.0, 67_108_864.0, 268_435_456.0, 1_073_741_824.0];

macro_rules! metrics {
    ($($(#[$doc:meta])* $id:ident = $kind:expr, $name:literal, $unit:literal, [$($label:literal),*], $help:literal;)*) => {
        /// A metric of the list.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Name { $($id,)* }

        /// All metrics.
        pub const LIST: &[(Name, Metric)] =
            &[$((Name::$id, Metric { name: $name, kind: $kind, unit: $unit, labels: &[$($label),*], help: $help }),)*];

        impl Name {
            /// What it is.
            #[must_use]
            pub fn metric(self) -> &'static Metric {
                match self { $(Self::$id => const { &Metric { name: $name, kind: $kind, unit: $unit, labels: &[$($label),*], help: $help } },)* }
            }
        }
    };
}

use Kind::{Counter, Gauge, Histogram};

metrics! {
    RequestDuration = Histogram(SECONDS), "http.server.request.duration", "s",
        ["http.request.method", "http.route", "http.response.status_code", "error.type"],
        "From a request's head to the end of its response.";
    RequestHead = Histogram(SECONDS), "coracle.request.head.duration", "s", ["http.route"],
        "From a request's head to the head of its response.";
    Active = Gauge, "http.server.active_requests", "{request}", [], "Requests that are running.";
    BytesIn = Counter, "coracle.request.body.io", "By", ["http.route"], "Bytes of request bodies that were read.";
    BytesOut = Counter, "coracle.response.body.io", "By", ["http.route"],
        "Bytes of response bodies that were handed to connections.";
    Fallback = Counter, "coracle.fallback", "{request}", ["from", "to", "error.type"],
        "Requests that a second destination answered because the first could not.";
    Outcomes = Counter, "coracle.request.outcome", "{request}", ["http.route", "outcome"],
        "Requests by how they ended: complete, failed, truncated (broken off on our side), client_gone.";
    Wait = Histogram(SHORT), "coracle.queue.wait.duration", "s", ["component"],
        "How long requests waited for a place in their component.";
    Waiting = Gauge, "coracle.queue.length", "{request}", ["component"], "Requests that wait for a place in their component.";
    Running = Gauge, "coracle.component.active_requests", "{request}", ["component"], "Requests that run in their component.";
    Places = Gauge, "coracle.component.places", "{request}", ["component"],
        "Requests that may run in the component at the same time (`concurrency` of its limits).";
    Cpu = Counter, "wasm.cpu.time", "s", ["component"], "CPU time of guests while they served requests.";
    CpuRequest = Histogram(SHORT), "wasm.request.cpu.time", "s", ["component"], "CPU time of a guest for one request.";
    Memory = Gauge, "wasm.memory.usage", "By", ["component"], "Memory of all instances of a component.";
    MemoryLimit = Gauge, "wasm.memory.limit", "By", ["component"],
        "Memory that all instances of a component may take (`memory_total` of its limits).";
    MemoryPeak = Histogram(BYTES), "wasm.instance.memory.peak", "By", ["component"],
        "Most memory that an instance had taken when a request in it ended.";
    Live = Gauge, "wasm.instance.live", "{instance}", ["component"], "Instances that exist.";
    Created = Counter, "wasm.instance.created", "{instance}", ["component"], "Instances that were made.";
    Reused = Counter, "wasm.instance.reused", "{request}", ["component"], "Requests that met an instance that had served others.";
    Retired = Counter, "wasm.instance.retired", "{instance}", ["component", "reason"],
        "Instances that ended, by reason: done, closing, trap, cpu, deadline, client_gone, no_room, instantiate.";
    ColdStart = Histogram(SHORT), "wasm.instance.start.duration", "s", ["component"],
        "How long requests waited for an instance that was made for them.";
    Trap = Counter, "wasm.trap", "{trap}", ["component", "kind"], "Traps of guests, by kind.";
    Limit = Counter, "coracle.limit.hit", "{request}", ["component", "limit"],
        "Requests that a limit ended or refused: queue, cpu, memory, deadline, request_body, no_room.";
    Collateral = Counter, "coracle.collateral", "{request}", ["component"],
        "Requests that failed because another one in their instance did.";
    Replayed = Counter, "coracle.replayed", "{request}", ["component"],
        "Requests that ran again, alone, because another one in their instance had failed.";
    HostCall = Histogram(SHORT), "wasm.hostcall.duration", "s", ["component", "interface", "function", "error.type"],
        "Calls of guests into the host, by interface.";
    GrantUsed = Counter, "coracle.grant.used", "{call}", ["component", "grant"], "Calls that used a grant.";
    GrantDenied = Counter, "coracle.grant.denied", "{call}", ["component", "grant"], "Calls that were answered with \"denied\".";
    UpstreamDuration = Histogram(SECONDS), "http.client.request.duration", "s",
        ["server", "http.request.method", "http.response.status_code", "error.type"],
        "Requests that were passed on to an upstream, until the head of its response.";
    UpstreamUp = Gauge, "coracle.upstream.up", "1", ["upstream"], "1 while an upstream answers, 0 while it is starting or down.";
    Mapped = Gauge, "coracle.code.mapped", "{image}", [], "Components whose compiled code is mapped.";
    MappedBytes = Gauge, "coracle.code.mapped.size", "By", [], "Compiled code that is mapped.";
    Slots = Gauge, "wasm.pool.slots", "{slot}", ["state"], "Places for instances in this process: used and free.";
    HostMemory = Gauge, "coracle.memory.usage", "By", [], "Memory that guests and their buffers take in this process.";
    Tunnels = Gauge, "coracle.tunnels", "{connection}", [], "Connections that were upgraded (WebSocket) and are open.";
    Generation = Gauge, "coracle.generation", "1", [], "Counts loads of the app since the start, from 1.";
    Started = Gauge, "process.start.time", "s", [], "When this process began to serve, in seconds since 1970.";
    RolloutWeight = Gauge, "coracle.rollout.weight", "1", ["component", "version"],
        "Share of a component's requests that a version takes, from 0 to 1.";
    RolloutRequests = Counter, "coracle.rollout.requests", "{request}", ["component", "version", "outcome"],
        "Requests of a rollout, by version and by how they ended.";
    LogLines = Counter, "coracle.log.lines", "{line}", ["component", "source"], "Lines that guests wrote.";
    LogDropped = Counter, "coracle.log.dropped", "{line}", ["component"], "Lines of guests beyond `log_bytes`, not kept.";
    Kept = Counter, "coracle.telemetry.kept", "{request}", ["why"],
        "Requests whose trace was kept, by why: sampled, error, fell_back, slow.";
    Exported = Counter, "coracle.telemetry.exported", "{item}", ["signal"], "Spans, points and log lines that a collector took.";
    ExportDropped = Counter, "coracle.telemetry.dropped", "{item}", ["signal", "reason"],
        "Spans, points and log lines that were not exported, by reason: queue_full, rejected, unreachable.";
    Received = Counter, "coracle.telemetry.received", "{item}", ["signal"],
        "Spans and log lines of others that the receiver took.";
}

impl Metric {
    /// Its name without a counter's `_total`: dots become underscores, and the unit is said.
    #[must_use]
    pub fn family(&self) -> String {
        let mut name = self.name.replace('.', "_");
        if let Some(unit) = self.unit_word().filter(|unit| !name.ends_with(unit)) {
            name.push('_');
            name.push_str(unit);
        }
        name
    }

    /// The name that Prometheus stores; of a histogram it is followed by `_bucket`, `_sum` and `_count`.
    #[must_use]
    pub fn prometheus(&self) -> String {
        let family = self.family();
        if self.kind == Counter { family + "_total" } else { family }
    }

    /// The unit as Prometheus wants it in names.
    #[must_use]
    pub fn unit_word(&self) -> Option<&'static str> {
        match self.unit {
            "s" => Some("seconds"),
            "By" => Some("bytes"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, LIST};
    use std::collections::HashSet;

    #[test]
    fn the_list_is_sound() {
        let mut seen = HashSet::new();
        for (name, metric) in LIST {
            assert_eq!(name.metric().name, metric.name);
            assert!(seen.insert(metric.family()), "{} is there twice", metric.family());
            assert!(metric.help.ends_with('.'), "{}: help is a sentence", metric.name);
            assert!(!metric.family().ends_with("_total"), "{}", metric.name);
            if let Kind::Histogram(bounds) = metric.kind {
                assert!(bounds.is_sorted() && !bounds.is_empty(), "{}", metric.name);
            }
        }
    }

    #[test]
    fn prometheus_names() {
        let name = |of: super::Name| of.metric().prometheus();
        assert_eq!(name(super::Name::RequestDuration), "http_server_request_duration_seconds");
        assert_eq!(name(super::Name::Cpu), "wasm_cpu_time_seconds_total");
        assert_eq!(name(super::Name::Memory), "wasm_memory_usage_bytes");
        assert_eq!(name(super::Name::Trap), "wasm_trap_total");
    }
}
