//! `[component.NAME.limits]` and `reuse`: one table of keys from which both the reader and the JSON Schema are made, so that
//! neither can know a limit that the other doesn't.

use crate::value::{Entry, Node};
use crate::{Diagnostic, Diagnostics, Limits, Reuse, codes};
use std::time::Duration;

/// One key of `limits`.
pub(crate) struct LimitKey {
    pub name: &'static str,
    pub doc: &'static str,
    pub field: Field,
}

/// Where a key goes, with its smallest value.
pub(crate) enum Field {
    Bytes {
        least: u64,
        set: fn(&mut Limits) -> &mut u64,
    },
    Time {
        set: fn(&mut Limits) -> &mut Duration,
    },
    /// Without it there is no such limit.
    TimeIfAny {
        set: fn(&mut Limits) -> &mut Option<Duration>,
    },
    Count {
        least: u32,
        set: fn(&mut Limits) -> &mut u32,
    },
}

/// The largest count that is accepted; above it the numbers stop being limits.
pub(crate) const MAX_COUNT: u32 = 1_000_000;

pub(crate) const LIMIT_KEYS: &[LimitKey] = &[
    bytes("memory", "Memory of one instance: its linear memories and tables together. Default 128MiB.", 65536, |l| {
        &mut l.memory
    }),
    bytes(
        "memory_total",
        "Memory of all instances of the component together. Default 1GiB, or `memory` if that is more.",
        65536,
        |l| &mut l.memory_total,
    ),
    time("cpu_per_request", "CPU time one request may use in the guest. Default 1s.", |l| &mut l.cpu_per_request),
    LimitKey {
        name: "cpu_per_second",
        doc: "CPU time all its guests together may use a second, e.g. 500ms for half a core; then they wait. Default: all cores.",
        field: Field::TimeIfAny { set: |l| &mut l.cpu_per_second },
    },
    count("weight", "Turns it gets beside other components' one when guests compute for long. Default 1.", 1, |l| {
        &mut l.weight
    }),
    time(
        "deadline",
        "Wall time from the arrival of a request to its response's head, then how long the body may stand still. Default 30s.",
        |l| &mut l.deadline,
    ),
    time("after_response", "Wall time that work may go on after the response. Default 30s.", |l| &mut l.after_response),
    count("concurrency", "Requests running at the same time. Default 256.", 1, |l| &mut l.concurrency),
    count("queue", "Requests waiting for their turn; further ones get a 503. Default 512.", 0, |l| &mut l.queue),
    time("queue_deadline", "Wall time a request may wait in the queue. Default 1s.", |l| &mut l.queue_deadline),
    bytes("request_body", "Size of one request body. Default 32MiB.", 0, |l| &mut l.request_body),
    bytes("request_headers", "Size of all headers of one request together. Default 64KiB.", 1024, |l| {
        &mut l.request_headers
    }),
    bytes(
        "replay_buffer",
        "How much of a request body is kept so that a fallback can be tried. Default 64KiB.",
        0,
        |l| &mut l.replay_buffer,
    ),
    bytes("call_bytes", "What a guest may hand to the host in one call. Default 8MiB.", 65536, |l| &mut l.call_bytes),
    count(
        "handles",
        "Handles of one instance: to host resources, and to streams, futures and tasks. Default 1024 of each.",
        64,
        |l| &mut l.handles,
    ),
    count("outbound_connections", "Outbound connections open at the same time. Default 64.", 0, |l| {
        &mut l.outbound_connections
    }),
    bytes("log_bytes", "Log, stdout and stderr per second; the rest is dropped and counted. Default 1MiB.", 0, |l| {
        &mut l.log_bytes
    }),
];

const fn bytes(name: &'static str, doc: &'static str, least: u64, set: fn(&mut Limits) -> &mut u64) -> LimitKey {
    LimitKey { name, doc, field: Field::Bytes { least, set } }
}

const fn time(name: &'static str, doc: &'static str, set: fn(&mut Limits) -> &mut Duration) -> LimitKey {
    LimitKey { name, doc, field: Field::Time { set } }
}

const fn count(name: &'static str, doc: &'static str, least: u32, set: fn(&mut Limits) -> &mut u32) -> LimitKey {
    LimitKey { name, doc, field: Field::Count { least, set } }
}

/// Reads a `limits` table over the defaults.
pub(super) fn limits(node: &Node, what: &str, diags: &mut Diagnostics) -> Limits {
    let mut limits = Limits::default();
    let Some(mut reader) = node.reader(diags, what) else {
        return limits;
    };
    for key in LIMIT_KEYS {
        let Some(entry) = reader.entry(key.name) else {
            continue;
        };
        key.read(entry, &mut limits, diags);
    }
    let total = reader.entry("memory_total");
    match (reader.entry("memory"), total) {
        (Some(memory), Some(total)) if limits.memory > limits.memory_total => {
            let message = "`memory` of one instance is more than `memory_total` of all of them, so none could start";
            let diagnostic = Diagnostic::error(codes::INVALID_VALUE, message)
                .at(memory.node.span)
                .also(total.node.span, "the total");
            diags.push(diagnostic.help("raise `memory_total` or lower `memory`"));
        }
        (None, Some(_)) => limits.memory = limits.memory.min(limits.memory_total),
        _ => limits.memory_total = limits.memory_total.max(limits.memory),
    }
    reader.finish(diags);
    limits
}

impl LimitKey {
    fn read(&self, entry: &Entry, limits: &mut Limits, diags: &mut Diagnostics) {
        let what = format!("the limit `{}`", self.name);
        match self.field {
            Field::Bytes { least, set } => match entry.node.bytes(diags, &what) {
                Some(size) if size < least => {
                    let help = format!("write at least {least} (bytes)");
                    entry.node.invalid::<()>(diags, format!("{what} can't be {size} bytes"), help);
                }
                Some(size) => *set(limits) = size,
                None => {}
            },
            Field::Time { set } => match entry.node.duration(diags, &what) {
                Some(Duration::ZERO) => {
                    let help = "leave it out for the default, or write a longer time";
                    entry.node.invalid::<()>(diags, format!("{what} can't be zero"), help);
                }
                Some(time) => *set(limits) = time,
                None => {}
            },
            Field::TimeIfAny { set } => match entry.node.duration(diags, &what) {
                Some(Duration::ZERO) => {
                    let help = "leave it out for the default, or write a longer time";
                    entry.node.invalid::<()>(diags, format!("{what} can't be zero"), help);
                }
                Some(time) => *set(limits) = Some(time),
                None => {}
            },
            Field::Count { least, set } => {
                if let Some(number) = count_value(&entry.node, &what, least, diags) {
                    *set(limits) = number;
                }
            }
        }
    }
}

/// An integer from `least` to [`MAX_COUNT`].
fn count_value(node: &Node, what: &str, least: u32, diags: &mut Diagnostics) -> Option<u32> {
    let number = node.integer(diags, what)?;
    match u32::try_from(number) {
        Ok(count) if (least..=MAX_COUNT).contains(&count) => Some(count),
        _ => node.invalid(
            diags,
            format!("{what} can't be {number}"),
            format!("write a number from {least} to {MAX_COUNT}"),
        ),
    }
}

/// Reads a `reuse` table over the defaults.
pub(super) fn reuse(node: &Node, what: &str, diags: &mut Diagnostics) -> Reuse {
    let mut reuse = Reuse::default();
    let Some(mut reader) = node.reader(diags, what) else {
        return reuse;
    };
    let range = 1..=i64::from(MAX_COUNT);
    let concurrency = reader.integer("concurrency", range.clone(), diags).and_then(|number| u32::try_from(number).ok());
    let requests = reader.integer("requests", range, diags).and_then(|number| u32::try_from(number).ok());
    reuse.concurrency = concurrency.unwrap_or(reuse.concurrency);
    reuse.requests = requests.unwrap_or(reuse.requests);
    if let Some(idle) = reader.duration("idle", diags) {
        reuse.idle = idle;
    }
    if let Some(entry) = reader.entry("concurrency").filter(|_| reuse.concurrency > reuse.requests) {
        let message = format!(
            "an instance that serves {} at the same time must serve as many in all, but `requests` is {}",
            reuse.concurrency, reuse.requests
        );
        let help = format!("write requests = {} or more", reuse.concurrency);
        diags.push(Diagnostic::error(codes::INVALID_VALUE, message).at(entry.node.span).help(help));
    }
    reader.finish(diags);
    reuse
}
