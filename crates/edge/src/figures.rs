//! Figures that nobody counts because they are known anyway: what is running, loaded and waiting at this moment. Added to the metrics
//! whenever somebody looks: a scrape, an export, a page.

use crate::health::Health;
use crate::live::Live;
use crate::settings::Settings;
use coracle_telemetry::Telemetry;
use coracle_telemetry::export::NotStarted;
use coracle_telemetry::metrics::Snapshot;
use coracle_telemetry::metrics::names::Name;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::UNIX_EPOCH;

/// Components beyond these are not looked at one by one: of a folder there may be thousands, most of them asleep.
const COMPONENTS: usize = 500;

/// Begins to send what is measured, if a collector is named.
///
/// # Errors
/// When the collector can't be used as it is named.
pub fn export(live: &Arc<Live>, settings: &Settings) -> Result<(), NotStarted> {
    let (Some(telemetry), Some(asked)) = (&live.telemetry, &settings.telemetry) else { return Ok(()) };
    telemetry.name(&live.state.load().app.name);
    crate::logging::keep(telemetry);
    let (weak, metrics) = (Arc::downgrade(live), Arc::clone(&telemetry.metrics));
    let look = move || match weak.upgrade() {
        Some(live) => live.telemetry.as_ref().map_or_else(|| metrics.snapshot(), |telemetry| now(&live, telemetry)),
        None => metrics.snapshot(),
    };
    telemetry.export(asked, Arc::new(look))
}

/// All figures of this moment.
#[must_use]
pub fn now(live: &Live, telemetry: &Telemetry) -> Snapshot {
    let mut snapshot = telemetry.metrics.snapshot();
    let state = live.state.load_full();
    for (name, loaded) in state.all_components().take(COMPONENTS) {
        component(&mut snapshot, &name, loaded);
    }
    for (name, loaded) in state.all_upstreams().take(COMPONENTS) {
        let up = matches!(loaded.upstream.health(), Health::Ready);
        snapshot.set(Name::UpstreamUp, &[&name], if up { 1.0 } else { 0.0 });
    }
    let mapped = live.engine.mapped();
    let (used, most) = live.engine.slots();
    let began = telemetry.metrics.began.duration_since(UNIX_EPOCH).unwrap_or_default();
    snapshot.set(Name::Active, &[], float(live.counts.running.load(Relaxed)));
    snapshot.set(Name::Mapped, &[], float(mapped.images as u64));
    snapshot.set(Name::MappedBytes, &[], float(mapped.bytes));
    snapshot.set(Name::Slots, &["used"], f64::from(used));
    snapshot.set(Name::Slots, &["free"], f64::from(most.saturating_sub(used)));
    snapshot.set(Name::HostMemory, &[], float(live.engine.memory_used()));
    snapshot.set(Name::Tunnels, &[], float(live.tunnels.open() as u64));
    snapshot.set(Name::Generation, &[], float(state.generation));
    snapshot.set(Name::Started, &[], began.as_secs_f64());
    snapshot
}

fn component(snapshot: &mut Snapshot, name: &str, loaded: &crate::state::LoadedComponent) {
    let pool = &loaded.component.pool;
    let (status, limits) = (pool.status(), pool.limits());
    let label = [name];
    snapshot.set(Name::Running, &label, f64::from(status.running));
    snapshot.set(Name::Waiting, &label, float(status.waiting as u64));
    snapshot.set(Name::Places, &label, f64::from(limits.concurrency));
    snapshot.set(Name::Memory, &label, float(status.memory));
    snapshot.set(Name::MemoryLimit, &label, float(limits.memory_total));
    snapshot.set(Name::Live, &label, float(status.live as u64));
    snapshot.set(Name::Collateral, &label, float(status.collateral));
    snapshot.set(Name::Replayed, &label, float(status.replayed));
    // The sum of what requests took is the component's CPU time.
    let spent = snapshot.of(Name::CpuRequest).find(|(labels, _)| labels.first().is_some_and(|label| &**label == name));
    if let Some((_, coracle_telemetry::metrics::Figure::Histogram(histogram))) = spent {
        let seconds = histogram.sum;
        snapshot.set(Name::Cpu, &label, seconds);
    }
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has nothing but floats")]
fn float(n: u64) -> f64 {
    n as f64
}
