//! A few examples of each place where answers differ, for whoever wants to know what is different. Bounded, in shapes only.

use super::Difference;
use serde::Serialize;
use std::collections::BTreeMap;

const PLACES: usize = 100;
const EACH: usize = 5;

/// The examples of one rollout.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    places: BTreeMap<String, Sample>,
    /// Places that found no room.
    pub left_out: u64,
}

/// What is known of a place.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Sample {
    pub count: u64,
    pub examples: Vec<Example>,
}

/// One difference.
#[derive(Debug, Clone, Serialize)]
pub struct Example {
    /// "GET /price/7": without the query, which may say who asks.
    pub request: String,
    pub old: String,
    pub new: String,
}

impl Samples {
    pub fn add(&mut self, request: &str, differences: &[Difference]) {
        for Difference { place, old, new } in differences {
            if !self.places.contains_key(place) && self.places.len() >= PLACES {
                self.left_out += 1;
                continue;
            }
            let sample = self.places.entry(place.clone()).or_default();
            sample.count += 1;
            if sample.examples.len() < EACH {
                let (old, new) = (old.clone(), new.clone());
                sample.examples.push(Example { request: request.to_owned(), old, new });
            }
        }
    }

    pub fn places(&self) -> impl Iterator<Item = (&str, &Sample)> {
        self.places.iter().map(|(place, sample)| (place.as_str(), sample))
    }
}
