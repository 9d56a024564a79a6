//! SARIF 2.1.0, for code scanning: a result for each unit that is worth moving, its chains as code flows, and one for each
//! file that was not understood.

use crate::notes::NoteKind;
use crate::portability::Status;
use crate::unit::{Action, Inventory, Spot, Unit};
use serde_json::{Value, json};

/// Flows of a result; the rest stands in the other forms.
const MOST_FLOWS: usize = 10;

#[must_use]
pub fn sarif(inventory: &Inventory) -> String {
    let units = inventory.units.iter().filter(|unit| unit.advice.action != Action::Leave && unit.stands_alone());
    let results: Vec<Value> = units.map(result).collect();
    let broken = inventory.notes.iter().filter(|note| matches!(note.kind, NoteKind::Syntax | NoteKind::Unreadable));
    let notifications: Vec<Value> = broken
        .map(|note| {
            let location = location(&Spot { file: note.file.clone(), line: note.line, within: String::new() });
            json!({ "level": "warning", "message": { "text": note.text }, "locations": [location] })
        })
        .collect();
    let rule = |id: &str, text: &str| json!({ "id": id, "shortDescription": { "text": text } });
    let document = json!({
        "version": "2.1.0",
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "runs": [{
            "tool": { "driver": {
                "name": "coracle inventory",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": [
                    rule("adopt", "A Rust crate does this work"),
                    rule("rewrite", "This work is worth writing in Rust"),
                    rule("move", "This can move whole as a component"),
                ],
            } },
            "invocations": [{ "executionSuccessful": true, "toolExecutionNotifications": notifications }],
            "results": results,
        }],
    });
    format!("{document:#}\n")
}

fn result(unit: &Unit) -> Value {
    let text = format!("{} {}: {}", unit.kind.name(), unit.name, unit.advice.summary);
    let spot = Spot { file: unit.file.clone(), line: unit.line, within: unit.name.clone() };
    let hard = unit.reaches.iter().filter(|reach| reach.status >= Status::Unknown).take(MOST_FLOWS);
    let flows: Vec<Value> = hard
        .map(|reach| {
            let steps: Vec<Value> = reach.chain.iter().map(|spot| json!({ "location": location(spot) })).collect();
            let text = format!("reaches {}, which is {}: {}", reach.api, reach.status.name(), reach.note);
            json!({ "message": { "text": text }, "threadFlows": [{ "locations": steps }] })
        })
        .collect();
    let mut result = json!({
        "ruleId": unit.advice.action.name(),
        "level": "note",
        "message": { "text": text },
        "locations": [location(&spot)],
        "partialFingerprints": { "unit/v1": unit.id },
        "rank": unit.score.value,
    });
    if let Some(object) = result.as_object_mut().filter(|_| !flows.is_empty()) {
        object.insert("codeFlows".to_owned(), Value::Array(flows));
    }
    result
}

fn location(spot: &Spot) -> Value {
    let uri: String = percent_encoding::utf8_percent_encode(&spot.file, PATH).to_string();
    json!({ "physicalLocation": {
        "artifactLocation": { "uri": uri },
        "region": { "startLine": spot.line.max(1) },
    } })
}

const PATH: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS
    .add(b' ')
    .add(b'%')
    .add(b'?')
    .add(b'#')
    .add(b'[')
    .add(b']')
    .add(b'"')
    .add(b'<')
    .add(b'>');
