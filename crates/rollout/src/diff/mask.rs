//! Where the old version differs from itself: times, ids, whatever is drawn anew for each answer. Learnt by asking it twice;
//! a place that differs there tells nothing about the new version.

use super::Difference;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// More noisy places than this aren't remembered.
const MOST: usize = 1000;

/// What was learnt.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mask {
    /// How often each place differed.
    places: BTreeMap<String, u64>,
    /// How often the old version was compared with itself.
    pub learnt_from: u64,
}

impl Mask {
    /// So many comparisons with itself before its differences count against the new version.
    pub const ENOUGH: u64 = 20;

    /// Takes in one comparison of the old version with itself.
    pub fn learn(&mut self, differences: &[Difference]) {
        self.learnt_from += 1;
        for difference in differences {
            if let Some(count) = self.places.get_mut(&difference.place) {
                *count += 1;
            } else if self.places.len() < MOST {
                self.places.insert(difference.place.clone(), 1);
            }
        }
    }

    /// True when a difference at a place is noise: it, or something around it, has differed before.
    pub fn hides(&self, place: &str) -> bool {
        self.places.keys().any(|noisy| super::rules::is_within(place, noisy))
    }

    /// The noisy places with how often they differed.
    pub fn places(&self) -> impl Iterator<Item = (&str, u64)> {
        self.places.iter().map(|(place, count)| (place.as_str(), *count))
    }
}
