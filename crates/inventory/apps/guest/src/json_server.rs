//! `GET /:resource` of json-server 0.17.4: full-text search, filters, order, pages. The file is read once an instance, as the
//! server reads it once a process. `_embed` and `_expand` are not here.

use crate::Answer;
use serde_json::Value;
use std::cmp::Ordering;
use std::sync::LazyLock;

static DB: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_slice(&std::fs::read("/content/db.json").unwrap_or_default()).unwrap_or_default());

pub fn list(path: &str, query: &str) -> Option<Answer> {
    let all = DB.get(path.trim_matches('/'))?.as_array()?;
    let mut found: Vec<&Value> = all.iter().collect();
    let (mut sort, mut order, mut page, mut limit) = (String::new(), String::new(), None, None);
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match key.as_ref() {
            "q" => {
                let wanted = value.to_lowercase();
                found.retain(|item| holds(item, &wanted));
            }
            "_sort" => sort = value.into_owned(),
            "_order" => order = value.to_lowercase(),
            "_page" => page = value.parse::<usize>().ok(),
            "_limit" => limit = value.parse::<usize>().ok(),
            key => filter(&mut found, all, key, &value),
        }
    }
    if !sort.is_empty() {
        let orders: Vec<&str> = order.split(',').collect();
        let keys: Vec<&str> = sort.split(',').collect();
        found.sort_by(|a, b| {
            let by = keys.iter().enumerate().map(|(at, key)| {
                let by = compare(field(a, key), field(b, key));
                if orders.get(at) == Some(&"desc") { by.reverse() } else { by }
            });
            by.fold(Ordering::Equal, Ordering::then)
        });
    }
    let (start, count) = match (page, limit) {
        (Some(page), limit) => ((page.max(1) - 1) * limit.unwrap_or(10), limit.unwrap_or(10)),
        (None, Some(limit)) => (0, limit),
        (None, None) => (0, usize::MAX),
    };
    let shown: Vec<&Value> = found.into_iter().skip(start).take(count).collect();
    Some(Answer { kind: "application/json; charset=utf-8", body: serde_json::to_string_pretty(&shown).ok()? })
}

/// `author.name` of an item.
fn field<'v>(item: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(item, |value, part| value.get(part))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether some text in a value contains the words, whatever the case.
fn holds(value: &Value, wanted: &str) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(items) => items.iter().any(|item| holds(item, wanted)),
        Value::Object(fields) => fields.values().any(|item| holds(item, wanted)),
        Value::String(text) => text.to_lowercase().contains(wanted),
        other => other.to_string().contains(wanted),
    }
}

fn filter(found: &mut Vec<&Value>, all: &[Value], key: &str, wanted: &str) {
    let suffix = ["_gte", "_lte", "_ne", "_like"].into_iter().find(|suffix| key.ends_with(suffix));
    let path = suffix.and_then(|suffix| key.strip_suffix(suffix)).unwrap_or(key);
    // A name that no item has is no filter.
    if suffix.is_none() && !all.iter().any(|item| field(item, path).is_some()) {
        return;
    }
    found.retain(|item| {
        let Some(value) = field(item, path).filter(|value| !value.is_null()) else { return false };
        let range = || match (value.as_f64(), wanted.parse::<f64>()) {
            (Some(value), Ok(wanted)) => value.partial_cmp(&wanted),
            _ => Some(text(value).as_str().cmp(wanted)),
        };
        match suffix {
            Some("_gte") => range().is_some_and(Ordering::is_ge),
            Some("_lte") => range().is_some_and(Ordering::is_le),
            Some("_ne") => text(value) != wanted,
            Some(_) => text(value).to_lowercase().contains(&wanted.to_lowercase()),
            None => text(value) == wanted,
        }
    });
}

fn compare(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => match (a.as_f64(), b.as_f64(), a.as_str(), b.as_str()) {
            (Some(a), Some(b), ..) => a.total_cmp(&b),
            (_, _, Some(a), Some(b)) => a.cmp(b),
            _ => Ordering::Equal,
        },
        // What is missing comes last.
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (None, None) => Ordering::Equal,
    }
}
