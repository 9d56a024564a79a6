//! The forms of the result: a table for a terminal, JSON, markdown, SARIF, and a page of HTML.

mod table;

pub use table::table;

/// Text from a project, without what would steer a terminal.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\n').collect()
}
