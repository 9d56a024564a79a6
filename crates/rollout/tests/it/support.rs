//! What the tests share: documents, verdicts, counts.

use coracle_manifest::Target;
use coracle_manifest::rollout::{Inconclusive, KeySource, Rollout, Slo, Step};
use coracle_rollout::document::Document;
use coracle_rollout::verdict::{Answer, Counts, Judge, Look, Settings, Verdict};
use coracle_rollout::version::Version;
use std::time::Duration;

pub fn steps(texts: &[&str]) -> Vec<Step> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

pub fn node() -> Version {
    Version::Upstream { name: "node".into() }
}

pub fn price(digest: &str) -> Version {
    Version::Component { name: "price".into(), digest: digest.into() }
}

pub fn asked(texts: &[&str]) -> Rollout {
    Rollout {
        from: Target::Upstream("node".into()),
        steps: steps(texts),
        slo: Slo::default(),
        keys: vec![KeySource::Cookie],
        tolerance: 2.0,
        budget: None,
        inconclusive: Inconclusive::Hold,
        skew: Duration::from_secs(3600),
        ignore: Vec::new(),
        span: Default::default(),
    }
}

pub fn document(digest: &str, texts: &[&str]) -> Document {
    Document::new("shop", "/price/*", (node(), price(digest)), &asked(texts))
}

pub fn verdict(answer: Answer) -> Verdict {
    Verdict { answer, findings: Vec::new() }
}

/// A look at `n` requests of each, of which so many failed.
pub fn look((new, new_bad): (u64, u64), (old, old_bad): (u64, u64)) -> Look {
    let counts = |requests, errors| Counts { requests, errors, ..Counts::default() };
    Look { new: counts(new, new_bad), old: counts(old, old_bad), ..Look::default() }
}

/// A judge that has seen `times` the same look, one a second.
pub fn seen(settings: Settings, one: &Look, times: u64) -> Judge {
    let mut judge = Judge::new(settings);
    for second in 1..=times {
        judge.look(one, Duration::from_secs(second));
    }
    judge
}
