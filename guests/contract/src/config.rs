//! The `config` case: wasi:config/store@0.2.0-rc.1, the same import beside WASI 0.2 and 0.3.
//!
//! `GET /?key=K` answers the value or 404, `GET /all` a JSON object; an error is 500 with its text.

use serde_json::{Map, Value};

use crate::{Reply, Target};

wit_bindgen::generate!({ path: "../wit", world: "config", generate_all });

use wasi::config::store::{self, Error};

/// Asks for a key and forgets the answer: the asking is what a test looks at.
pub fn ask(key: &str) {
    let _ = store::get(key);
}

pub fn reply(target: &Target) -> Reply {
    answer(target).unwrap_or_else(|error| match error {
        Error::Upstream(text) => Reply::text(500, format!("upstream: {text}")),
        Error::Io(text) => Reply::text(500, format!("io: {text}")),
    })
}

fn answer(target: &Target) -> Result<Reply, Error> {
    if target.path() == "/all" {
        let all: Map<_, _> = store::get_all()?.into_iter().map(|(key, value)| (key, Value::from(value))).collect();
        return Ok(Reply::json(&Value::Object(all)));
    }
    let Some(key) = target.get("key") else {
        return Ok(Reply::text(400, "use /?key=K or /all"));
    };
    Ok(store::get(key)?.map_or_else(|| Reply::text(404, "no such key"), |value| Reply::text(200, value)))
}
