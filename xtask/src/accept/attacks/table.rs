//! Rows as they come: what the attackers got, the neighbour before and meanwhile, memory, recovery; and in the end the whole as
//! JSON, if that was asked for.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use super::Options;
use super::judge::Row;
use super::vitals::Vitals;

fn say(json: bool, line: &str) {
    if json {
        eprintln!("{line}");
    } else {
        println!("{line}");
    }
}

pub fn head(json: bool, start: &Vitals) {
    let Vitals { resident, descriptors, threads, .. } = start;
    say(json, &format!("at the start: RSS {} MiB, {descriptors} descriptors, {threads} threads\n", resident / 1024));
    say(
        json,
        "attack                 neighbour p50/p99 ms          upstream  /livez   RSS/cap    recovered\n                       \
         alone      → beside           p99 ms    max ms   MiB                   attackers got",
    );
}

/// Something beside the rows.
pub fn note(json: bool, error: &anyhow::Error) {
    say(json, &format!("    NOTE   {error:#}"));
}

pub fn row(json: bool, row: &Row, timed: bool) {
    let ms = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1000.0);
    let (alone, beside) = (&row.alone.component, &row.beside.component);
    let recovered = row.recovered.as_ref().map_or("NO".to_owned(), |took| format!("{:.1} s", took.as_secs_f64()));
    let got = row.got.as_ref().map_or("—".to_owned(), Clone::clone);
    say(
        json,
        &format!(
            "{:22} {:>10} → {:<16} {:<9} {:<8} {:<10} {:<9} {got}",
            row.attack.name,
            format!("{}/{}", ms(alone.p50), ms(alone.p99)),
            format!("{}/{}", ms(beside.p50), ms(beside.p99)),
            ms(row.beside.upstream.p99),
            ms(row.beside.live.max),
            format!("{}/{}", row.most / 1024, row.cap / 1024),
            recovered,
        ),
    );
    for wrong in row.wrong() {
        say(json, &format!("    FAILED {wrong}"));
    }
    for slow in row.slow() {
        say(json, &format!("    {} {slow}", if timed { "FAILED" } else { "slow  " }));
    }
}

/// Prints the whole as JSON; fails when a case has failed, or the host did not end as it should.
pub fn finish(options: &Options, rows: &[Row], gone: Result<String>) -> Result<()> {
    let timed = !options.quick;
    let failed: Vec<&str> = rows
        .iter()
        .filter(|row| !row.wrong().is_empty() || (timed && !row.slow().is_empty()))
        .map(|row| row.attack.name)
        .collect();
    let slow = rows.iter().filter(|row| !row.slow().is_empty()).count();
    if options.json {
        let rows: Vec<_> = rows.iter().map(Row::json).collect();
        println!("{:#}", json!({ "timed": timed, "rows": rows, "failed": failed }));
    }
    let end = gone?;
    say(
        options.json,
        &format!("\n{} attacks, {} failed, {slow} above a bar of time; SIGTERM: {end}", rows.len(), failed.len()),
    );
    ensure!(failed.is_empty(), "{} of {} attacks failed: {}", failed.len(), rows.len(), failed.join(" "));
    Ok(())
}
