//! A verdict in plain words, with the numbers, for someone who has never heard of an e-value. What it says of chances is what
//! the evidence means: a good version shows evidence of x or more in fewer than one of x rollouts, however often one looks.

use super::{Answer, Finding, Measure, Needs, Tally, Verdict};
use std::fmt::Write as _;

/// How the versions are called.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    pub new: &'a str,
    pub old: &'a str,
}

/// The verdict, a sentence or two a finding, without a final newline.
pub fn explain(verdict: &Verdict, names: Names<'_>) -> String {
    let mut text = match verdict.answer {
        Answer::Regressed => format!("{} is worse than {}.", names.new, names.old),
        Answer::NotWorse => format!("{} is proven not to be worse than {}.", names.new, names.old),
        Answer::NotEnough => {
            format!(
                "Nothing speaks against {} so far, but it isn't proven yet that it is no worse than {}.",
                names.new, names.old
            )
        }
    };
    let shown = |finding: &&Finding| verdict.answer != Answer::Regressed || finding.answer == Answer::Regressed;
    for finding in verdict.findings.iter().filter(shown) {
        let line = sentence(finding, names);
        if !line.is_empty() {
            let _ = write!(text, "\n- {line}");
        }
    }
    text
}

fn sentence(finding: &Finding, names: Names<'_>) -> String {
    let numbers = numbers(finding, names);
    match finding.answer {
        Answer::Regressed => format!("{numbers} {}", alarm(finding)),
        Answer::NotWorse if finding.seen.new.n == 0 => String::new(),
        Answer::NotWorse => format!("{numbers} {}", good(finding)),
        Answer::NotEnough => format!("{numbers} {}", open(finding, names)),
    }
}

/// What was counted.
fn numbers(finding: &Finding, names: Names<'_>) -> String {
    let seen = finding.seen;
    let both = |what: &str| {
        let against = if seen.old.n == 0 {
            format!("{} had no requests to compare with", names.old)
        } else {
            format!("{} of {}", of(seen.old), names.old)
        };
        format!("{what}: {} of {}, against {against}.", of(seen.new), names.new)
    };
    match finding.measure {
        Measure::Errors => both("Failed requests"),
        Measure::Traps => both("Crashes of the component (traps)"),
        Measure::ClientErrors => both("Answers that blame the client (4xx)"),
        Measure::Latency => match finding.threshold {
            Some(threshold) => {
                both(&format!("Slower than {}, {}", time(threshold.milliseconds), usual(threshold.index, names.old)))
            }
            None => format!("Latency: {} hasn't answered enough requests yet to know what is usual.", names.old),
        },
        Measure::Mismatches => format!(
            "Compared answers: {} of {} differ from {}'s beyond what {} differs from itself.",
            seen.new.bad,
            grouped(seen.new.n),
            names.old,
            names.old
        ),
        Measure::SloErrors => format!(
            "Promise on failures: {} of {} failed, and {} may.",
            of(seen.new),
            names.new,
            percent(finding.allowed.unwrap_or_default())
        ),
        Measure::SloLatency => {
            format!("Promise on latency: {} of {} took longer than `slo.p99`, and 1 % may.", of(seen.new), names.new)
        }
        Measure::Budget => {
            format!("Budget: {} requests of {} failed, and {} may.", seen.new.bad, names.new, finding.limit)
        }
    }
}

fn usual(index: usize, old: &str) -> String {
    match index {
        0 => format!("which half of {old}'s answers were before the rollout"),
        1 => format!("which 1 in 10 of {old}'s answers was before the rollout"),
        2 => format!("which 1 in 100 of {old}'s answers was before the rollout"),
        _ => format!("twice what the slowest 1 in 100 of {old}'s answers took before the rollout"),
    }
}

fn alarm(finding: &Finding) -> String {
    if finding.measure == Measure::Budget {
        return "That ends the rollout, whatever the statistics say.".to_owned();
    }
    let times = match (finding.seen.new.rate(), finding.seen.old.rate()) {
        (new, old) if old > 0.0 && new > old => format!("That is {} as often. ", times(new / old)),
        _ => String::new(),
    };
    format!(
        "{times}If nothing were wrong, numbers this bad would turn up in fewer than 1 of {} rollouts; from 1 of {} on it counts as proof.",
        grouped(finding.e_value.min(1e12) as u64),
        grouped(finding.limit.round() as u64)
    )
}

fn good(finding: &Finding) -> String {
    let proves = matches!(finding.measure, Measure::Errors | Measure::Latency);
    match finding.at_most {
        Some(bound) if proves => format!("At most {} as often as before is proven: not worse.", times(bound)),
        _ if proves => "Rare enough in itself: not worse.".to_owned(),
        _ => "No alarm.".to_owned(),
    }
}

fn open(finding: &Finding, names: Names<'_>) -> String {
    let so_far =
        finding.at_most.map_or(String::new(), |bound| format!("At most {} as often is proven so far. ", times(bound)));
    let needs = match finding.needs {
        Some(Needs { requests: Some(requests), minutes: Some(minutes) }) => format!(
            "A proof takes about {} more requests of {}: about {} at today's traffic.",
            grouped(rounded(requests)),
            names.new,
            duration(minutes)
        ),
        Some(Needs { requests: Some(requests), minutes: None }) => {
            format!(
                "A proof takes about {} requests of {}, and it has none at the moment.",
                grouped(rounded(requests)),
                names.new
            )
        }
        _ => format!(
            "As it looks now, more of the same won't prove it: {} seems worse, or has too little to compare with.",
            names.new
        ),
    };
    format!("{so_far}{needs}")
}

/// "12 of 5 890 requests (0.2 %)".
fn of(tally: Tally) -> String {
    format!("{} of {} requests ({})", grouped(tally.bad), grouped(tally.n), percent(tally.rate()))
}

/// Two figures that count.
fn percent(rate: f64) -> String {
    let percent = rate * 100.0;
    match percent {
        0.0 => "0 %".to_owned(),
        small if small < 0.01 => format!("{small:.4} %"),
        small if small < 1.0 => format!("{small:.2} %"),
        middle if middle < 10.0 => format!("{middle:.1} %"),
        large => format!("{large:.0} %"),
    }
}

fn times(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.2} times") } else { format!("{ratio:.0} times") }
}

fn time(milliseconds: f64) -> String {
    match milliseconds {
        small if small < 10.0 => format!("{small:.1} ms"),
        middle if middle < 1000.0 => format!("{middle:.0} ms"),
        large => format!("{:.1} s", large / 1000.0),
    }
}

fn duration(minutes: f64) -> String {
    match minutes {
        short if short < 1.5 => format!("{:.0} seconds", (short * 60.0).max(1.0)),
        middle if middle < 90.0 => format!("{middle:.0} minutes"),
        long if long < 48.0 * 60.0 => format!("{:.0} hours", long / 60.0),
        days => format!("{:.0} days", days / 60.0 / 24.0),
    }
}

/// An estimate doesn't have more than two figures.
fn rounded(number: u64) -> u64 {
    let digits = number.checked_ilog10().unwrap_or(0);
    let unit = 10_u64.pow(digits.saturating_sub(1));
    number.div_ceil(unit).saturating_mul(unit)
}

/// "5 890": thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_people() {
        assert_eq!(grouped(1_234_567), "1 234 567");
        assert_eq!((rounded(7), rounded(1234), rounded(99_001)), (7, 1300, 100_000));
        assert_eq!(
            (percent(0.0019), percent(0.25), percent(0.00002)),
            ("0.19 %".into(), "25 %".into(), "0.0020 %".into())
        );
        assert_eq!(
            (duration(0.5), duration(20.0), duration(600.0)),
            ("30 seconds".into(), "20 minutes".into(), "10 hours".into())
        );
    }
}
