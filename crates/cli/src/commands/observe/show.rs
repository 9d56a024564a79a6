//! Figures, lines and traces in columns.

use crate::output::{BAD, DOUBTFUL, STRONG};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

/// Columns of a bar.
const BAR: usize = 40;

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, key: &str) -> f64 {
    value.get(key).and_then(Value::as_f64).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> impl DoubleEndedIterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// Microseconds as people read them.
fn micros(us: f64) -> String {
    match us {
        us if us < 1000.0 => format!("{us:.0} µs"),
        us if us < 1e6 => format!("{:.2} ms", us / 1000.0),
        us => format!("{:.2} s", us / 1e6),
    }
}

fn seconds(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_f64).map_or_else(|| "–".to_owned(), |seconds| micros(seconds * 1e6))
}

/// Milliseconds since 1970 as the time of the day, in UTC.
fn clock(ms: f64) -> String {
    let time = UNIX_EPOCH + Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default();
    let text = humantime::format_rfc3339_millis(time).to_string();
    text.get(11..23).unwrap_or_default().to_owned()
}

/// Control characters of others must not steer the terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { '·' } else { c }).collect()
}

/// Rate, errors and duration by route.
pub fn overview(value: &Value) -> String {
    let mut out = String::new();
    let state = if value.get("ready").and_then(Value::as_bool) == Some(true) { "ready" } else { "not ready" };
    // Writing to a String can't fail.
    let _ = writeln!(
        out,
        "{STRONG}{}{STRONG:#} {state}, {} running, {} since the start, {} failed",
        text(value, "app"),
        number(value, "running"),
        number(value, "total"),
        number(value, "failed")
    );
    let _ = writeln!(
        out,
        "\n{STRONG}{:<32} {:>9} {:>9} {:>8} {:>10} {:>10} {:>10}{STRONG:#}",
        "route", "now", "requests", "errors", "median", "p95", "p99"
    );
    let last = list(value, "points").next_back();
    let routes = value.get("routes").and_then(Value::as_object);
    for (route, red) in routes.into_iter().flatten() {
        let recent = last.and_then(|point| point.get("routes")?.get(route));
        let long = last.map_or(1.0, |point| number(point, "seconds").max(0.001));
        let rate = recent.map_or(0.0, |red| number(red, "requests") / long);
        let errors = number(red, "errors");
        let style = if errors > 0.0 { BAD } else { anstyle_none() };
        let name = if route.is_empty() { "(no route)" } else { route };
        let _ = writeln!(
            out,
            "{:<32} {rate:>7.1}/s {:>9} {style}{errors:>8}{style:#} {:>10} {:>10} {:>10}",
            plain(name),
            number(red, "requests"),
            seconds(red, "p50"),
            seconds(red, "p95"),
            seconds(red, "p99")
        );
    }
    out
}

fn anstyle_none() -> clap::builder::styling::Style {
    clap::builder::styling::Style::new()
}

/// A line.
pub fn line(line: &Value) -> String {
    let style = match text(line, "severity") {
        "warn" => DOUBTFUL,
        "error" | "fatal" => BAD,
        _ => anstyle_none(),
    };
    let name = line.get("name").and_then(Value::as_str).unwrap_or_else(|| text(line, "source"));
    let id = text(line, "request").get(..8).unwrap_or_default();
    format!(
        "{} {style}{:<5}{style:#} {:<12} {id:<8} {style}{}{style:#}\n",
        clock(number(line, "time")),
        text(line, "severity"),
        plain(name),
        plain(text(line, "body"))
    )
}

/// The last traces.
pub fn traces(traces: &Value) -> String {
    let mut out = String::new();
    for trace in traces.as_array().into_iter().flatten() {
        let errors = number(trace, "errors");
        let style = if errors > 0.0 { BAD } else { anstyle_none() };
        let services: Vec<&str> = list(trace, "services").filter_map(Value::as_str).collect();
        let _ = writeln!(
            out,
            "{} {} {:>10} {:>4} spans  {style}{}{style:#}  {}",
            clock(number(trace, "start") / 1000.0),
            text(trace, "trace"),
            micros(number(trace, "duration_us")),
            number(trace, "spans"),
            plain(text(trace, "name")),
            plain(&services.join(", "))
        );
    }
    if out.is_empty() { "no trace is kept yet\n".to_owned() } else { out }
}

/// One trace over time.
pub fn trace(trace: &Value) -> String {
    let mut out = String::new();
    let spans: Vec<&Value> = list(trace, "spans").collect();
    let (start, total) = (number(trace, "start"), number(trace, "duration_us").max(1.0));
    let _ = writeln!(out, "{STRONG}trace {}{STRONG:#}  {} spans, {}", text(trace, "trace"), spans.len(), micros(total));
    let mut children: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    let known = |id: &str| spans.iter().any(|span| text(span, "id") == id);
    for span in &spans {
        let parent = text(span, "parent");
        children.entry(if known(parent) { parent } else { "" }).or_default().push(span);
    }
    // What is to be shown next stands last.
    let mut open: Vec<(&Value, usize)> = Vec::new();
    let push = |open: &mut Vec<_>, of: &str, depth| {
        open.extend(children.get(of).into_iter().flatten().rev().map(|span| (*span, depth)));
    };
    push(&mut open, "", 0);
    while let Some((span, depth)) = open.pop() {
        let (begin, took) = (number(span, "start") - start, number(span, "duration_us"));
        let failed = span.get("error").is_some_and(Value::is_string);
        let style = if failed { BAD } else { anstyle_none() };
        let name = format!("{}{}", "  ".repeat(depth), plain(text(span, "name")));
        let _ = writeln!(out, "{style}{name:<44}{style:#} |{}| {:>10}", bar(begin / total, took / total), micros(took));
        if depth < 64 {
            push(&mut open, text(span, "id"), depth + 1);
        }
    }
    list(trace, "logs").for_each(|log| out.push_str(&line(log)));
    out
}

/// A bar from a share of the width on, of a share of it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "columns of a terminal"
)]
fn bar(from: f64, share: f64) -> String {
    let column = |share: f64| ((share.clamp(0.0, 1.0) * BAR as f64).round() as usize).min(BAR);
    let begin = column(from).min(BAR - 1);
    let long = column(share).clamp(1, BAR - begin);
    format!("{}{}{}", " ".repeat(begin), "█".repeat(long), " ".repeat(BAR - begin - long))
}

/// The stacks of a profile, with their weights.
pub fn stacks(profile: &Value) -> impl Iterator<Item = (&Value, u64)> {
    list(profile, "stacks").map(|stack| (stack, stack.get("weight").and_then(Value::as_u64).unwrap_or_default()))
}

/// The functions in which most time was spent, by themselves.
pub fn profile(profile: &Value) -> String {
    let frames: Vec<&str> = list(profile, "frames").filter_map(Value::as_str).collect();
    let mut own: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let mut total = 0;
    for (stack, weight) in stacks(profile) {
        let last = list(stack, "frames").next_back().and_then(Value::as_u64).and_then(|at| usize::try_from(at).ok());
        let name = last.and_then(|at| frames.get(at).copied()).unwrap_or("?");
        *own.entry((text(stack, "component"), name)).or_default() += weight;
        total += weight;
    }
    let mut all: Vec<_> = own.into_iter().collect();
    all.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    let mut out = format!("{STRONG}{:>6}  {:<16} function{STRONG:#}\n", "self", "component");
    for ((component, name), weight) in all.into_iter().take(20) {
        let _ = writeln!(out, "{:>5}%  {:<16} {}", weight * 100 / u64::max(total, 1), plain(component), plain(name));
    }
    out
}

/// A profile as speedscope reads it.
pub fn speedscope(profile: &Value) -> Value {
    let interval = number(profile, "interval_ms");
    let one = |component: &Value| {
        let of: Vec<_> = stacks(profile).filter(|(stack, _)| stack.get("component") == Some(component)).collect();
        #[expect(clippy::cast_precision_loss, reason = "counts of samples")]
        let weights: Vec<f64> = of.iter().map(|(_, weight)| *weight as f64 * interval).collect();
        let samples: Vec<_> = of.iter().filter_map(|(stack, _)| stack.get("frames")).collect();
        let end: f64 = weights.iter().sum();
        json!({ "type": "sampled", "name": component, "unit": "milliseconds", "startValue": 0, "endValue": end,
                "samples": samples, "weights": weights })
    };
    let frames: Vec<Value> = list(profile, "frames").map(|name| json!({ "name": name })).collect();
    json!({
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "shared": { "frames": frames },
        "profiles": list(profile, "components").map(one).collect::<Vec<_>>(),
        "exporter": "coracle",
    })
}

#[cfg(test)]
mod tests {
    use super::{bar, profile, speedscope, trace};
    use serde_json::json;

    #[test]
    fn a_trace_is_a_tree_over_time() {
        let span = |id: &str, parent: Option<&str>, start: f64, took: f64| json!({ "id": id, "parent": parent, "name": format!("span {id}"), "start": start, "duration_us": took, "error": null });
        let spans = [span("a", None, 0.0, 100.0), span("c", Some("b"), 60.0, 20.0), span("b", Some("a"), 50.0, 50.0)];
        let value = json!({ "trace": "t", "start": 0.0, "duration_us": 100.0, "spans": spans, "logs": [] });
        let shown = anstream::adapter::strip_str(&trace(&value)).to_string();
        let names: Vec<&str> = shown.lines().skip(1).map(|line| line.split('|').next().unwrap().trim_end()).collect();
        assert_eq!(names, ["span a", "  span b", "    span c"]);
        assert_eq!(bar(0.5, 0.5).trim_start().chars().count(), 20);
        assert_eq!(bar(1.0, 0.0).chars().count(), 40);
    }

    #[test]
    fn a_profile_for_speedscope() {
        let value = json!({ "components": ["a"], "frames": ["main", "work"], "interval_ms": 2, "lost": 0,
            "stacks": [{ "component": "a", "frames": [0, 1], "weight": 5 }, { "component": "a", "frames": [0], "weight": 1 }] });
        let speedscope = speedscope(&value);
        assert_eq!(speedscope["profiles"][0]["endValue"], json!(12.0));
        assert_eq!(speedscope["profiles"][0]["samples"], json!([[0, 1], [0]]));
        assert!(profile(&value).contains("83%  a                work"));
    }
}
