//! The standard variables, one row a case.

use crate::rig::settings;
use coracle_telemetry::Rule;
use coracle_telemetry::export::settings::{Exemplars, Protocol, Target};
use std::time::Duration;

fn traces(variables: &[(&str, &str)]) -> Target {
    let (settings, complaints) = settings(variables);
    assert!(complaints.is_empty(), "{complaints:?}");
    settings.traces.expect("traces are exported")
}

#[test]
fn nothing_is_exported_unless_asked_for() {
    let (quiet, complaints) = settings(&[]);
    assert!(complaints.is_empty());
    assert_eq!((quiet.traces, quiet.metrics, quiet.logs), (None, None, None));
    assert_eq!((quiet.rule, quiet.by_parent), (Rule::PerSecond(100), true));
    assert_eq!(quiet.spans.queue, 2048);
    let (named, _) = settings(&[("OTEL_LOGS_EXPORTER", "otlp")]);
    assert_eq!(named.logs.unwrap().url, "http://localhost:4318/v1/logs");
    assert_eq!(named.traces, None);
    let (all, _) = settings(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"), ("OTEL_METRICS_EXPORTER", "none")]);
    assert!(all.traces.is_some() && all.logs.is_some() && all.metrics.is_none());
    assert!(settings(&[("OTEL_SDK_DISABLED", "TRUE")]).0.disabled);
    assert!(!settings(&[("OTEL_SDK_DISABLED", "1")]).0.disabled);
}

#[test]
fn endpoints() {
    let check = |variables: &[(&str, &str)], url: &str| assert_eq!(traces(variables).url, url, "{variables:?}");
    check(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318")], "http://c:4318/v1/traces");
    check(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c/base/")], "http://c/base/v1/traces");
    check(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://c/as/it/is")], "https://c/as/it/is");
    let both = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a"), ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://b/t")];
    check(&both, "http://b/t");
    let grpc = |endpoint, insecure| {
        traces(&[
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
            ("OTEL_EXPORTER_OTLP_INSECURE", insecure),
        ])
    };
    assert_eq!(grpc("c:4317", "true").url, "http://c:4317/");
    assert_eq!(grpc("c:4317", "false").url, "https://c:4317/");
    assert_eq!(grpc("http://c:4317", "false").protocol, Protocol::Grpc);
}

#[test]
fn one_signals_variable_wins() {
    let target = traces(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, X-Team=web"),
    ]);
    assert_eq!((target.protocol, target.timeout, target.gzip), (Protocol::Json, Duration::from_millis(2500), true));
    let headers: Vec<_> = target.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    assert_eq!(headers, [("api-key", "a b"), ("x-team", "web")]);
    assert!(!format!("{target:?}").contains("a b"), "a header may be a secret");
}

#[test]
fn samplers_and_the_rest() {
    let rule = |name, arg| {
        let (settings, _) = settings(&[("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", arg)]);
        (settings.rule, settings.by_parent)
    };
    assert_eq!(rule("always_on", ""), (Rule::All, false));
    assert_eq!(rule("parentbased_always_off", ""), (Rule::None, true));
    assert_eq!(rule("parentbased_traceidratio", "0.25"), (Rule::Share(0.25), true));
    let (read, complaints) = settings(&[
        ("OTEL_SERVICE_NAME", "shop"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,deployment.environment.name=test%2C1"),
        ("OTEL_METRICS_EXEMPLAR_FILTER", "always_off"),
        ("OTEL_PROPAGATORS", "tracecontext"),
        ("OTEL_METRICS_EXPORTER", "prometheus"),
        ("OTEL_EXPORTER_PROMETHEUS_PORT", "9999"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "64"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "5"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Delta"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "9000"),
    ]);
    assert!(complaints.is_empty(), "{complaints:?}");
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(read.resource, [pair("service.name", "shop"), pair("deployment.environment.name", "test,1")]);
    assert_eq!(read.exemplars, Exemplars::None);
    assert!(read.propagate.trace && !read.propagate.baggage && read.delta);
    assert_eq!(read.prometheus.unwrap().to_string(), "127.0.0.1:9999");
    assert_eq!((read.limits.length, read.limits.attributes, read.spans.size), (64, 5, 2048));
}

#[test]
fn what_cant_be_understood_is_told_and_counts_as_unset() {
    let (settings, complaints) = settings(&[
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_BSP_SCHEDULE_DELAY", "soon"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "tok-en-marked"),
        ("OTEL_LOGS_EXPORTER", "console"),
        ("OTEL_PROPAGATORS", "b3"),
    ]);
    assert_eq!(settings.rule, Rule::PerSecond(100));
    assert_eq!(settings.spans.delay, Duration::from_secs(5));
    assert!(settings.traces.unwrap().headers.is_empty() && settings.logs.is_none());
    for name in [
        "OTEL_TRACES_SAMPLER",
        "OTEL_BSP_SCHEDULE_DELAY",
        "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_LOGS_EXPORTER",
        "OTEL_PROPAGATORS",
    ] {
        assert!(complaints.iter().any(|complaint| complaint.starts_with(name)), "{name}: {complaints:?}");
    }
    assert!(!complaints.iter().any(|complaint| complaint.contains("marked")), "a value may be a secret");
}
