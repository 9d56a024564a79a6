//! What came of comparing the answers of two versions: how many differ, where, and where the old version differs from itself.

use coracle_rollout::diff::{Difference, Mask, Rules, Samples};
use coracle_rollout::verdict::Tally;
use serde_json::{Value, json};
use std::sync::Mutex;

/// The comparisons of one route.
pub struct Compared {
    rules: Rules,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    mask: Mask,
    samples: Samples,
    total: Tally,
    /// What the writer hasn't taken yet.
    fresh: Tally,
    /// Copies that were not made because as many as may be were under way.
    skipped: u64,
}

impl Compared {
    pub fn new(ignore: &[String]) -> Self {
        Self { rules: Rules::new(ignore), kept: Mutex::default() }
    }

    /// True when the next copy should go to the old version, to learn what is noise: at first always, then now and then.
    pub fn should_learn(&self, dice: u8) -> bool {
        self.kept.lock().is_ok_and(|kept| kept.mask.learnt_from < Mask::ENOUGH) || dice < 16
    }

    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What is noise so far.
    pub fn mask(&self) -> Mask {
        self.kept.lock().map(|kept| kept.mask.clone()).unwrap_or_default()
    }

    /// Takes in how the old version differs from itself.
    pub fn learn(&self, differences: &[Difference]) {
        if let Ok(mut kept) = self.kept.lock() {
            kept.mask.learn(differences);
        }
    }

    /// Takes in how the new version differs from the old one.
    pub fn add(&self, request: &str, differences: &[Difference]) {
        if let Ok(mut kept) = self.kept.lock() {
            let one = Tally { n: 1, bad: u64::from(!differences.is_empty()) };
            kept.total.add(one);
            kept.fresh.add(one);
            kept.samples.add(request, differences);
        }
    }

    pub fn skip(&self) {
        if let Ok(mut kept) = self.kept.lock() {
            kept.skipped += 1;
        }
    }

    /// Takes away what is new.
    pub fn take(&self) -> Tally {
        self.kept.lock().map(|mut kept| std::mem::take(&mut kept.fresh)).unwrap_or_default()
    }

    /// For `coracle rollout diff`.
    pub fn report(&self) -> Value {
        let Ok(kept) = self.kept.lock() else { return json!({}) };
        let places: Vec<_> = kept
            .samples
            .places()
            .map(|(place, sample)| json!({ "place": place, "count": sample.count, "examples": sample.examples }))
            .collect();
        let noise: Vec<_> =
            kept.mask.places().map(|(place, count)| json!({ "place": place, "count": count })).collect();
        json!({
            "compared": kept.total.n,
            "different": kept.total.bad,
            "places": places,
            "left_out": kept.samples.left_out,
            "noise": noise,
            "learnt_from": kept.mask.learnt_from,
            "skipped": kept.skipped,
        })
    }
}
