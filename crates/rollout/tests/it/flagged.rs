//! Flags: flagd's definitions, the rollout as a flag, and what OFREP answers.

use crate::support::{node, price};
use coracle_manifest::rollout::{KeySource, Share};
use coracle_rollout::assign::{Asked, Split, choose};
use coracle_rollout::flags::{Definitions, Flags, bulk, single};
use coracle_rollout::version::Arm;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime};

const FILE: &str = r#"{
  "$schema": "https://flagd.dev/schema/v0/flags.json",
  "$evaluators": { "staff": { "ends_with": [{ "var": "email" }, "@shop.example"] } },
  "flags": {
    "banner": { "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "on" },
    "gone": { "state": "DISABLED", "variants": { "on": true }, "defaultVariant": "on" },
    "checkout": {
      "state": "ENABLED", "variants": { "a": "classic", "b": "fast" }, "defaultVariant": "a",
      "targeting": { "fractional": [["a", 75], ["b", 25]] }
    },
    "debug": {
      "state": "ENABLED", "variants": { "true": 1, "false": 0 }, "defaultVariant": "false",
      "targeting": { "$ref": "staff" }, "metadata": { "owner": "ada" }
    },
    "new-app": {
      "state": "ENABLED", "variants": { "yes": { "size": 2 }, "no": {} }, "defaultVariant": "no",
      "targeting": { "if": [{ "sem_ver": [{ "var": "version" }, ">=", "2.1.0"] }, "yes", null] }
    }
  }
}"#;

fn split(points: u16) -> Split {
    let (old, new) = (node(), price("3f0a91c2e7d4aabb"));
    Split {
        id: "r7".into(),
        old_label: old.to_string(),
        new_label: new.to_string(),
        old,
        new,
        share: Share::from_basis_points(points),
        keys: vec![KeySource::Header("x-user".into())],
        new_is_live: true,
        old_until: None,
        skew: Duration::ZERO,
        secret: None,
    }
}

fn flags() -> Flags {
    let rollouts = [("shop.price.version".to_owned(), split(2500))].into();
    Flags { definitions: Definitions::parse(FILE).unwrap(), rollouts }
}

fn ask(key: &str, context: Value) -> (u16, Value) {
    let answer = single(&flags(), key, json!({ "context": context }).to_string().as_bytes(), 1_790_000_000);
    (answer.status, answer.body.unwrap())
}

#[test]
fn definitions_are_evaluated_as_flagd_does() {
    for (key, context, value, variant, reason) in [
        ("banner", json!({}), json!(true), "on", "STATIC"),
        ("debug", json!({ "email": "ada@shop.example" }), json!(1), "true", "TARGETING_MATCH"),
        ("debug", json!({ "email": "eve@evil.example" }), json!(0), "false", "TARGETING_MATCH"),
        ("new-app", json!({ "version": "2.1.3" }), json!({ "size": 2 }), "yes", "TARGETING_MATCH"),
        ("new-app", json!({ "version": "2.0.9" }), json!({}), "no", "DEFAULT"),
    ] {
        let (status, body) = ask(key, context);
        assert_eq!(
            (status, &body["value"], &body["variant"], &body["reason"]),
            (200, &value, &json!(variant), &json!(reason)),
            "{key}"
        );
    }
    assert_eq!(ask("debug", json!({ "email": "x" })).1["metadata"], json!({ "owner": "ada" }));
}

#[test]
fn fractions_are_kept() {
    let fast = (0..2000)
        .filter(|user| ask("checkout", json!({ "targetingKey": format!("user-{user}") })).1["variant"] == "b")
        .count();
    assert!(fast.abs_diff(500) < 60, "{fast} of 2000 at 25 %");
}

#[test]
fn what_has_no_value_says_why() {
    for (key, context, status, code) in [
        ("nothing", json!({}), 404, "FLAG_NOT_FOUND"),
        ("gone", json!({}), 404, "FLAG_NOT_FOUND"),
        ("shop.price.version", json!({}), 400, "TARGETING_KEY_MISSING"),
        ("banner", json!([]), 400, "INVALID_CONTEXT"),
    ] {
        let (found, body) = ask(key, context);
        assert_eq!((found, &body["errorCode"], &body["key"]), (status, &json!(code), &json!(key)));
        assert!(body["errorDetails"].as_str().is_some_and(|text| !text.is_empty()));
    }
    for body in ["", "[]", "{\"context\": 1}", "\u{0}"] {
        assert_eq!(single(&flags(), "banner", body.as_bytes(), 0).status, 400, "{body}");
    }
}

#[test]
fn a_rollout_is_a_flag_with_the_answer_that_requests_get() {
    for user in 0..500 {
        let user = format!("user-{user}");
        let mut headers = HeaderMap::new();
        headers.insert("x-user", HeaderValue::from_str(&user).unwrap());
        let asked = Asked { headers: &headers, query: None, client: IpAddr::V4(Ipv4Addr::LOCALHOST), secure: false };
        let arm = choose(&split(2500), &asked, SystemTime::UNIX_EPOCH, 1).arm;
        let (status, body) = ask("shop.price.version", json!({ "targetingKey": user }));
        let (variant, value) = if arm == Arm::New { ("new", "price@3f0a91c2e7d4") } else { ("old", "node") };
        assert_eq!(
            (status, &body["variant"], &body["value"], &body["reason"]),
            (200, &json!(variant), &json!(value), &json!("SPLIT"))
        );
    }
}

#[test]
fn all_at_once_with_an_etag() {
    let body = json!({ "context": { "targetingKey": "ada" } }).to_string();
    let answer = bulk(&flags(), body.as_bytes(), None, 0);
    let keys: Vec<_> = answer.body.as_ref().unwrap()["flags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|flag| flag["key"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(keys, ["shop.price.version", "banner", "checkout", "debug", "new-app"]);
    let etag = answer.etag.unwrap();
    let again = bulk(&flags(), body.as_bytes(), Some(&format!("\"x\", {etag}")), 0);
    assert_eq!((again.status, again.body), (304, None));
    assert_eq!(bulk(&flags(), b"{}", Some(&etag), 0).status, 200, "another context, another answer");
}

#[test]
fn a_broken_file_says_everything_that_is_wrong() {
    let broken = r#"{ "flags": {
        "a": { "state": "ENABLED", "variants": { "x": 1 }, "defaultVariant": "y" },
        "b": { "state": "ENABLED", "variants": {}, "targeting": { "$ref": "nobody" } },
        "c": { "state": "ENABLED", "variants": {}, "targeting": { "$ref": "self" } } },
        "$evaluators": { "self": { "$ref": "self" } } }"#;
    let text = Definitions::parse(broken).unwrap_err().to_string();
    for part in [
        "flag `a`: its `defaultVariant` `y`",
        "flag `b`: there is no evaluator `nobody`",
        "flag `c`: its `targeting` is too deep",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert!(Definitions::parse("[]").is_err());
}
