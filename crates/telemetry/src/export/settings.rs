//! The standard `OTEL_*` variables, read once, without side effects. Names and defaults are those of the OpenTelemetry specification
//! ("Environment Variable Specification", "OTLP Exporter"), with two exceptions, both documented: nothing is exported unless an
//! endpoint or an exporter is named, and without a sampler the first hundred requests of each second are sampled.

use crate::sample::Rule;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderName, HeaderValue, Uri};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Requests of a second that are sampled when nothing else is said.
pub const PER_SECOND: u32 = 100;

/// All that the variables say.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Nothing is measured, kept or sent.
    pub disabled: bool,
    /// `service.name` and the other resource attributes.
    pub resource: Vec<(String, String)>,
    pub traces: Option<Target>,
    pub metrics: Option<Target>,
    pub logs: Option<Target>,
    pub rule: Rule,
    pub by_parent: bool,
    pub propagate: Propagate,
    pub spans: Batch,
    pub lines: Batch,
    pub interval: Duration,
    pub delta: bool,
    pub exemplars: Exemplars,
    pub limits: Limits,
    /// A listener for scrapes of its own.
    pub prometheus: Option<SocketAddr>,
}

/// Which headers are read and passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Propagate {
    pub trace: bool,
    pub baggage: bool,
}

/// Which requests figures may point to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exemplars {
    Kept,
    All,
    None,
}

/// Where one kind of signal goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    pub protocol: Protocol,
    pub url: Uri,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub timeout: Duration,
    pub gzip: bool,
    /// PEM files: whom to believe, and who we are.
    pub certificate: Option<PathBuf>,
    pub client: Option<(PathBuf, PathBuf)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Grpc,
    Protobuf,
    Json,
}

/// How things are collected before they are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    pub queue: usize,
    pub size: usize,
    pub delay: Duration,
    pub timeout: Duration,
}

/// What a span or line may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a text.
    pub length: usize,
    pub attributes: usize,
    pub events: usize,
    pub links: usize,
    pub line_attributes: usize,
}

/// The variables on their way, and what is wrong with them.
struct Reader<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    complaints: Vec<String>,
}

impl Settings {
    /// Reads the variables that `get` finds. What can't be understood is told in a sentence each, and counts as unset, as the
    /// specification asks.
    #[must_use]
    pub fn read(get: &dyn Fn(&str) -> Option<String>) -> (Self, Vec<String>) {
        let mut reader = Reader { get, complaints: Vec::new() };
        let settings = reader.all();
        (settings, reader.complaints)
    }
}

impl Reader<'_> {
    fn text(&self, name: &str) -> Option<String> {
        (self.get)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn parsed<T>(&mut self, name: &str, what: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name)?;
        let value = parse(&text);
        if value.is_none() {
            // The value is not repeated: it may be a secret in the wrong place.
            self.complaints.push(format!("{name} is ignored: {what} is expected"));
        }
        value
    }

    fn millis(&mut self, name: &str, default: u64) -> Duration {
        let read = self.parsed(name, "a number of milliseconds", |text| text.parse().ok());
        Duration::from_millis(read.unwrap_or(default))
    }

    fn count(&mut self, name: &str) -> Option<usize> {
        self.parsed(name, "a number", |text| text.parse().ok())
    }

    fn flag(&mut self, name: &str) -> bool {
        // The specification: only `true`, in any case, is true.
        self.text(name).is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }

    fn all(&mut self) -> Settings {
        let (rule, by_parent) = self.sampler();
        let queue = |count: usize, default| if count == 0 { default } else { count };
        let mut batch = |prefix: &str, delay| {
            let most = self.count(&format!("{prefix}_MAX_QUEUE_SIZE")).map_or(2048, |count| queue(count, 2048));
            let size = self.count(&format!("{prefix}_MAX_EXPORT_BATCH_SIZE")).map_or(512, |count| queue(count, 512));
            Batch {
                queue: most,
                size: size.min(most),
                delay: self.millis(&format!("{prefix}_SCHEDULE_DELAY"), delay),
                timeout: self.millis(&format!("{prefix}_EXPORT_TIMEOUT"), 30_000),
            }
        };
        let (spans, lines) = (batch("OTEL_BSP", 5000), batch("OTEL_BLRP", 1000));
        let exporter = |reader: &mut Self, signal: &str| reader.exporters(signal);
        let (traces, metrics, logs) = (exporter(self, "TRACES"), exporter(self, "METRICS"), exporter(self, "LOGS"));
        let delta = self.parsed(
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
            "cumulative, delta or lowmemory",
            |text| match text.to_ascii_lowercase().as_str() {
                "cumulative" => Some(false),
                "delta" | "lowmemory" => Some(true),
                _ => None,
            },
        );
        let exemplars =
            self.parsed("OTEL_METRICS_EXEMPLAR_FILTER", "trace_based, always_on or always_off", |text| match text {
                "trace_based" => Some(Exemplars::Kept),
                "always_on" => Some(Exemplars::All),
                "always_off" => Some(Exemplars::None),
                _ => None,
            });
        Settings {
            disabled: self.flag("OTEL_SDK_DISABLED"),
            resource: self.resource(),
            traces: if traces.otlp { self.target("TRACES", "v1/traces") } else { None },
            metrics: if metrics.otlp { self.target("METRICS", "v1/metrics") } else { None },
            logs: if logs.otlp { self.target("LOGS", "v1/logs") } else { None },
            rule,
            by_parent,
            propagate: self.propagators(),
            spans,
            lines,
            interval: self.millis("OTEL_METRIC_EXPORT_INTERVAL", 60_000),
            delta: delta.unwrap_or(false),
            exemplars: exemplars.unwrap_or(Exemplars::Kept),
            limits: self.limits(),
            prometheus: if metrics.prometheus { self.prometheus() } else { None },
        }
    }

    fn limits(&mut self) -> Limits {
        let general_length = self.count("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT");
        let general_count = self.count("OTEL_ATTRIBUTE_COUNT_LIMIT");
        let length = self.count("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT").or(general_length);
        let line_length = self.count("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT");
        Limits {
            length: length.or(line_length).unwrap_or(usize::MAX),
            attributes: self.count("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT").or(general_count).unwrap_or(128),
            events: self.count("OTEL_SPAN_EVENT_COUNT_LIMIT").unwrap_or(128),
            links: self.count("OTEL_SPAN_LINK_COUNT_LIMIT").unwrap_or(128),
            line_attributes: self.count("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT").or(general_count).unwrap_or(128),
        }
    }

    fn resource(&mut self) -> Vec<(String, String)> {
        let listed = self.parsed("OTEL_RESOURCE_ATTRIBUTES", "a list key=value,key=value", pairs).unwrap_or_default();
        let mut resource = listed;
        if let Some(name) = self.text("OTEL_SERVICE_NAME") {
            resource.retain(|(key, _)| key != "service.name");
            resource.insert(0, ("service.name".to_owned(), name));
        }
        resource
    }

    fn sampler(&mut self) -> (Rule, bool) {
        let share = self.parsed("OTEL_TRACES_SAMPLER_ARG", "a share from 0 to 1", |text| {
            text.parse().ok().filter(|share| (0.0..=1.0).contains(share))
        });
        let rule = self.parsed("OTEL_TRACES_SAMPLER", "one of the built-in samplers", |text| {
            let (name, by_parent) = text.strip_prefix("parentbased_").map_or((text, false), |name| (name, true));
            match name {
                "always_on" => Some((Rule::All, by_parent)),
                "always_off" => Some((Rule::None, by_parent)),
                "traceidratio" => Some((Rule::Share(share.unwrap_or(1.0)), by_parent)),
                _ => None,
            }
        });
        rule.unwrap_or((Rule::PerSecond(PER_SECOND), true))
    }

    fn propagators(&mut self) -> Propagate {
        let list = self.text("OTEL_PROPAGATORS").unwrap_or_else(|| "tracecontext,baggage".to_owned());
        let mut propagate = Propagate { trace: false, baggage: false };
        for name in list.split(',').map(str::trim) {
            match name {
                "tracecontext" => propagate.trace = true,
                "baggage" => propagate.baggage = true,
                "none" | "" => {}
                other => self.complaints.push(format!(
                    "OTEL_PROPAGATORS: `{}` is not known here; tracecontext and baggage are",
                    other.escape_debug()
                )),
            }
        }
        propagate
    }

    fn prometheus(&mut self) -> Option<SocketAddr> {
        let host = self.parsed("OTEL_EXPORTER_PROMETHEUS_HOST", "an address", |text| match text {
            "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            text => text.parse().ok(),
        });
        let port = self.parsed("OTEL_EXPORTER_PROMETHEUS_PORT", "a port", |text| text.parse().ok());
        Some(SocketAddr::new(host.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), port.unwrap_or(9464)))
    }

    fn exporters(&mut self, signal: &str) -> Exporters {
        let variable = format!("OTEL_{signal}_EXPORTER");
        let Some(list) = self.text(&variable) else {
            let own = format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT");
            let otlp = self.text("OTEL_EXPORTER_OTLP_ENDPOINT").is_some() || self.text(&own).is_some();
            return Exporters { otlp, prometheus: false };
        };
        let mut exporters = Exporters { otlp: false, prometheus: false };
        for name in list.split(',').map(str::trim) {
            match name {
                "otlp" => exporters.otlp = true,
                "prometheus" if signal == "METRICS" => exporters.prometheus = true,
                "none" | "" => {}
                other => self
                    .complaints
                    .push(format!("{variable}: `{}` is not known here; otlp and none are", other.escape_debug())),
            }
        }
        exporters
    }

    /// The variable of this signal, or else the general one.
    fn either<T>(&mut self, signal: &str, name: &str, what: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let own = self.parsed(&format!("OTEL_EXPORTER_OTLP_{signal}_{name}"), what, &parse);
        own.or_else(|| self.parsed(&format!("OTEL_EXPORTER_OTLP_{name}"), what, &parse))
    }

    fn target(&mut self, signal: &str, path: &str) -> Option<Target> {
        let protocol = self.either(signal, "PROTOCOL", "grpc, http/protobuf or http/json", |text| match text {
            "grpc" => Some(Protocol::Grpc),
            "http/protobuf" => Some(Protocol::Protobuf),
            "http/json" => Some(Protocol::Json),
            _ => None,
        });
        let protocol = protocol.unwrap_or(Protocol::Protobuf);
        let insecure = self.either(signal, "INSECURE", "true or false", |text| Some(text.eq_ignore_ascii_case("true")));
        let default = if protocol == Protocol::Grpc { "http://localhost:4317" } else { "http://localhost:4318" };
        let url = |text: &str| url(text, insecure.unwrap_or(false));
        let own = self.parsed(&format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"), "a URL", url);
        let general = match &own {
            Some(_) => None,
            None => self.parsed("OTEL_EXPORTER_OTLP_ENDPOINT", "a URL", url),
        };
        let url = match (protocol, own, general) {
            (Protocol::Grpc, own, general) => own.or(general).or_else(|| url(default))?,
            (_, Some(own), _) => own,
            (_, None, general) => under(general.or_else(|| url(default))?, path)?,
        };
        let headers = self.either(signal, "HEADERS", "a list key=value,key=value", |text| {
            let header = |(key, value): (String, String)| {
                let mut value = HeaderValue::from_str(&value).ok()?;
                value.set_sensitive(true);
                Some((HeaderName::from_bytes(key.to_ascii_lowercase().as_bytes()).ok()?, value))
            };
            pairs(text)?.into_iter().map(header).collect::<Option<Vec<_>>>()
        });
        let timeout = self.either(signal, "TIMEOUT", "a number of milliseconds", |text| text.parse().ok());
        let gzip = self.either(signal, "COMPRESSION", "gzip or none", |text| match text {
            "gzip" => Some(true),
            "none" => Some(false),
            _ => None,
        });
        let path = |text: &str| Some(PathBuf::from(text));
        let certificate = self.either(signal, "CERTIFICATE", "a path", path);
        let key = self.either(signal, "CLIENT_KEY", "a path", path);
        let client = self.either(signal, "CLIENT_CERTIFICATE", "a path", path);
        Some(Target {
            protocol,
            url,
            headers: headers.unwrap_or_default(),
            timeout: Duration::from_millis(timeout.unwrap_or(10_000)),
            gzip: gzip.unwrap_or(false),
            certificate,
            client: client.zip(key),
        })
    }
}

/// Which exporters a signal has.
struct Exporters {
    otlp: bool,
    prometheus: bool,
}

/// `key=value,key=value`, percent-encoded.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let decode = |text: &str| percent_encoding::percent_decode_str(text.trim()).decode_utf8().ok().map(String::from);
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        Some((decode(key).filter(|key| !key.is_empty())?, decode(value)?))
    };
    text.split(',').filter(|pair| !pair.trim().is_empty()).map(pair).collect()
}

/// A URL; for gRPC also without a scheme, which is then said by `insecure`.
fn url(text: &str, insecure: bool) -> Option<Uri> {
    let with_scheme = match text.contains("://") {
        true => text.to_owned(),
        false => format!("{}://{text}", if insecure { "http" } else { "https" }),
    };
    let uri: Uri = with_scheme.parse().ok()?;
    let known = matches!(uri.scheme().map(Scheme::as_str), Some("http" | "https"));
    (known && uri.host().is_some_and(|host| !host.is_empty())).then_some(uri)
}

/// A path under a base URL, as the specification joins them.
fn under(base: Uri, path: &str) -> Option<Uri> {
    let mut parts = base.into_parts();
    let base = parts.path_and_query.as_ref().map_or("/", PathAndQuery::path);
    let joined = format!("{}/{path}", base.trim_end_matches('/'));
    parts.path_and_query = Some(joined.parse().ok()?);
    Uri::from_parts(parts).ok()
}
