//! Our messages, read by the official Python classes, and theirs read by us. Needs Python with the package `opentelemetry-proto`; says
//! so when it is not there.

use crate::rig::{end, record, telemetry};
use coracle_telemetry::otlp;
use coracle_telemetry::receive::{Encoding, Signal};
use coracle_telemetry::{Log, Severity, Source};
use http::HeaderMap;
use prost::Message as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

/// A Python that has the package: of `CORACLE_TEST_PYTHON`, else `python3`.
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("CORACLE_TEST_PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    let has = Command::new(&python).args(["-c", "import opentelemetry.proto.trace.v1.trace_pb2"]).output();
    if has.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    println!(
        "SKIPPED: no Python with opentelemetry-proto (pip install opentelemetry-proto; CORACLE_TEST_PYTHON names it)"
    );
    None
}

fn run(python: &PathBuf, script: &str, dir: &tempfile::TempDir) -> String {
    let output = Command::new(python).args(["-c", script]).current_dir(dir.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn python_reads_what_we_write() {
    let Some(python) = python() else { return };
    let (telemetry, _) = telemetry(&[("OTEL_TRACES_SAMPLER", "always_on")]);
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap());
    headers.insert("tracestate", "vendor=1".parse().unwrap());
    end(&telemetry, record(5), &headers, 3);
    let kept = telemetry.store.requests.after(0, 9).remove(0).1;
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: Vec<u8>| std::fs::write(dir.path().join(name), bytes).unwrap();
    let traces = otlp::traces(telemetry.resource(), &kept.spans());
    write("traces.bin", traces.encode_to_vec());
    write("traces.json", serde_json::to_vec(&traces).unwrap());
    let metrics = otlp::metrics(telemetry.resource(), &telemetry.metrics.snapshot(), false);
    write("metrics.bin", metrics.encode_to_vec());
    let line = Log {
        time: 5,
        severity: Severity::Error,
        source: Source::Stdout,
        body: "hello".into(),
        name: Some(Arc::from("orders")),
        request: Some(kept.record.id),
        trace: Some(kept.record.trace_id),
        span: Some(kept.record.span_id),
        attributes: vec![],
    };
    write("logs.bin", otlp::logs(telemetry.resource(), &[Arc::new(line)]).encode_to_vec());
    let script = r#"
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as t
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as m
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as l
import json
trace = t.ExportTraceServiceRequest.FromString(open("traces.bin", "rb").read())
def unknown(message):
    from google.protobuf.unknown_fields import UnknownFieldSet
    assert not len(UnknownFieldSet(message)), message
    for field, value in message.ListFields():
        if field.message_type:
            for each in (value if hasattr(value, "__len__") else [value]):
                unknown(each)
unknown(trace)
spans = trace.resource_spans[0].scope_spans[0].spans
for span in spans:
    print("span", span.name, span.kind, span.parent_span_id.hex() or "-", span.trace_id.hex(), span.trace_state or "-",
          span.end_time_unix_nano >= span.start_time_unix_nano > 0)
parsed = json.load(open("traces.json"))
other = parsed["resourceSpans"][0]["scopeSpans"][0]["spans"]
assert [s["spanId"] for s in other] == [s.span_id.hex() for s in spans]
metrics = m.ExportMetricsServiceRequest.FromString(open("metrics.bin", "rb").read())
unknown(metrics)
for metric in metrics.resource_metrics[0].scope_metrics[0].metrics:
    if metric.name == "http.server.request.duration":
        point = metric.histogram.data_points[0]
        attributes = {a.key: a.value.string_value or a.value.int_value for a in point.attributes}
        print("metric", metric.unit, point.count, len(point.bucket_counts) - len(point.explicit_bounds),
              attributes["http.response.status_code"], point.exemplars[0].trace_id.hex())
logs = l.ExportLogsServiceRequest.FromString(open("logs.bin", "rb").read())
unknown(logs)
record = logs.resource_logs[0].scope_logs[0].log_records[0]
print("log", record.body.string_value, record.severity_text, record.trace_id.hex())
"#;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let (server, invoke) = (kept.spans()[0].id, kept.spans()[1].id);
    let calls = format!("span wasi:keyvalue get 3 {invoke} {trace} - True\n").repeat(3);
    let expected = format!(
        "span GET /orders/{{id}} 2 b7ad6b7169203331 {trace} vendor=1 True\n\
         span wasm.invoke orders 1 {server} {trace} - True\n\
         span wasm.instantiate orders 1 {invoke} {trace} - True\n{calls}\
         metric s 1 1 200 {trace}\nlog hello ERROR {trace}\n"
    );
    assert_eq!(run(&python, script, &dir), expected);
}

#[test]
fn we_read_what_python_writes() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let script = r#"
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as t
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as l
from google.protobuf.json_format import MessageToJson
import json, base64
trace, span = bytes.fromhex("0af7651916cd43dd8448eb211c80319c"), bytes.fromhex("b7ad6b7169203331")
request = t.ExportTraceServiceRequest()
group = request.resource_spans.add()
a = group.resource.attributes.add(); a.key = "service.name"; a.value.string_value = "web"
one = group.scope_spans.add().spans.add(trace_id=trace, span_id=span, name="click", kind=3,
                                         start_time_unix_nano=5_000_000_000, end_time_unix_nano=7_000_000_000)
a = one.attributes.add(); a.key = "n"; a.value.int_value = 7
a = one.attributes.add(); a.key = "list"; a.value.array_value.values.add().bool_value = True
one.events.add(name="e", time_unix_nano=6_000_000_000)
group.scope_spans[0].spans.add(trace_id=b"short", span_id=span, name="broken")
open("traces.bin", "wb").write(request.SerializeToString())
text = json.loads(MessageToJson(request))
for s in text["resourceSpans"][0]["scopeSpans"][0]["spans"]:
    s["traceId"] = base64.b64decode(s["traceId"]).hex(); s["spanId"] = base64.b64decode(s["spanId"]).hex()
    s["kind"] = 3
open("traces.json", "w").write(json.dumps(text))
logs = l.ExportLogsServiceRequest()
r = logs.resource_logs.add().scope_logs.add().log_records.add(severity_number=17, trace_id=trace)
r.body.string_value = "oh"
open("logs.bin", "wb").write(logs.SerializeToString())
"#;
    run(&python, script, &dir);
    let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    let (telemetry, _) = telemetry(&[]);
    for (name, encoding) in [("traces.bin", Encoding::Protobuf), ("traces.json", Encoding::Json)] {
        let answer = telemetry.receive(Signal::Traces, encoding, &read(name), 1).unwrap();
        match encoding {
            Encoding::Protobuf => {
                let partial = otlp::proto::Exported::decode(&answer[..]).unwrap().partial_success.unwrap();
                assert_eq!(partial.rejected, 1);
            }
            Encoding::Json => assert!(String::from_utf8(answer).unwrap().contains(r#""rejectedSpans":"1""#)),
        }
    }
    telemetry.receive(Signal::Logs, Encoding::Protobuf, &read("logs.bin"), 1).unwrap();
    let received = telemetry.store.received.after(0, 9);
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].1.span, received[1].1.span, "both encodings say the same");
    let trace = telemetry.store.trace(received[0].1.span.trace, telemetry.service()).unwrap();
    assert_eq!((&*trace.spans[0].service, trace.spans[0].duration_us), ("web", 2e6));
    assert_eq!(trace.logs[0].body, "oh");
}
