//! One page of HTML that needs nothing else: the flame graph beside the ranked list, a card for each unit, filters.
//!
//! The data is embedded as JSON; the page's script only ever sets text, so that nothing in a project's names or sources
//! becomes markup.

use crate::unit::Inventory;

const PAGE: &str = include_str!("page.html");

#[must_use]
pub fn html(inventory: &Inventory) -> String {
    // In a script element only `<` can end the data.
    let data =
        super::json(inventory).replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    PAGE.replacen("/*DATA*/null", &data, 1)
}
