//! The messages of OTLP 1.x that are sent and received, for protobuf and for its JSON mapping alike.
//!
//! Written by hand rather than taken from `opentelemetry-proto`: that crate brings the API, the SDK and a second random number
//! generator along for the same structs. Tags are those of opentelemetry-proto 1.7; a test has the official Python classes read what
//! is written here.

use super::json;
use serde::{Deserialize, Serialize};

macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_attr:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub struct $name { $($(#[$field_attr])* pub $field: $type,)* }
    )*};
}

messages! {
    Traces { #[prost(message, repeated, tag = "1")] resource_spans: Vec<ResourceSpans>, }
    ResourceSpans {
        #[prost(message, optional, tag = "1")]
        resource: Option<Resource>,
        #[prost(message, repeated, tag = "2")]
        scope_spans: Vec<ScopeSpans>,
    }
    ScopeSpans {
        #[prost(message, optional, tag = "1")]
        scope: Option<Instrumentation>,
        #[prost(message, repeated, tag = "2")]
        spans: Vec<Span>,
    }
    Span {
        #[prost(bytes = "vec", tag = "1")]
        #[serde(with = "json::hex")]
        trace_id: Vec<u8>,
        #[prost(bytes = "vec", tag = "2")]
        #[serde(with = "json::hex")]
        span_id: Vec<u8>,
        #[prost(string, tag = "3")]
        trace_state: String,
        #[prost(bytes = "vec", tag = "4")]
        #[serde(with = "json::hex")]
        parent_span_id: Vec<u8>,
        #[prost(fixed32, tag = "16")]
        flags: u32,
        #[prost(string, tag = "5")]
        name: String,
        #[prost(int32, tag = "6")]
        kind: i32,
        #[prost(fixed64, tag = "7")]
        #[serde(with = "json::number")]
        start_time_unix_nano: u64,
        #[prost(fixed64, tag = "8")]
        #[serde(with = "json::number")]
        end_time_unix_nano: u64,
        #[prost(message, repeated, tag = "9")]
        attributes: Vec<KeyValue>,
        #[prost(uint32, tag = "10")]
        dropped_attributes_count: u32,
        #[prost(message, repeated, tag = "11")]
        events: Vec<Event>,
        #[prost(uint32, tag = "12")]
        dropped_events_count: u32,
        #[prost(message, repeated, tag = "13")]
        links: Vec<Link>,
        #[prost(uint32, tag = "14")]
        dropped_links_count: u32,
        #[prost(message, optional, tag = "15")]
        status: Option<Status>,
    }
    Event {
        #[prost(fixed64, tag = "1")]
        #[serde(with = "json::number")]
        time_unix_nano: u64,
        #[prost(string, tag = "2")]
        name: String,
        #[prost(message, repeated, tag = "3")]
        attributes: Vec<KeyValue>,
    }
    Link {
        #[prost(bytes = "vec", tag = "1")]
        #[serde(with = "json::hex")]
        trace_id: Vec<u8>,
        #[prost(bytes = "vec", tag = "2")]
        #[serde(with = "json::hex")]
        span_id: Vec<u8>,
        #[prost(message, repeated, tag = "4")]
        attributes: Vec<KeyValue>,
    }
    Status {
        #[prost(string, tag = "2")]
        message: String,
        #[prost(int32, tag = "3")]
        code: i32,
    }

    Metrics { #[prost(message, repeated, tag = "1")] resource_metrics: Vec<ResourceMetrics>, }
    ResourceMetrics {
        #[prost(message, optional, tag = "1")]
        resource: Option<Resource>,
        #[prost(message, repeated, tag = "2")]
        scope_metrics: Vec<ScopeMetrics>,
    }
    ScopeMetrics {
        #[prost(message, optional, tag = "1")]
        scope: Option<Instrumentation>,
        #[prost(message, repeated, tag = "2")]
        metrics: Vec<Metric>,
    }
    Metric {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(string, tag = "2")]
        description: String,
        #[prost(string, tag = "3")]
        unit: String,
        #[prost(oneof = "Data", tags = "5, 7, 9")]
        #[serde(flatten)]
        data: Option<Data>,
    }
    Gauge { #[prost(message, repeated, tag = "1")] data_points: Vec<NumberPoint>, }
    Sum {
        #[prost(message, repeated, tag = "1")]
        data_points: Vec<NumberPoint>,
        #[prost(int32, tag = "2")]
        aggregation_temporality: i32,
        #[prost(bool, tag = "3")]
        is_monotonic: bool,
    }
    Histogram {
        #[prost(message, repeated, tag = "1")]
        data_points: Vec<HistogramPoint>,
        #[prost(int32, tag = "2")]
        aggregation_temporality: i32,
    }
    NumberPoint {
        #[prost(message, repeated, tag = "7")]
        attributes: Vec<KeyValue>,
        #[prost(fixed64, tag = "2")]
        #[serde(with = "json::number")]
        start_time_unix_nano: u64,
        #[prost(fixed64, tag = "3")]
        #[serde(with = "json::number")]
        time_unix_nano: u64,
        #[prost(double, optional, tag = "4")]
        as_double: Option<f64>,
    }
    HistogramPoint {
        #[prost(message, repeated, tag = "9")]
        attributes: Vec<KeyValue>,
        #[prost(fixed64, tag = "2")]
        #[serde(with = "json::number")]
        start_time_unix_nano: u64,
        #[prost(fixed64, tag = "3")]
        #[serde(with = "json::number")]
        time_unix_nano: u64,
        #[prost(fixed64, tag = "4")]
        #[serde(with = "json::number")]
        count: u64,
        #[prost(double, optional, tag = "5")]
        sum: Option<f64>,
        #[prost(fixed64, repeated, tag = "6")]
        #[serde(with = "json::numbers")]
        bucket_counts: Vec<u64>,
        #[prost(double, repeated, tag = "7")]
        explicit_bounds: Vec<f64>,
        #[prost(message, repeated, tag = "8")]
        exemplars: Vec<Exemplar>,
    }
    Exemplar {
        #[prost(fixed64, tag = "2")]
        #[serde(with = "json::number")]
        time_unix_nano: u64,
        #[prost(double, optional, tag = "3")]
        as_double: Option<f64>,
        #[prost(bytes = "vec", tag = "4")]
        #[serde(with = "json::hex")]
        span_id: Vec<u8>,
        #[prost(bytes = "vec", tag = "5")]
        #[serde(with = "json::hex")]
        trace_id: Vec<u8>,
    }

    Logs { #[prost(message, repeated, tag = "1")] resource_logs: Vec<ResourceLogs>, }
    ResourceLogs {
        #[prost(message, optional, tag = "1")]
        resource: Option<Resource>,
        #[prost(message, repeated, tag = "2")]
        scope_logs: Vec<ScopeLogs>,
    }
    ScopeLogs {
        #[prost(message, optional, tag = "1")]
        scope: Option<Instrumentation>,
        #[prost(message, repeated, tag = "2")]
        log_records: Vec<LogRecord>,
    }
    LogRecord {
        #[prost(fixed64, tag = "1")]
        #[serde(with = "json::number")]
        time_unix_nano: u64,
        #[prost(fixed64, tag = "11")]
        #[serde(with = "json::number")]
        observed_time_unix_nano: u64,
        #[prost(int32, tag = "2")]
        severity_number: i32,
        #[prost(string, tag = "3")]
        severity_text: String,
        #[prost(message, optional, tag = "5")]
        body: Option<AnyValue>,
        #[prost(message, repeated, tag = "6")]
        attributes: Vec<KeyValue>,
        #[prost(fixed32, tag = "8")]
        flags: u32,
        #[prost(bytes = "vec", tag = "9")]
        #[serde(with = "json::hex")]
        trace_id: Vec<u8>,
        #[prost(bytes = "vec", tag = "10")]
        #[serde(with = "json::hex")]
        span_id: Vec<u8>,
    }

    Resource { #[prost(message, repeated, tag = "1")] attributes: Vec<KeyValue>, }
    Instrumentation {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(string, tag = "2")]
        version: String,
    }
    KeyValue {
        #[prost(string, tag = "1")]
        key: String,
        #[prost(message, optional, tag = "2")]
        value: Option<AnyValue>,
    }
    AnyValue {
        #[prost(oneof = "Any", tags = "1, 2, 3, 4, 5, 6, 7")]
        #[serde(flatten)]
        value: Option<Any>,
    }
    ArrayValue { #[prost(message, repeated, tag = "1")] values: Vec<AnyValue>, }
    KeyValueList { #[prost(message, repeated, tag = "1")] values: Vec<KeyValue>, }

    /// The answer to each kind of export; the number's name differs by kind, its tag does not.
    Exported { #[prost(message, optional, tag = "1")] partial_success: Option<Partial>, }
    Partial {
        #[prost(int64, tag = "1")]
        #[serde(with = "json::number", alias = "rejectedSpans", alias = "rejectedDataPoints", alias = "rejectedLogRecords")]
        rejected: i64,
        #[prost(string, tag = "2")]
        error_message: String,
    }
}

/// The points of a metric.
#[derive(Clone, PartialEq, prost::Oneof, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Data {
    #[prost(message, tag = "5")]
    Gauge(Gauge),
    #[prost(message, tag = "7")]
    Sum(Sum),
    #[prost(message, tag = "9")]
    Histogram(Histogram),
}

/// A value of any type.
#[derive(Clone, PartialEq, prost::Oneof, Serialize, Deserialize)]
pub enum Any {
    #[prost(string, tag = "1")]
    #[serde(rename = "stringValue")]
    String(String),
    #[prost(bool, tag = "2")]
    #[serde(rename = "boolValue")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    #[serde(rename = "intValue", with = "json::number")]
    Int(i64),
    #[prost(double, tag = "4")]
    #[serde(rename = "doubleValue", with = "json::double")]
    Double(f64),
    #[prost(message, tag = "5")]
    #[serde(rename = "arrayValue")]
    Array(ArrayValue),
    #[prost(message, tag = "6")]
    #[serde(rename = "kvlistValue")]
    List(KeyValueList),
    #[prost(bytes = "vec", tag = "7")]
    #[serde(rename = "bytesValue", with = "json::base64")]
    Bytes(Vec<u8>),
}

/// Sums that start at the beginning, or at the last export.
pub const DELTA: i32 = 1;
pub const CUMULATIVE: i32 = 2;
