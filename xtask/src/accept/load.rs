//! 256 connections against the hello guests and the shop: no answer but 2xx, no broken connection, memory flat.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Stage;
use super::report::Report;
use super::server::Server;
use super::wrk::{Counted, Memory, round};

/// A slow machine may take its time, but not for ever.
const MOST: Duration = Duration::from_secs(240);

/// What of the shop is asked for, and how often. Fewer where Node's own throughput is the limit, or the start of a
/// JavaScript engine for each request.
const SHOP: [(&str, &str, u64); 4] = [
    ("shop: a page (static)", "/", 100_000),
    ("shop: a price (Rust, 0.3)", "/api/price/rope-mat?country=DE&qty=3", 100_000),
    ("shop: the catalogue (Node)", "/api/catalogue", 20_000),
    (DEAR, "/api/describe/guernsey", 2_000),
];

/// More than its component can do; then Node answers, which is what the fallback is for.
const DEAR: &str = "shop: a text (TypeScript, 0.2)";

pub fn check(stage: &Stage, report: &mut Report) -> Result<()> {
    for set in ["p3", "p2"] {
        let name = format!("{set}/hello");
        let server = Server::component(stage, &format!("load-{set}"), &stage.guests.join(format!("{name}.wasm")))?;
        report.check(&name, || load(stage, &server, "/", 100_000));
        report.check("SIGTERM", || server.stop());
    }
    let server = Server::shop(stage, "load-shop", &[])?;
    for (name, path, enough) in SHOP {
        report.check(name, || {
            let before = fallbacks(&server)?;
            let text = load(stage, &server, path, enough)?;
            let away = fallbacks(&server)? - before;
            ensure!(away == 0 || name == DEAR, "{away} answers by the fallback: {text}");
            Ok(if away == 0 { text } else { format!("{text}\n{away} answers, warming up included, by the fallback") })
        });
    }
    report.check("SIGTERM", || server.stop());
    Ok(())
}

fn fallbacks(server: &Server) -> Result<usize> {
    Ok(server.access()?.matches(" (fallback from ").count())
}

/// Rounds until there are enough requests.
fn load(stage: &Stage, server: &Server, path: &str, enough: u64) -> Result<String> {
    let (enough, warm, time) = if stage.quick { (enough / 10, 1, 3) } else { (enough, 3, 10) };
    let url = format!("{}{path}", server.url);
    // Not counted: pools, connections and buffers reach their size.
    round(&url, Duration::from_secs(warm), None)?.clean()?;
    let mut counted = Counted::default();
    let memory = Memory::watch(server.process());
    let begin = Instant::now();
    while counted.requests < enough && begin.elapsed() < MOST && counted.refused + counted.broken == 0 {
        counted.add(round(&url, Duration::from_secs(time), None)?);
    }
    let flat = memory.flat();
    let clean = counted.clean()?;
    ensure!(counted.requests >= enough, "{clean}, but in {:.0?} fewer than {enough}", begin.elapsed());
    Ok(format!("{clean}\n{}", flat?))
}
