//! Verdicts: what they say of given counts, and in words.

use crate::support::{look, seen};
use coracle_rollout::verdict::ratio::Ratio;
use coracle_rollout::verdict::{
    Answer, Counts, Judge, Look, Measure, Names, Pair, Settings, Tally, Thresholds, Verdict, explain,
};
use hdrhistogram::Histogram;
use proptest::prelude::*;
use std::time::Duration;

const NAMES: Names<'_> = Names { new: "price@3f0a91c2e7d4", old: "node" };

fn thresholds() -> Thresholds {
    let mut baseline = Histogram::<u64>::new(3).unwrap();
    for millisecond in 1..=1000 {
        baseline.record(millisecond * 1000).unwrap();
    }
    Thresholds::freeze(&baseline).unwrap()
}

fn alarms(verdict: &Verdict) -> Vec<Measure> {
    verdict.alarms().map(|finding| finding.measure).collect()
}

/// Counts of one version whose latencies are those of the baseline.
fn timed(requests: u64, errors: u64) -> Counts {
    let slower = [requests / 2, requests / 10, requests / 100, 0];
    Counts { requests, errors, timed: requests, slower, ..Counts::default() }
}

fn judge(settings: Settings, new: Counts, old: Counts, seconds: u64) -> Judge {
    let mut judge = Judge::new(settings);
    judge.freeze(thresholds());
    for second in 1..=seconds {
        judge.look(&Look { new, old, ..Look::default() }, Duration::from_secs(second));
    }
    judge
}

#[test]
fn thresholds_are_the_old_versions_quantiles() {
    let near = |got: f64, expected: f64| (got - expected).abs() / expected < 0.01;
    let [half, tenth, hundredth, twice] = thresholds().milliseconds;
    assert!(near(half, 500.0) && near(tenth, 900.0) && near(hundredth, 990.0) && near(twice, 1980.0));
    assert_eq!(thresholds().exceeded(Duration::from_millis(950)), [true, true, false, false]);
    assert_eq!(Thresholds::freeze(&Histogram::<u64>::new(3).unwrap()), None);
}

#[test]
fn equal_versions_are_proven_and_never_alarm() {
    let verdict = judge(Settings::default(), timed(1000, 2), timed(1000, 2), 120).verdict();
    assert_eq!((verdict.answer, alarms(&verdict)), (Answer::NotWorse, vec![]), "{}", explain(&verdict, NAMES));
    let none = judge(Settings::default(), timed(1000, 0), timed(1000, 0), 120).verdict();
    assert_eq!(none.answer, Answer::NotWorse, "without a single failure too: {}", explain(&none, NAMES));
}

#[test]
fn each_kind_of_trouble_is_called_by_its_name() {
    let good = timed(1000, 2);
    let settings = Settings { slo_p99: Some(Duration::from_secs(1)), ..Settings::default() };
    let slow = [700, 200, 30, 10];
    for (new, expected) in [
        (Counts { errors: 20, ..good }, Measure::Errors),
        (Counts { traps: 10, ..good }, Measure::Traps),
        (Counts { slower: slow, ..good }, Measure::Latency),
        (Counts { client_errors: 100, ..good }, Measure::ClientErrors),
        (Counts { over_slo: 50, ..good }, Measure::SloLatency),
    ] {
        let verdict = judge(settings.clone(), new, good, 10).verdict();
        assert_eq!(
            (verdict.answer, alarms(&verdict)),
            (Answer::Regressed, vec![expected]),
            "{}",
            explain(&verdict, NAMES)
        );
    }
    let mut shadow = Judge::new(settings);
    shadow.look(&Look { shadow: Tally { n: 100, bad: 5 }, ..Look::default() }, Duration::from_secs(1));
    assert_eq!(alarms(&shadow.verdict()), [Measure::Mismatches]);
}

#[test]
fn two_equally_broken_versions_are_caught_by_the_promise() {
    let settings = Settings { slo_errors: Some(0.01), ..Settings::default() };
    let verdict = judge(settings, timed(1000, 50), timed(1000, 50), 10).verdict();
    assert_eq!(alarms(&verdict), [Measure::SloErrors]);
}

#[test]
fn a_budget_is_a_budget() {
    let settings = Settings { budget: Some(10), ..Settings::default() };
    let at = |seconds| judge(settings.clone(), timed(10_000, 1), timed(10_000, 1), seconds).verdict();
    assert_eq!((alarms(&at(9)), alarms(&at(10))), (vec![], vec![Measure::Budget]));
}

#[test]
fn few_requests_give_no_answer_but_an_estimate() {
    let verdict = judge(Settings::default(), timed(3, 0), timed(57, 0), 20).verdict();
    assert_eq!(verdict.answer, Answer::NotEnough);
    let needs: Vec<_> = verdict.open().filter_map(|finding| finding.needs).collect();
    assert!(
        !needs.is_empty() && needs.iter().all(|needs| needs.requests.is_some_and(|requests| requests > 100)),
        "{needs:?}"
    );
    assert!(needs.iter().all(|needs| needs.minutes.is_some_and(|minutes| minutes > 0.5)), "{needs:?}");
    let one = judge(Settings::default(), timed(1, 1), timed(1, 0), 1).verdict();
    assert_eq!(one.answer, Answer::NotEnough, "one failure is no pattern");
}

#[test]
fn the_estimate_comes_true() {
    let mut judge = judge(Settings::default(), timed(100, 0), timed(900, 1), 4);
    let needs = judge.verdict().open().filter_map(|finding| finding.needs?.requests).max().unwrap();
    let mut more = 0;
    let mut at = 4;
    while judge.verdict().answer == Answer::NotEnough && more < 10 * needs {
        at += 1;
        more += 100;
        judge.look(&Look { new: timed(100, 0), old: timed(900, 1), ..Look::default() }, Duration::from_secs(at));
    }
    assert!(needs / 3 <= more && more <= 3 * needs, "estimated {needs}, took {more}");
}

#[test]
fn a_late_leak_is_not_drowned_by_the_good_hours() {
    let mut judge = judge(Settings::default(), timed(10, 0), timed(10, 0), 1);
    let mut seconds = 1;
    let mut run = |judge: &mut Judge, errors: [u64; 2], count: u64| {
        for at in 0..count {
            seconds += 1;
            let errors = errors[usize::from(at % 10 == 0)];
            judge.look(
                &Look { new: timed(10, errors), old: timed(10, u64::from(at % 10 == 0)), ..Look::default() },
                Duration::from_secs(seconds),
            );
            if judge.verdict().answer == Answer::Regressed {
                return Some(at);
            }
        }
        None
    };
    assert_eq!(run(&mut judge, [0, 1], 10_800), None);
    let caught = run(&mut judge, [0, 10], 600).unwrap();
    assert!(caught <= 90, "after {caught} s, when three hours had been good");
}

#[test]
fn the_words_name_cause_and_numbers() {
    let verdict = judge(Settings::default(), timed(100, 2), timed(900, 2), 10).verdict();
    let text = explain(&verdict, NAMES);
    for part in [
        "price@3f0a91c2e7d4 is worse than node.",
        "Failed requests: 20 of 1 000 requests (2.0 %) of price@3f0a91c2e7d4, against 20 of 9 000 requests (0.22 %) of node.",
        "That is 9.00 times as often.",
        "would turn up in fewer than 1 of",
        "from 1 of 444 on it counts as proof",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let open = explain(&seen(Settings::default(), &look((3, 0), (57, 0)), 20).verdict(), NAMES);
    assert!(
        open.starts_with("Nothing speaks against price@3f0a91c2e7d4 so far") && open.contains("A proof takes about"),
        "{open}"
    );
    assert!(open.contains("node hasn't answered enough requests yet to know what is usual"), "{open}");
    let good = explain(&judge(Settings::default(), timed(1000, 2), timed(1000, 2), 120).verdict(), NAMES);
    assert!(
        good.contains("is proven not to be worse than node")
            && good.contains("as often as before is proven: not worse"),
        "{good}"
    );
}

#[test]
fn evidence_is_saved_and_goes_on_the_same() {
    let mut judge = judge(Settings::default(), timed(100, 1), timed(900, 3), 30);
    let text = serde_json::to_string(&judge).unwrap();
    let mut again: Judge = serde_json::from_str(&text).unwrap();
    let more = Look { new: timed(100, 2), old: timed(900, 3), ..Look::default() };
    judge.look(&more, Duration::from_secs(31));
    again.look(&more, Duration::from_secs(31));
    let (one, other) = (judge.verdict(), again.verdict());
    assert_eq!(one.answer, other.answer);
    for (one, other) in one.findings.iter().zip(&other.findings) {
        assert_eq!(
            (one.measure, one.answer, one.seen, one.at_most),
            (other.measure, other.answer, other.seen, other.at_most)
        );
        // Decimal digits of a saved number may lose the last bit.
        assert!((one.e_value - other.e_value).abs() <= one.e_value * 1e-9, "{} {}", one.e_value, other.e_value);
    }
}

/// The property that everything rests on: when the new version is no worse, the evidence has mean 1 or less. Summed exactly
/// over every outcome of one interval, for binomial counts.
#[test]
fn the_evidence_has_mean_one_or_less_while_nothing_is_wrong() {
    let binomial = |n: u64, rate: f64, k: u64| {
        let choose = (0..k).fold(1.0, |sum, at| sum * (n - at) as f64 / (at + 1) as f64);
        choose * rate.powi(k as i32) * (1.0 - rate).powi((n - k) as i32)
    };
    for (new, old, rate) in [(5, 20, 0.01), (5, 20, 0.5), (1, 1, 0.5), (12, 12, 0.3), (20, 4, 0.9), (3, 30, 0.05)] {
        for worse in [0.5, 0.9, 1.0] {
            let mut mean = 0.0;
            for bad_new in 0..=new {
                for bad_old in 0..=old {
                    let mut ratio = Ratio::new(1.0);
                    ratio.observe(
                        Pair { new: Tally { n: new, bad: bad_new }, old: Tally { n: old, bad: bad_old } },
                        1.0,
                    );
                    mean += binomial(new, rate * worse, bad_new) * binomial(old, rate, bad_old) * ratio.e_value();
                }
            }
            assert!(mean <= 1.0 + 1e-9, "{mean} for {new}/{old} at {rate} × {worse}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_counts_give_a_verdict(looks in proptest::collection::vec((0..5000_u64, 0..100_u64, 0..100_000_u64, 0..100_u64, 0..4000_u64), 1..30)) {
        let mut judge = Judge::new(Settings { slo_errors: Some(0.01), slo_p99: Some(Duration::from_millis(5)), budget: Some(5), ..Settings::default() });
        judge.freeze(thresholds());
        let mut at = 0;
        for (new, bad, old, old_bad, seconds) in looks {
            at += seconds;
            let (bad, old_bad) = (bad.min(new), old_bad.min(old));
            let new = Counts { traps: bad / 2, client_errors: bad, over_slo: bad, ..timed(new, bad) };
            judge.look(&Look { new, old: timed(old, old_bad), shadow: Tally { n: bad, bad: bad / 3 } }, Duration::from_secs(at));
            let verdict = judge.verdict();
            for finding in &verdict.findings {
                prop_assert!(finding.e_value.is_finite() && finding.e_value >= 0.0, "{finding:?}");
            }
            prop_assert!(!explain(&verdict, NAMES).contains("NaN"));
        }
        let saved = serde_json::to_string(&judge).unwrap();
        prop_assert!(serde_json::from_str::<Judge>(&saved).is_ok());
    }
}
