//! Rollouts as text. What the numbers mean is said by the listener (`explanation`); here it is laid out.

use serde_json::Value;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// "12.5%" of hundredths of a percent.
fn share(value: &Value) -> String {
    let points = value.as_u64().unwrap_or_default();
    match (points / 100, points % 100) {
        (whole, 0) => format!("{whole}%"),
        (whole, rest) => format!("{whole}.{rest:02}%").trim_end_matches("0%").trim_end_matches('%').to_owned() + "%",
    }
}

/// Several rollouts, one a line.
pub fn list(all: &Value) -> String {
    let views: Vec<_> = all["rollouts"].as_array().into_iter().flatten().collect();
    if views.is_empty() {
        return "no route of the manifest has a rollout; add `rollout = { from = … }` to one\n".to_owned();
    }
    views.iter().rev().map(|view| format!("{}\n", line(view))).collect()
}

/// One rollout on one line.
pub fn line(view: &Value) -> String {
    let mut line = format!(
        "{:4} {:12} {:>6}  {} → {}  {}",
        text(view, "id"),
        text(view, "phase"),
        share(&view["share"]),
        text(view, "old"),
        text(view, "new"),
        text(view, "route")
    );
    if view["shadow"].as_u64().unwrap_or_default() > 0 {
        let _ = write!(line, "  (shadow {})", share(&view["shadow"]));
    }
    if !text(view, "reason").is_empty() {
        let _ = write!(line, "  – {}", text(view, "reason"));
    }
    line
}

/// One rollout with its steps and verdict.
pub fn status(view: &Value) -> String {
    let mut out = format!("{}\n", line(view));
    let at = view["step"].as_u64().unwrap_or_default();
    let over = matches!(
        text(view, "phase"),
        "promoted" | "rolled-back" | "rolling-back" | "superseded" | "draft" | "verifying"
    );
    for (number, step) in (0..).zip(view["steps"].as_array().into_iter().flatten()) {
        let mark = if number == at && !over { "▶" } else { " " };
        let _ = writeln!(out, "  {mark} {}", step.as_str().unwrap_or_default());
    }
    out + &explanation(view)
}

pub fn explanation(view: &Value) -> String {
    let mut out = String::new();
    if let Some(forced) = view["forced"].as_str() {
        let _ = writeln!(out, "It was promoted without a proof: {forced}");
    }
    let _ = writeln!(out, "{}", text(view, "explanation"));
    out
}

/// Where answers differ.
pub fn diff(report: &Value) -> String {
    let number = |key: &str| report[key].as_u64().unwrap_or_default();
    let mut out = format!("{} of {} compared answers differ.\n", number("different"), number("compared"));
    for place in report["places"].as_array().into_iter().flatten() {
        let _ = writeln!(out, "  {} ({} times)", text(place, "place"), place["count"]);
        for example in place["examples"].as_array().into_iter().flatten().take(2) {
            let _ = writeln!(
                out,
                "      {}: {} → {}",
                text(example, "request"),
                text(example, "old"),
                text(example, "new")
            );
        }
    }
    let noise: Vec<_> = report["noise"].as_array().into_iter().flatten().map(|place| text(place, "place")).collect();
    if !noise.is_empty() {
        let _ = writeln!(out, "Overlooked, for the old version differs from itself there: {}", noise.join(", "));
    }
    out
}

/// What happened, one event a line.
pub fn history(events: &Value) -> String {
    let one = |entry: &Value| {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(entry["time"].as_u64().unwrap_or_default());
        let why = ["reason", "forced", "by"].into_iter().map(|key| text(entry, key)).find(|text| !text.is_empty());
        let step = entry["step"].as_u64().map_or(String::new(), |step| format!(" {}", step + 1));
        let why = why.map_or(String::new(), |why| format!("  – {why}"));
        let (rollout, event, actor) = (text(entry, "rollout"), text(entry, "event"), text(entry, "actor"));
        format!("{}  {rollout:4} {event}{step}  by {actor}{why}\n", humantime::format_rfc3339_seconds(time))
    };
    events["events"].as_array().into_iter().flatten().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn shares_are_percents() {
        for (points, expected) in [(0, "0%"), (50, "0.5%"), (100, "1%"), (1234, "12.34%"), (10_000, "100%")] {
            assert_eq!(share(&json!(points)), expected);
        }
    }
}
