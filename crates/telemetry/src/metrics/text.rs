//! Metrics as text: OpenMetrics 1.0 with exemplars, or what Prometheus read before it (0.0.4), as the scraper asks.

use super::names::{Kind, Metric, Name};
use super::{Exemplar, Figure, Histogram, Labels, Snapshot};
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// Which of the two texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    OpenMetrics,
    Prometheus,
}

impl Dialect {
    /// What an `Accept` header asks for.
    #[must_use]
    pub fn asked(accept: Option<&str>) -> Self {
        let open = accept.is_some_and(|accept| accept.contains("application/openmetrics-text"));
        if open { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// The value of `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// The whole text. `resource` is said once, as `target_info`.
#[must_use]
pub fn write(snapshot: &Snapshot, resource: &[(String, String)], dialect: Dialect) -> String {
    let mut out = String::with_capacity(16 * 1024);
    // Writing to a String can't fail.
    let _ = all(&mut out, snapshot, resource, dialect);
    out
}

fn all(out: &mut String, snapshot: &Snapshot, resource: &[(String, String)], dialect: Dialect) -> fmt::Result {
    let mut families: BTreeMap<Name, Vec<(&Labels, &Figure)>> = BTreeMap::new();
    for ((name, labels), figure) in &snapshot.series {
        families.entry(*name).or_default().push((labels, figure));
    }
    for (name, series) in families {
        let metric = name.metric();
        head(out, metric, dialect)?;
        for (labels, figure) in series {
            let labels = Shown { names: metric.labels, values: labels };
            match (figure, metric.kind) {
                (Figure::Number(n), _) => writeln!(out, "{}{} {n}", metric.prometheus(), labels.braced(None))?,
                (Figure::Histogram(histogram), Kind::Histogram(bounds)) => {
                    buckets(out, &metric.family(), &labels, (histogram, bounds), dialect)?;
                }
                (Figure::Histogram(_), _) => {}
            }
        }
    }
    if dialect == Dialect::OpenMetrics {
        out.push_str("# TYPE target info\n# HELP target What is measured.\n");
    } else {
        out.push_str("# HELP target_info What is measured.\n# TYPE target_info gauge\n");
    }
    let names: Vec<String> =
        resource.iter().map(|(key, _)| key.replace(|c: char| !c.is_ascii_alphanumeric(), "_")).collect();
    let pairs: Vec<String> =
        names.iter().zip(resource).map(|(key, (_, value))| format!("{key}=\"{}\"", Escaped(value))).collect();
    writeln!(out, "target_info{{{}}} 1", pairs.join(","))?;
    if dialect == Dialect::OpenMetrics {
        out.push_str("# EOF\n");
    }
    Ok(())
}

fn head(out: &mut String, metric: &Metric, dialect: Dialect) -> fmt::Result {
    let kind = match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram(_) => "histogram",
    };
    let name = match dialect {
        Dialect::OpenMetrics => metric.family(),
        Dialect::Prometheus => metric.prometheus(),
    };
    // The older dialect knows no quotes that would have to be escaped here. Our help has neither backslashes nor line feeds.
    match dialect {
        Dialect::OpenMetrics => writeln!(out, "# HELP {name} {}", Escaped(metric.help))?,
        Dialect::Prometheus => writeln!(out, "# HELP {name} {}", metric.help)?,
    }
    writeln!(out, "# TYPE {name} {kind}")?;
    match metric.unit_word() {
        Some(unit) if dialect == Dialect::OpenMetrics && name.ends_with(unit) => writeln!(out, "# UNIT {name} {unit}"),
        _ => Ok(()),
    }
}

fn buckets(
    out: &mut String,
    family: &str,
    labels: &Shown<'_>,
    (histogram, bounds): (&Histogram, &[f64]),
    dialect: Dialect,
) -> fmt::Result {
    let mut below = 0;
    let bounds = bounds.iter().map(|bound| bound_text(*bound)).chain(["+Inf".to_owned()]);
    for ((count, exemplar), bound) in histogram.buckets.iter().zip(&histogram.exemplars).zip(bounds) {
        below += count;
        write!(out, "{family}_bucket{} {below}", labels.braced(Some(&bound)))?;
        if let (Some(exemplar), Dialect::OpenMetrics) = (exemplar, dialect) {
            exemplar_text(out, exemplar)?;
        }
        out.push('\n');
    }
    writeln!(out, "{family}_sum{} {}", labels.braced(None), histogram.sum)?;
    writeln!(out, "{family}_count{} {below}", labels.braced(None))
}

/// OpenMetrics wants bounds as floats.
fn bound_text(bound: f64) -> String {
    if bound.fract() == 0.0 { format!("{bound:.1}") } else { bound.to_string() }
}

fn exemplar_text(out: &mut String, exemplar: &Exemplar) -> fmt::Result {
    let Exemplar { trace, span, value, time } = exemplar;
    let (seconds, millis) = (time / 1_000_000_000, time / 1_000_000 % 1000);
    write!(out, " # {{trace_id=\"{trace}\",span_id=\"{span}\"}} {value} {seconds}.{millis:03}")
}

/// Labels in braces. Empty values are left out: Prometheus takes both for the same.
struct Shown<'a> {
    names: &'a [&'a str],
    values: &'a Labels,
}

impl Shown<'_> {
    fn braced(&self, bound: Option<&str>) -> String {
        let given = self.names.iter().zip(self.values).filter(|(_, value)| !value.is_empty());
        let pairs = given.map(|(name, value)| format!("{}=\"{}\"", name.replace('.', "_"), Escaped(value)));
        let pairs: Vec<String> = pairs.chain(bound.map(|bound| format!("le=\"{bound}\""))).collect();
        if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
    }
}

struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            c => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Dialect, write};
    use crate::id::{RequestId, SpanId, TraceId};
    use crate::metrics::names::Name;
    use crate::metrics::{Exemplar, Metrics};

    #[test]
    fn both_dialects() {
        let metrics = Metrics::default();
        metrics.add(Name::Trap, &["a\"b\\", "unreachable"], 2.0);
        let (trace, span) = (TraceId::of(RequestId(5)), SpanId::nth(RequestId(5), 0));
        let exemplar = Exemplar { trace, span, value: 0.007, time: 1_700_000_000_123_000_000 };
        metrics.with(|table| table.observe(Name::RequestHead, &["GET /x"], 0.007, Some(exemplar)));
        let resource = [("service.name".to_owned(), "shop".to_owned())];
        let open = write(&metrics.snapshot(), &resource, Dialect::OpenMetrics);
        assert!(open.contains("# TYPE wasm_trap counter\n"), "{open}");
        assert!(open.contains(r#"wasm_trap_total{component="a\"b\\",kind="unreachable"} 2"#), "{open}");
        assert!(open.contains("# UNIT coracle_request_head_duration_seconds seconds\n"), "{open}");
        let bucket = format!(
            "coracle_request_head_duration_seconds_bucket{{http_route=\"GET /x\",le=\"0.01\"}} 1 # {{trace_id=\"{trace}\",span_id=\"{span}\"}} 0.007 1700000000.123\n"
        );
        assert!(open.contains(&bucket), "{open}");
        assert!(open.ends_with("target_info{service_name=\"shop\"} 1\n# EOF\n"), "{open}");
        let old = write(&metrics.snapshot(), &resource, Dialect::Prometheus);
        assert!(old.contains("# TYPE wasm_trap_total counter\n") && !old.contains("trace_id") && !old.contains("EOF"));
        assert_eq!(Dialect::asked(Some("application/openmetrics-text;version=1.0.0,*/*;q=0.1")), Dialect::OpenMetrics);
    }
}
