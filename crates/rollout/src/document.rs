//! A rollout as it was asked for: two versions, the steps between them, what counts as worse. It is written into the log once
//! and never changes; another wish is another rollout.

use crate::verdict::Settings;
use crate::version::Version;
use coracle_manifest::rollout::{Inconclusive, KeySource, Rollout, Share, Step};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What is to happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The name of the app, and the route as its title says it: both together are the route's identity over reloads.
    pub app: String,
    pub route: String,
    pub old: Version,
    pub new: Version,
    /// Ends with a bake.
    #[serde(with = "text")]
    pub steps: Vec<Step>,
    #[serde(with = "text")]
    pub keys: Vec<KeySource>,
    pub settings: Settings,
    /// Go back when the time is over without a proof; else wait.
    pub roll_back_inconclusive: bool,
    /// How long a page of the old version may go on talking to it.
    pub skew: Duration,
    /// What comparisons overlook.
    pub ignore: Vec<String>,
}

impl Document {
    /// From what the manifest says, with the versions that its names stand for now.
    pub fn new(app: &str, route: &str, (old, new): (Version, Version), asked: &Rollout) -> Self {
        let mut steps = asked.steps.clone();
        if !matches!(steps.last(), Some(Step::Bake { .. })) {
            steps.push(Step::Bake { time: Duration::ZERO });
        }
        let settings = Settings {
            proven: asked.tolerance,
            slo_errors: asked.slo.errors.map(Share::fraction),
            slo_p99: asked.slo.p99,
            budget: asked.budget.map(u64::from),
            ..Settings::default()
        };
        Self {
            app: app.to_owned(),
            route: route.to_owned(),
            old,
            new,
            steps,
            keys: asked.keys.clone(),
            settings,
            roll_back_inconclusive: asked.inconclusive == Inconclusive::RollBack,
            skew: asked.skew,
            ignore: asked.ignore.clone(),
        }
    }

    /// True when both ask for the same change of versions on the same route, by whatever steps.
    pub fn is_same_change(&self, other: &Self) -> bool {
        self.app == other.app && self.route == other.route && self.old == other.old && self.new == other.new
    }
}

/// Lists of what people type stay what people type.
mod text {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};
    use std::fmt::Display;
    use std::str::FromStr;

    use coracle_manifest::rollout::BadForm;

    pub fn serialize<T: Display, S: Serializer>(items: &[T], out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(items.iter().map(ToString::to_string))
    }

    pub fn deserialize<'de, T: FromStr<Err = BadForm>, D: Deserializer<'de>>(input: D) -> Result<Vec<T>, D::Error> {
        let items = Vec::<String>::deserialize(input)?;
        items.iter().map(|item| item.parse().map_err(|bad: BadForm| D::Error::custom(bad.message))).collect()
    }
}
