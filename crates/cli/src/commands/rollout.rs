//! `coracle rollout`: asks and tells the admin listener of a running `coracle up`. With `--wait` the exit code says how it
//! ended, for CI.

#![allow(clippy::indexing_slicing, reason = "a JSON value answers null for what it lacks")]

mod client;
mod show;

use crate::args::{Rollout, RolloutCommand, RolloutTold, RolloutWait};
use crate::exit::{Exit, Failure};
use crate::output;
use client::Client;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Between two looks while waiting.
const PAUSE: Duration = Duration::from_millis(500);

pub fn run(options: &Rollout) -> Result<Exit, Failure> {
    let client = Client::new(options)?;
    let id = |asked: &Option<String>| client.id(asked.as_deref());
    match &options.command {
        RolloutCommand::Start { route, retry, wait } => {
            let wish = json!({ "route": route, "retry": retry, "actor": actor() });
            let begun = client.post("/v1/rollouts", &wish)?;
            told(options, &begun)?;
            let id = begun["id"].as_str().unwrap_or_default().to_owned();
            waited(&client, options, &id, wait)
        }
        RolloutCommand::Status { id: None, watch: false, wait: RolloutWait { wait: false, .. } } => {
            let all = client.get("/v1/rollouts")?;
            if options.json {
                output::json(&all)?
            } else {
                output::result(&show::list(&all))?
            }
            Ok(Exit::Ok)
        }
        RolloutCommand::Status { id: asked, watch, wait } => {
            let id = id(asked)?;
            if *watch && !wait.wait {
                return watched(&client, options, &id);
            }
            told(options, &client.rollout(&id)?)?;
            waited(&client, options, &id, wait)
        }
        RolloutCommand::Explain { id: asked } => {
            let view = client.rollout(&id(asked)?)?;
            if options.json {
                output::json(&view["verdict"])?
            } else {
                output::result(&show::explanation(&view))?
            }
            Ok(Exit::Ok)
        }
        RolloutCommand::Diff { id: asked } => {
            let report = client.get(&format!("/v1/rollouts/{}/diff", id(asked)?))?;
            if options.json {
                output::json(&report)?
            } else {
                output::result(&show::diff(&report))?
            }
            Ok(Exit::Ok)
        }
        RolloutCommand::History { id: asked } => {
            let path = match asked {
                Some(id) => format!("/v1/rollouts/{id}/events"),
                None => "/v1/events".to_owned(),
            };
            let events = client.get(&path)?;
            if options.json {
                output::json(&events)?
            } else {
                output::result(&show::history(&events))?
            }
            Ok(Exit::Ok)
        }
        RolloutCommand::Pause(wish) => tell(&client, options, wish, "pause", false),
        RolloutCommand::Resume(wish) => tell(&client, options, wish, "resume", false),
        RolloutCommand::Abort(wish) => tell(&client, options, wish, "abort", false),
        RolloutCommand::Freeze(wish) => tell(&client, options, wish, "freeze", false),
        RolloutCommand::Thaw(wish) => tell(&client, options, wish, "thaw", false),
        RolloutCommand::Promote { told: wish, force } => {
            if *force && wish.reason.as_deref().unwrap_or_default().trim().is_empty() {
                return Err(Failure::usage("--force needs a --reason: whoever reads the history will want to know"));
            }
            tell(&client, options, wish, "promote", *force)
        }
    }
}

fn tell(client: &Client, options: &Rollout, wish: &RolloutTold, verb: &str, force: bool) -> Result<Exit, Failure> {
    let id = client.id(wish.id.as_deref())?;
    let body = json!({ "actor": actor(), "reason": wish.reason, "force": force });
    told(options, &client.post(&format!("/v1/rollouts/{id}/{verb}"), &body)?)?;
    Ok(Exit::Ok)
}

fn told(options: &Rollout, view: &Value) -> Result<(), Failure> {
    if options.json { output::json(view) } else { output::result(&show::status(view)) }
}

/// Waits for the end when asked to: the exit code says which.
fn waited(client: &Client, options: &Rollout, id: &str, wait: &RolloutWait) -> Result<Exit, Failure> {
    if !wait.wait {
        return Ok(Exit::Ok);
    }
    let until = Instant::now() + wait.timeout;
    loop {
        let view = client.rollout(id)?;
        let phase = view["phase"].as_str().unwrap_or_default();
        let exit = match phase {
            "promoted" => Some(Exit::Ok),
            "rolled-back" | "superseded" => Some(Exit::RolledBack),
            // Nobody is there to let it go on.
            "frozen" => Some(Exit::Inconclusive),
            "holding" if view["held"] != "inconclusive" => Some(Exit::Inconclusive),
            _ if Instant::now() >= until => Some(Exit::Inconclusive),
            _ => None,
        };
        if let Some(exit) = exit {
            told(options, &view)?;
            return Ok(exit);
        }
        std::thread::sleep(PAUSE);
    }
}

/// Prints each change until it is over.
fn watched(client: &Client, options: &Rollout, id: &str) -> Result<Exit, Failure> {
    let mut last = String::new();
    loop {
        let view = client.rollout(id)?;
        let line = if options.json { view.to_string() } else { show::line(&view) };
        if line != last {
            output::result(&format!("{line}\n"))?;
            last = line;
        }
        if matches!(view["phase"].as_str(), Some("promoted" | "rolled-back" | "superseded")) {
            return Ok(Exit::Ok);
        }
        std::thread::sleep(PAUSE);
    }
}

/// Who is at the keyboard, for the history.
fn actor() -> String {
    std::env::var("USER").ok().filter(|user| !user.is_empty()).unwrap_or_else(|| "cli".to_owned())
}
