//! Feature flags without a service of their own: definitions in flagd's format, evaluated here, and each rollout as one more
//! flag, so that a page can ask which version it is on. Asked over OFREP (`ofrep.rs`) by any OpenFeature SDK.

mod definition;
mod ofrep;

pub use definition::{BadDefinitions, Definitions};
pub use ofrep::{Answer, bulk, single};

use crate::assign::{Split, bucket};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Where flags come from: a file of definitions, and the rollouts that run.
#[derive(Debug, Default)]
pub struct Flags {
    pub definitions: Definitions,
    /// By key, such as "shop.price.version".
    pub rollouts: BTreeMap<String, Split>,
}

/// What a flag is for one context.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    pub value: Value,
    pub variant: Option<String>,
    /// As OpenFeature names them: STATIC, TARGETING_MATCH, DEFAULT, SPLIT.
    pub reason: &'static str,
    pub metadata: Value,
}

/// Why a flag has no value, as OpenFeature names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlagError {
    NotFound(String),
    TargetingKeyMissing(String),
    Parse(String),
}

impl Flags {
    /// The value of a flag. `seconds` since 1970 are what rules may ask for as `$flagd.timestamp`.
    ///
    /// # Errors
    /// When there is no such flag, it is off, or its rule fails.
    pub fn evaluate(&self, key: &str, context: &Value, seconds: u64) -> Result<Evaluation, FlagError> {
        match self.rollouts.get(key) {
            Some(split) => of_rollout(split, context),
            None => self.definitions.evaluate(key, context, seconds),
        }
    }

    /// All keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.rollouts.keys().map(String::as_str).chain(self.definitions.keys())
    }
}

/// The same answer that a request with this key gets.
fn of_rollout(split: &Split, context: &Value) -> Result<Evaluation, FlagError> {
    let targeting = match context.get("targetingKey") {
        Some(Value::String(key)) if !key.is_empty() => key,
        _ => return Err(FlagError::TargetingKeyMissing("the version depends on the `targetingKey`".to_owned())),
    };
    let is_new = bucket(&split.id, targeting) < split.share.basis_points();
    let (variant, label) = if is_new { ("new", &split.new_label) } else { ("old", &split.old_label) };
    Ok(Evaluation {
        value: json!(label),
        variant: Some(variant.to_owned()),
        reason: "SPLIT",
        metadata: json!({ "rollout": split.id, "share": split.share.to_string() }),
    })
}
