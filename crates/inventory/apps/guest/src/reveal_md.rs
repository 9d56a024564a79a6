//! `GET /*.md` of reveal-md 6.1.4: front matter, Markdown as it is, a page around it. The template is part of the component,
//! prepared once: its tags are fixed texts, as the application's defaults fill most of them the same way for every deck.

use crate::Answer;
use serde_json::{Map, Value};
use std::sync::LazyLock;

/// The application's own template, filled for a deck whose title, options and text are these marks. Made by run.mjs from an
/// answer of the application itself.
static PAGE: LazyLock<String> = LazyLock::new(|| std::fs::read_to_string("/content/.page").unwrap_or_default());

pub fn slides(path: &str) -> Option<Answer> {
    let name = path.trim_start_matches('/').replace("..", "");
    let text = std::fs::read_to_string(format!("/content/{name}")).ok()?;
    let (matter, text) = front_matter(&text);
    let options = Value::Object(matter.get("revealOptions").and_then(Value::as_object).cloned().unwrap_or_default());
    // The command line's options stand behind the deck's, in the same object.
    let options = options.to_string();
    let options = options.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or_default();
    let title = matter.get("title").and_then(Value::as_str).unwrap_or("reveal-md");
    let body = PAGE.replacen("@TITLE@", title, 1).replacen("@OPTIONS@", options, 1).replacen("@TEXT@", text, 1);
    Some(Answer { kind: "text/html; charset=utf-8", body })
}

/// The front matter (keys, and keys one level below) and what follows.
fn front_matter(text: &str) -> (Map<String, Value>, &str) {
    let Some((matter, rest)) = text.strip_prefix("---\n").and_then(|text| text.split_once("\n---\n")) else {
        return (Map::new(), text);
    };
    let mut fields = Map::new();
    let mut section = String::new();
    for line in matter.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        if let Some(key) = key.strip_prefix("  ") {
            if let Some(Value::Object(inner)) = fields.get_mut(&section) {
                inner.insert(key.to_owned(), value.into());
            }
        } else if value.is_empty() {
            section = key.to_owned();
            fields.insert(section.clone(), Value::Object(Map::new()));
        } else {
            fields.insert(key.to_owned(), value.into());
        }
    }
    (fields, rest)
}
