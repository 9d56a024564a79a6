//! The forms of the result: a table for a terminal, JSON, markdown for pull requests, SARIF for code scanning, and one page
//! of HTML. Each is a plain function of the inventory.

mod html;
mod markdown;
mod sarif;
mod table;

pub use html::html;
pub use markdown::markdown;
pub use sarif::sarif;
pub use table::table;

use crate::unit::{Inventory, Unit};

/// The whole result as JSON.
#[must_use]
pub fn json(inventory: &Inventory) -> String {
    serde_json::to_string_pretty(inventory).unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"))
}

/// Text from a project, without what would steer a terminal.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\n').collect()
}

/// The part of the busy time, in percent; a question mark where nothing was measured.
fn share(unit: &Unit) -> String {
    unit.cost.as_ref().map_or("?".to_owned(), |cost| format!("{:.1}", cost.share * 100.0))
}

/// The expected gain in percent of the busy time.
fn gain(unit: &Unit) -> String {
    match (unit.measured_gain, &unit.gain) {
        (Some(measured), _) => format!("{:.1} measured", measured * 100.0),
        (None, Some(gain)) => {
            let [low, high] = gain.of_busy;
            format!("{:.1} to {:.1}", low * 100.0, high * 100.0)
        }
        (None, None) => "?".to_owned(),
    }
}
