//! Attacks by guests: a request to the attacker's own component is all the client does.

use std::time::Duration;

use anyhow::Result;

use super::case::{Scene, Tally};
use super::client;

/// Longer than any limit of an attacker.
const PATIENCE: Duration = Duration::from_secs(5);

/// As many as the bar names: four at a time, each again as soon as it has ended.
pub fn four(scene: &Scene<'_>, path: &str) -> Result<Tally> {
    Ok(scene.each(4, Duration::ZERO, |_| client::get(scene.addr(), path, PATIENCE)))
}

/// Many at a time, at most a thousand a second.
pub fn storm(scene: &Scene<'_>, path: &str) -> Result<Tally> {
    Ok(scene.each(16, Duration::from_millis(16), |_| client::get(scene.addr(), path, PATIENCE)))
}
