//! 256 connections against the hello guests and the shop: no answer but 2xx, no broken connection, memory flat.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Stage;
use super::report::Report;
use super::server::Server;
use super::wrk::{Counted, Memory, round};

/// A slow machine may take its time, but not for ever.
const MOST: Duration = Duration::from_secs(240);

/// What is asked for, how often, and what memory may do meanwhile.
struct Case {
    name: &'static str,
    path: &'static str,
    enough: u64,
    /// In MiB; flat when there is none.
    most: Option<u64>,
}

const HELLO: Case = Case { name: "/", path: "/", enough: 100_000, most: None };

/// Fewer where Node's own throughput is the limit, or the start of a JavaScript engine for each request.
const SHOP: [Case; 4] = [
    Case { name: "shop: a page (static)", path: "/", enough: 100_000, most: None },
    Case {
        name: "shop: a price (Rust, 0.3)",
        path: "/api/price/rope-mat?country=DE&qty=3",
        enough: 100_000,
        most: None,
    },
    Case { name: "shop: the catalogue (Node)", path: "/api/catalogue", enough: 20_000, most: None },
    // More than this component can do: then Node answers, which is what the fallback is for. Its 64 instances reach
    // their size only after half a minute, so memory is held against the most that a component may use.
    Case { name: "shop: a text (TypeScript, 0.2)", path: "/api/describe/guernsey", enough: 2_000, most: Some(1024) },
];

pub fn check(stage: &Stage, report: &mut Report) -> Result<()> {
    for set in ["p3", "p2"] {
        let name = format!("{set}/hello");
        let server = Server::component(stage, &format!("load-{set}"), &stage.guests.join(format!("{name}.wasm")))?;
        report.check(&name, || Ok(load(stage, &server, &HELLO)?.text));
        report.check("SIGTERM", || server.stop());
    }
    let server = Server::shop(stage, "load-shop", &[])?;
    for case in &SHOP {
        report.check(case.name, || {
            let before = fallbacks(&server)?;
            let Loaded { requests, text } = load(stage, &server, case)?;
            let away = fallbacks(&server)? - before;
            // A machine that others use too may leave one waiting for longer than it may.
            let few = away as u64 <= requests / 100;
            ensure!(few || case.most.is_some(), "{away} answers by the fallback: {text}");
            Ok(if away == 0 { text } else { format!("{text}\n{away} answers, warming up included, by the fallback") })
        });
    }
    report.check("SIGTERM", || server.stop());
    Ok(())
}

fn fallbacks(server: &Server) -> Result<usize> {
    Ok(server.access()?.matches(" (fallback from ").count())
}

/// What a load showed.
struct Loaded {
    requests: u64,
    text: String,
}

/// Rounds until there are enough requests and memory has come to rest.
fn load(stage: &Stage, server: &Server, case: &Case) -> Result<Loaded> {
    let (enough, warm, time) = if stage.quick { (case.enough / 10, 1, 3) } else { (case.enough, 3, 10) };
    let url = format!("{}{}", server.url, case.path);
    // Not counted: pools, connections and buffers reach their size.
    let begin = Instant::now();
    loop {
        let warmed = round(&url, Duration::from_secs(warm), None)?;
        warmed.clean()?;
        if warmed.requests > 0 {
            break;
        }
        ensure!(begin.elapsed() < MOST, "nothing was answered in {MOST:?}");
    }
    let mut counted = Counted::default();
    let memory = Memory::watch(server.process());
    let held = || match case.most {
        Some(most) => memory.at_most(most),
        None => memory.flat(),
    };
    // What grows without end is never flat; what a slow machine takes longer to reach, is in the end.
    while (counted.requests < enough || held().is_err())
        && begin.elapsed() < MOST
        && counted.refused + counted.broken == 0
    {
        counted.add(round(&url, Duration::from_secs(time), None)?);
    }
    let clean = counted.clean()?;
    ensure!(counted.requests >= enough, "{clean}, but in {:.0?} fewer than {enough}", begin.elapsed());
    Ok(Loaded { requests: counted.requests, text: format!("{clean}\n{}", held()?) })
}
