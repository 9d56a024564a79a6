//! What a request adds to the metrics when it ends: under one lock of its thread.

use super::names::Name;
use super::{Exemplar, Table};
use crate::kept::{error_type, method};
use crate::record::Record;
use crate::span::nanos;
use std::time::Duration;

impl Table {
    /// Counts a request that has ended. `exemplar`: its trace is kept, so that figures may point to it.
    pub fn ended(&mut self, record: &Record, exemplar: bool) {
        let route = record.route.as_deref().unwrap_or_default();
        let error = error_type(record);
        let error = error.as_ref().and_then(|error| error.as_str()).unwrap_or_default();
        let code = http::StatusCode::from_u16(record.status).ok();
        let status = code.as_ref().map_or("", http::StatusCode::as_str);
        let seconds = record.duration.as_secs_f64();
        let exemplar = exemplar.then(|| Exemplar {
            trace: record.trace_id,
            span: record.span_id,
            value: seconds,
            time: nanos(record.time),
        });
        let labels = [method(&record.method), route, status, error];
        self.observe(Name::RequestDuration, &labels, seconds, exemplar);
        if record.head != record.duration && record.status > 0 {
            self.observe(Name::RequestHead, &[route], record.head.as_secs_f64(), None);
        }
        if record.bytes_in > 0 {
            self.add(Name::BytesIn, &[route], float(record.bytes_in));
        }
        if record.bytes_out > 0 {
            self.add(Name::BytesOut, &[route], float(record.bytes_out));
        }
        if record.outcome != crate::record::Outcome::Complete {
            self.add(Name::Outcomes, &[route, record.outcome.name()], 1.0);
        }
        let to = record.destination.as_deref().unwrap_or_default();
        if let Some(from) = &record.fallback_from {
            self.add(Name::Fallback, &[from, to, record.error_type.unwrap_or_default()], 1.0);
        }
        if let Some(run) = &record.run {
            let component = [record.fallback_from.as_deref().unwrap_or(to)];
            self.observe(Name::CpuRequest, &component, run.cpu.as_secs_f64(), None);
            self.observe(Name::MemoryPeak, &component, float(run.memory), None);
            if run.wait > Duration::ZERO {
                self.observe(Name::Wait, &component, run.wait.as_secs_f64(), None);
            }
            if run.reused > 0 {
                self.add(Name::Reused, &component, 1.0);
            }
            if run.start > Duration::ZERO {
                self.observe(Name::ColdStart, &component, run.start.as_secs_f64(), None);
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has nothing but floats")]
fn float(n: u64) -> f64 {
    n as f64
}
