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

/// As many at once as a component may have and more.
pub fn many(scene: &Scene<'_>, path: &str) -> Result<Tally> {
    Ok(scene.each(64, Duration::from_millis(100), |_| client::get(scene.addr(), path, PATIENCE)))
}

/// The scene of the bar.
pub fn twelve(scene: &Scene<'_>) -> Result<Tally> {
    let paths = ["/spin?when=before", "/alloc?mb=4096", "/trap?when=before"];
    Ok(scene.each(12, Duration::ZERO, |number| {
        client::get(scene.addr(), paths.get(number % 3).copied().unwrap_or_default(), PATIENCE)
    }))
}

/// Harmless requests and ones that trap, of a component whose instances are shared.
pub fn shared(scene: &Scene<'_>) -> Result<Tally> {
    Ok(scene.each(16, Duration::from_millis(8), |number| match number % 4 {
        0 => client::get(scene.addr(), "/shared?when=before", PATIENCE),
        _ => format!("harmless {}", client::get(scene.addr(), "/shared", PATIENCE)),
    }))
}
