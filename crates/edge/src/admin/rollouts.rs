//! `/v1/…`: rollouts for people, scripts and pages; `/ofrep/v1/…`: the same as flags. What changes something needs the token
//! (`mod.rs` checks it); what asks doesn't. `openapi.json` beside this file describes it all.

use crate::live::Live;
use crate::respond::{self, Refusal};
use crate::rollout::{Ask, NotDone, Rollouts, View};
use coracle_host::Response;
use coracle_rollout::command::Command;
use coracle_rollout::flags::{self, Definitions, Flags};
use coracle_telemetry::RequestId;
use http::header::{ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::SystemTime;

/// The description of this interface.
const OPENAPI: &str = include_str!("openapi.json");
/// Larger bodies aren't read.
pub const MAX_BODY: usize = 64 * 1024;

/// A call, with its body.
pub struct Called<'a> {
    pub method: &'a Method,
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    pub id: RequestId,
}

/// What a changing call may bring.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Wish {
    actor: Option<String>,
    reason: Option<String>,
    /// Promote without a proof.
    force: bool,
    /// Lift the quarantine.
    retry: bool,
    route: Option<String>,
}

/// True when a call changes something.
pub fn changes(method: &Method, path: &str) -> bool {
    method == Method::POST && path.starts_with("/v1/")
}

/// The answer to a call below `/v1/` or `/ofrep/`.
///
/// # Errors
/// The refusal to answer with.
pub async fn answer(live: &Live, called: Called<'_>) -> Result<Response, Refusal> {
    let get = matches!(*called.method, Method::GET | Method::HEAD);
    let post = *called.method == Method::POST;
    let pieces: Vec<_> = called.path.trim_start_matches('/').split('/').collect();
    let only = |method: &str| Err(Refusal::MethodNotAllowed(method.to_owned()));
    match pieces.as_slice() {
        ["ofrep", "v1", "evaluate", "flags", ..] if !post => only("POST"),
        ["ofrep", "v1", "evaluate", "flags"] => Ok(bulk(live, &called)),
        ["ofrep", "v1", "evaluate", "flags", key] => Ok(single(live, &called, key)),
        ["v1", "openapi.json"] if get => {
            let document: Value = serde_json::from_str(OPENAPI).unwrap_or_default();
            Ok(super::json(StatusCode::OK, &document))
        }
        ["v1", "openapi.json"] => only("GET, HEAD"),
        ["v1", "rollouts"] if get => Ok(super::json(StatusCode::OK, &json!({ "rollouts": *views(live) }))),
        ["v1", "rollouts"] if post => Ok(done(start(live, &called).await, &called)),
        ["v1", "rollouts"] => only("GET, HEAD, POST"),
        ["v1", "events"] if get => Ok(events(live, &called, None).await),
        ["v1", "events"] => only("GET, HEAD"),
        ["v1", "rollouts", id] if get => Ok(done(find(live, id), &called)),
        ["v1", "rollouts", _] => only("GET, HEAD"),
        ["v1", "rollouts", id, "events"] if get => Ok(events(live, &called, Some(id)).await),
        ["v1", "rollouts", id, "diff"] if get => Ok(diff(live, &called, id)),
        ["v1", "rollouts", _, "events" | "diff"] => only("GET, HEAD"),
        ["v1", "rollouts", id, verb @ ("pause" | "resume" | "promote" | "abort" | "freeze" | "thaw")] if post => {
            Ok(done(command(live, &called, id, verb).await, &called))
        }
        ["v1", "rollouts", _, "pause" | "resume" | "promote" | "abort" | "freeze" | "thaw"] => only("POST"),
        _ => Err(Refusal::NotFound),
    }
}

fn views(live: &Live) -> std::sync::Arc<Vec<View>> {
    live.rollouts.get().map(Rollouts::views).unwrap_or_default()
}

/// By id, or by the name of the new version's component: then the current one.
fn find(live: &Live, id: &str) -> Result<View, NotDone> {
    let views = views(live);
    let named = |view: &&View| view.id == id || (view.current && view.new.split('@').next() == Some(id));
    views.iter().find(named).cloned().ok_or_else(|| NotDone::Unknown(format!("there is no rollout `{id}`")))
}

fn done(outcome: Result<View, NotDone>, called: &Called<'_>) -> Response {
    match outcome {
        Ok(view) => super::json(StatusCode::OK, &view),
        Err(error) => respond::not_done(&error, called.id),
    }
}

fn wish(called: &Called<'_>) -> Result<Wish, NotDone> {
    if called.body.is_empty() {
        return Ok(Wish::default());
    }
    serde_json::from_slice(called.body)
        .map_err(|error| NotDone::Malformed(format!("the body isn't what is expected: {error}")))
}

fn rollouts(live: &Live) -> Result<&Rollouts, NotDone> {
    live.rollouts.get().ok_or_else(|| NotDone::Unknown("no route of the manifest has a rollout".to_owned()))
}

async fn start(live: &Live, called: &Called<'_>) -> Result<View, NotDone> {
    let Wish { actor, retry, route, .. } = wish(called)?;
    let Some(route) = route else {
        return Err(NotDone::Malformed("say which `route`: its title, or the name of its new version".to_owned()));
    };
    let actor = actor.unwrap_or_else(|| "api".to_owned());
    rollouts(live)?.ask(|done| Ask::Start { route, actor, retry, done }).await
}

async fn command(live: &Live, called: &Called<'_>, id: &str, verb: &str) -> Result<View, NotDone> {
    let Wish { actor, reason, force, .. } = wish(called)?;
    let reason = reason.unwrap_or_default();
    let command = match verb {
        "pause" => Command::Pause { reason },
        "resume" => Command::Resume,
        "promote" => Command::Promote { force: force.then_some(reason) },
        "abort" => Command::Abort { reason },
        "freeze" => Command::Freeze { reason },
        _ => Command::Thaw,
    };
    let id = find(live, id)?.id;
    let actor = actor.unwrap_or_else(|| "api".to_owned());
    rollouts(live)?.ask(|done| Ask::Command { id, command, actor, done }).await
}

async fn events(live: &Live, called: &Called<'_>, id: Option<&str>) -> Response {
    let from = called.query.unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("from=")).unwrap_or("1");
    let Ok(from) = from.parse() else {
        return respond::not_done(&NotDone::Malformed(format!("`from={from}` is no number")), called.id);
    };
    let Some(rollouts) = live.rollouts.get() else { return super::json(StatusCode::OK, &json!({ "events": [] })) };
    let id = match id.map(|id| find(live, id)).transpose() {
        Ok(view) => view.map(|view| view.id),
        Err(error) => return respond::not_done(&error, called.id),
    };
    match rollouts.ask(|done| Ask::Events { from, done }).await {
        Ok(mut entries) => {
            entries.retain(|entry| id.as_ref().is_none_or(|id| entry.rollout == *id));
            super::json(StatusCode::OK, &json!({ "events": entries }))
        }
        Err(error) => respond::not_done(&error, called.id),
    }
}

/// Where the answers of the two versions differ.
fn diff(live: &Live, called: &Called<'_>, id: &str) -> Response {
    let view = match find(live, id) {
        Ok(view) => view,
        Err(error) => return respond::not_done(&error, called.id),
    };
    let state = live.state.load();
    let steered = state.all_routes().filter_map(|route| route.steered.as_ref());
    let report =
        steered.filter(|steered| steered.current.load().split.id == view.id).map(|steered| steered.compared().report());
    let report = report.into_iter().next().unwrap_or_else(|| json!({ "compared": 0, "places": [], "noise": [] }));
    super::json(StatusCode::OK, &report)
}

/// The rollouts in use as flags, by `APP.NAME.version`.
fn flags(live: &Live) -> Flags {
    let state = live.state.load();
    let steered = state.all_routes().filter_map(|route| route.steered.as_ref());
    let one = |steered: &std::sync::Arc<crate::rollout::Steered>| {
        let split = steered.current.load().split.clone();
        (format!("{}.{}.version", steered.document.app, split.new.name()), split)
    };
    Flags { definitions: Definitions::default(), rollouts: steered.map(one).collect::<BTreeMap<_, _>>() }
}

fn single(live: &Live, called: &Called<'_>, key: &str) -> Response {
    let key = percent_encoding::percent_decode_str(key).decode_utf8_lossy();
    wire(flags::single(&flags(live), &key, called.body, seconds()))
}

fn bulk(live: &Live, called: &Called<'_>) -> Response {
    let known = called.headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    wire(flags::bulk(&flags(live), called.body, known, seconds()))
}

fn wire(answer: flags::Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or_default();
    let mut response = match &answer.body {
        Some(body) => super::json(status, body),
        None => respond::unchanged(),
    };
    if let Some(etag) = answer.etag.and_then(|etag| HeaderValue::try_from(etag).ok()) {
        response.headers_mut().insert(ETAG, etag);
    }
    response
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
