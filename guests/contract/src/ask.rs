//! The `ask` case: what another component of the app exports, the same import beside WASI 0.2 and 0.3.
//!
//! `/change?text=T&how=upper|lower|N`, `/look?text=T` (JSON), `/fail?mode=M` (the call can't say that it failed), `/try?mode=M` and
//! `/reach?what=W` (500 with the text of the error).

use serde_json::json;

use crate::{Reply, Target};

wit_bindgen::generate!({ path: "../wit", world: "asker", generate_all });

use acme::codec::text::{self, How};

pub fn reply(target: &Target) -> Reply {
    let given = |name: &str| target.get(name).unwrap_or_default().to_owned();
    let answer = match target.path() {
        "/change" => {
            let how = match target.get("how") {
                Some("upper") => How::Upper,
                Some("lower") => How::Lower,
                _ => How::Repeat(u32::try_from(target.number("how", 1)).unwrap_or(1)),
            };
            text::change(&given("text"), how)
        }
        "/look" => {
            let found = text::look(&given("text"));
            return Reply::json(&json!({ "letters": found.letters, "words": found.words, "longest": found.longest }));
        }
        "/fail" => Ok(text::fail(&given("mode"))),
        "/try" => text::try_fail(&given("mode")),
        "/reach" => text::reach(&given("what")),
        _ => return Reply::text(200, "asked nothing"),
    };
    answer.map_or_else(|error| Reply::text(500, error), |text| Reply::text(200, text))
}
