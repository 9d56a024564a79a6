//! Flag definitions in flagd's format (<https://flagd.dev/reference/flag-definitions/>): variants, a default, and a rule in
//! JSONLogic with `fractional`, `sem_ver`, `starts_with` and `ends_with`. Rules are compiled when the file is read.

use super::{Evaluation, FlagError};
use datalogic_rs::{Engine, Logic};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Evaluators may refer to evaluators, so deep.
const DEEPEST: usize = 16;

/// The flags of one file.
#[derive(Default)]
pub struct Definitions {
    engine: Engine,
    flags: BTreeMap<String, Flag>,
}

struct Flag {
    enabled: bool,
    variants: BTreeMap<String, Value>,
    default: Option<String>,
    rule: Option<Logic>,
    metadata: Value,
}

/// What is wrong with a file of definitions: every flag that is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct BadDefinitions(pub Vec<String>);

#[derive(Deserialize)]
struct File {
    flags: BTreeMap<String, FlagFile>,
    #[serde(default, rename = "$evaluators")]
    evaluators: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FlagFile {
    state: State,
    variants: BTreeMap<String, Value>,
    #[serde(default)]
    default_variant: Option<String>,
    #[serde(default)]
    targeting: Option<Value>,
    #[serde(default)]
    metadata: Map<String, Value>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "UPPERCASE")]
enum State {
    Enabled,
    Disabled,
}

impl std::fmt::Debug for Definitions {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_list().entries(self.flags.keys()).finish()
    }
}

impl Definitions {
    /// Reads a file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, BadDefinitions> {
        let file: File =
            serde_json::from_str(text).map_err(|error| BadDefinitions(vec![format!("no file of flags: {error}")]))?;
        let engine = Engine::new();
        let (mut flags, mut bad) = (BTreeMap::new(), Vec::new());
        for (key, flag) in file.flags {
            match Flag::new(&engine, flag, &file.evaluators) {
                Ok(flag) => drop(flags.insert(key, flag)),
                Err(why) => bad.push(format!("flag `{key}`: {why}")),
            }
        }
        if bad.is_empty() { Ok(Self { engine, flags }) } else { Err(BadDefinitions(bad)) }
    }

    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.flags.iter().filter(|(_, flag)| flag.enabled).map(|(key, _)| key.as_str())
    }

    /// The value of a flag.
    ///
    /// # Errors
    /// When there is none, it is off, or its rule fails.
    pub fn evaluate(&self, key: &str, context: &Value, seconds: u64) -> Result<Evaluation, FlagError> {
        let flag = self.flags.get(key).ok_or_else(|| FlagError::NotFound(format!("there is no flag `{key}`")))?;
        if !flag.enabled {
            return Err(FlagError::NotFound(format!("the flag `{key}` is disabled")));
        }
        let Some(rule) = &flag.rule else { return flag.answer(key, flag.default.as_deref(), "STATIC") };
        let mut data = context.as_object().cloned().unwrap_or_default();
        data.insert("$flagd".to_owned(), json!({ "flagKey": key, "timestamp": seconds }));
        let data = Value::Object(data).to_string();
        let result = self.engine.session().eval_str(rule, &data);
        let result = result.map_err(|error| FlagError::Parse(format!("the rule of `{key}` fails: {error}")))?;
        match serde_json::from_str(&result) {
            Ok(Value::String(variant)) => flag.answer(key, Some(&variant), "TARGETING_MATCH"),
            Ok(Value::Bool(truth)) => flag.answer(key, Some(if truth { "true" } else { "false" }), "TARGETING_MATCH"),
            Ok(Value::Null) => flag.answer(key, flag.default.as_deref(), "DEFAULT"),
            _ => Err(FlagError::Parse(format!("the rule of `{key}` gives {result}, which is no variant"))),
        }
    }
}

impl Flag {
    fn new(engine: &Engine, file: FlagFile, evaluators: &Map<String, Value>) -> Result<Self, String> {
        if let Some(default) = &file.default_variant
            && !file.variants.contains_key(default)
        {
            return Err(format!("its `defaultVariant` `{default}` is none of its variants"));
        }
        let rule = match file.targeting {
            None | Some(Value::Null) => None,
            Some(Value::Object(rule)) if rule.is_empty() => None,
            Some(rule) => {
                let rule = resolve(&rule, evaluators, 0)?;
                Some(
                    engine
                        .compile(rule.to_string().as_str())
                        .map_err(|error| format!("its `targeting` is no rule: {error}"))?,
                )
            }
        };
        Ok(Self {
            enabled: file.state == State::Enabled,
            variants: file.variants,
            default: file.default_variant,
            rule,
            metadata: Value::Object(file.metadata),
        })
    }

    fn answer(&self, key: &str, variant: Option<&str>, reason: &'static str) -> Result<Evaluation, FlagError> {
        let metadata = self.metadata.clone();
        let Some(variant) = variant else {
            return Err(FlagError::NotFound(format!(
                "the flag `{key}` has no value here: it names no default variant"
            )));
        };
        match self.variants.get(variant) {
            Some(value) => Ok(Evaluation { value: value.clone(), variant: Some(variant.to_owned()), reason, metadata }),
            None => {
                Err(FlagError::Parse(format!("the rule of `{key}` gives `{variant}`, which is none of its variants")))
            }
        }
    }
}

/// Puts shared evaluators in place of `{"$ref": "NAME"}`.
fn resolve(rule: &Value, evaluators: &Map<String, Value>, depth: usize) -> Result<Value, String> {
    if depth > DEEPEST {
        return Err("its `targeting` is too deep, or an evaluator refers to itself".to_owned());
    }
    match rule {
        Value::Object(fields) => {
            if let (1, Some(Value::String(name))) = (fields.len(), fields.get("$ref")) {
                let shared = evaluators.get(name).ok_or_else(|| format!("there is no evaluator `{name}`"))?;
                return resolve(shared, evaluators, depth + 1);
            }
            let resolved = fields.iter().map(|(key, value)| Ok((key.clone(), resolve(value, evaluators, depth + 1)?)));
            resolved.collect::<Result<_, String>>().map(Value::Object)
        }
        Value::Array(items) => {
            items.iter().map(|item| resolve(item, evaluators, depth + 1)).collect::<Result<_, _>>().map(Value::Array)
        }
        other => Ok(other.clone()),
    }
}
