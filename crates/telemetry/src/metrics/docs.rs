//! The table of metrics for docs/telemetry.md, so that names are documented from the one list.

use super::names::{Kind, LIST, Metric};
use std::fmt::Write as _;

/// The line before the table, and the one after it.
pub const BEGIN: &str = "<!-- metrics: made from crates/telemetry/src/metrics/names.rs -->";
pub const END: &str = "<!-- metrics: end -->";

/// The table, in Markdown.
#[must_use]
pub fn table() -> String {
    let mut out = String::from("| Prometheus | OpenTelemetry | kind | labels | |\n|---|---|---|---|---|\n");
    for (_, Metric { name, kind, unit, labels, help }) in LIST {
        let metric = Metric { name, kind: *kind, unit, labels, help };
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let labels: Vec<String> = labels.iter().map(|label| format!("`{}`", label.replace('.', "_"))).collect();
        // Writing to a String can't fail.
        let _ =
            writeln!(out, "| `{}` | `{name}` ({unit}) | {kind} | {} | {help} |", metric.prometheus(), labels.join(" "));
    }
    out
}

/// The page with its table replaced; `None` when it has no place for one.
#[must_use]
pub fn renew(page: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{}{END}{after}", table()))
}
