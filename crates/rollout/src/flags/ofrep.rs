//! The OpenFeature Remote Evaluation Protocol (<https://openfeature.dev/docs/reference/other-technologies/ofrep/>): bodies in,
//! status and body out. The edge puts them on the wire.

use super::{Evaluation, FlagError, Flags};
use serde_json::{Value, json};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// What to answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub body: Option<Value>,
    /// For `ETag`, quoted; bulk answers have one.
    pub etag: Option<String>,
}

/// `POST /ofrep/v1/evaluate/flags/{key}`.
pub fn single(flags: &Flags, key: &str, body: &[u8], seconds: u64) -> Answer {
    let context = match context(body) {
        Ok(context) => context,
        Err(details) => {
            let body = json!({ "key": key, "errorCode": "INVALID_CONTEXT", "errorDetails": details });
            return Answer { status: 400, body: Some(body), etag: None };
        }
    };
    match flags.evaluate(key, &context, seconds) {
        Ok(evaluation) => Answer { status: 200, body: Some(good(key, &evaluation)), etag: None },
        Err(error) => {
            let status = if matches!(error, FlagError::NotFound(_)) { 404 } else { 400 };
            Answer { status, body: Some(bad(key, &error)), etag: None }
        }
    }
}

/// `POST /ofrep/v1/evaluate/flags`, with the `If-None-Match` of the request.
pub fn bulk(flags: &Flags, body: &[u8], if_none_match: Option<&str>, seconds: u64) -> Answer {
    let context = match context(body) {
        Ok(context) => context,
        Err(details) => {
            let body = json!({ "errorCode": "INVALID_CONTEXT", "errorDetails": details });
            return Answer { status: 400, body: Some(body), etag: None };
        }
    };
    let each = flags.keys().map(|key| match flags.evaluate(key, &context, seconds) {
        Ok(evaluation) => good(key, &evaluation),
        Err(error) => bad(key, &error),
    });
    let body = json!({ "flags": each.collect::<Vec<_>>() });
    let mut hash = DefaultHasher::new();
    body.to_string().hash(&mut hash);
    let etag = format!("\"{:016x}\"", hash.finish());
    if if_none_match.is_some_and(|known| known.split(',').any(|one| one.trim() == etag)) {
        return Answer { status: 304, body: None, etag: Some(etag) };
    }
    Answer { status: 200, body: Some(body), etag: Some(etag) }
}

fn context(body: &[u8]) -> Result<Value, String> {
    let request: Value = serde_json::from_slice(body).map_err(|error| format!("the body is no JSON: {error}"))?;
    match request.get("context") {
        Some(context @ Value::Object(_)) => Ok(context.clone()),
        Some(_) => Err("`context` must be an object".to_owned()),
        None if request.is_object() => Ok(json!({})),
        None => Err("the body must be an object with a `context`".to_owned()),
    }
}

fn good(key: &str, evaluation: &Evaluation) -> Value {
    let Evaluation { value, variant, reason, metadata } = evaluation;
    json!({ "key": key, "value": value, "variant": variant, "reason": reason, "metadata": metadata })
}

fn bad(key: &str, error: &FlagError) -> Value {
    let (code, details) = match error {
        FlagError::NotFound(details) => ("FLAG_NOT_FOUND", details),
        FlagError::TargetingKeyMissing(details) => ("TARGETING_KEY_MISSING", details),
        FlagError::Parse(details) => ("PARSE_ERROR", details),
    };
    json!({ "key": key, "errorCode": code, "errorDetails": details })
}
