//! Two JSON values, field by field. Items of a list share one place: "$.items[*].price".

use super::{Difference, MOST};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Deeper values are compared whole.
const DEEPEST: usize = 64;

pub fn compare(old: &Value, new: &Value, found: &mut BTreeSet<Difference>) {
    Walk { found, place: "$".to_owned() }.values(Some(old), Some(new), 0);
}

struct Walk<'a> {
    found: &'a mut BTreeSet<Difference>,
    place: String,
}

impl Walk<'_> {
    fn values(&mut self, old: Option<&Value>, new: Option<&Value>, depth: usize) {
        if self.found.len() >= 4 * MOST {
            return;
        }
        match (old, new) {
            (Some(Value::Object(before)), Some(Value::Object(after))) if depth < DEEPEST => {
                let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
                for key in keys {
                    self.below(&field(key), before.get(key), after.get(key), depth);
                }
            }
            (Some(Value::Array(before)), Some(Value::Array(after))) if depth < DEEPEST => {
                if before.len() != after.len() {
                    self.note(old, new);
                }
                for (one, other) in before.iter().zip(after) {
                    self.below("[*]", Some(one), Some(other), depth);
                }
            }
            (Some(one), Some(other)) if same(one, other) => {}
            _ => self.note(old, new),
        }
    }

    fn below(&mut self, step: &str, old: Option<&Value>, new: Option<&Value>, depth: usize) {
        let length = self.place.len();
        self.place.push_str(step);
        self.values(old, new, depth + 1);
        self.place.truncate(length);
    }

    fn note(&mut self, old: Option<&Value>, new: Option<&Value>) {
        let (mut before, mut after) = (shape(old), shape(new));
        if before == after && !matches!(old, Some(Value::Array(_) | Value::Object(_))) {
            after = format!("another {}", after.trim_start_matches("a "));
            before = format!("one {}", before.trim_start_matches("a "));
        }
        self.found.insert(Difference { place: self.place.clone(), old: before, new: after });
    }
}

/// 1 and 1.0 are one number.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64().is_some_and(|a| Some(a) == b.as_f64()),
        _ => one == other,
    }
}

fn field(key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|letter| letter.is_alphanumeric() || letter == '_' || letter == '-');
    if plain {
        return format!(".{key}");
    }
    let mut text = String::from("[");
    let _ = write!(text, "{key:?}]");
    text
}

/// What a value is, without saying it.
fn shape(value: Option<&Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::Null) => "null".to_owned(),
        Some(Value::Bool(truth)) => truth.to_string(),
        Some(Value::Number(_)) => "a number".to_owned(),
        Some(Value::String(text)) => format!("a string of {}", text.chars().count()),
        Some(Value::Array(items)) => format!("a list of {}", items.len()),
        Some(Value::Object(_)) => "an object".to_owned(),
    }
}
