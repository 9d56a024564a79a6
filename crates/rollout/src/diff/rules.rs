//! What a user wants overlooked: "header date", "$.generated_at", "$.items[*].id", each with all that is below it.

/// The rules of one rollout.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules(Vec<String>);

impl Rules {
    pub fn new(rules: &[String]) -> Self {
        let tidy = |rule: &String| match rule.strip_prefix("header ") {
            Some(name) => format!("header {}", name.trim().to_ascii_lowercase()),
            None => rule.trim().to_owned(),
        };
        Self(rules.iter().map(tidy).collect())
    }

    pub fn overlook(&self, place: &str) -> bool {
        self.0.iter().any(|rule| is_within(place, rule))
    }
}

/// True when a place is the other one, or below it.
pub(super) fn is_within(place: &str, outer: &str) -> bool {
    place.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
