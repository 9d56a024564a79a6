//! `coracle observe`: what the dashboard shows, in a terminal. It asks the admin listener of a running process; all it does itself is to
//! lay figures out in columns.

mod client;
mod show;

use crate::args::{Observe, Observed};
use crate::exit::{Exit, Failure};
use crate::output;
use anyhow::{Context as _, anyhow};
use client::Client;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// How often `top` looks.
const EVERY: Duration = Duration::from_secs(2);

/// Shows what was asked for.
///
/// # Errors
/// When the process can't be reached, or has another token.
pub fn run(options: &Observe) -> Result<Exit, Failure> {
    let client = Client { admin: options.admin, token: token(options)? };
    match &options.what {
        Observed::Open => open(&client, options.json),
        Observed::Top { once } => top(&client, *once || options.json, options.json),
        Observed::Logs { follow, text, severity, name, last } => {
            let filter = [("text", text), ("severity", severity), ("name", name)];
            let given = filter.iter().filter_map(|(key, value)| Some((*key, value.as_deref()?)));
            logs(&client, &client::query(given), (*last, *follow), options.json)
        }
        Observed::Trace { id } => trace(&client, id.as_deref(), options.json),
        Observed::Profile { time, out } => profile(&client, *time, out.clone(), options.json),
    }?;
    Ok(Exit::Ok)
}

/// Of the environment, else of the file.
fn token(options: &Observe) -> Result<String, Failure> {
    if let Some(token) = std::env::var("CORACLE_ADMIN_TOKEN").ok().filter(|token| !token.is_empty()) {
        return Ok(token);
    }
    let file = options.token_file.clone().unwrap_or_else(|| PathBuf::from(".coracle/admin-token"));
    let read = std::fs::read_to_string(&file).with_context(|| {
        let shown = file.display();
        format!("the token can't be read from {shown}; name its file with --token-file (`coracle up` says where it is)")
    });
    Ok(read.map_err(Failure::mend)?.trim().to_owned())
}

fn open(client: &Client, as_json: bool) -> Result<(), Failure> {
    // Also finds out whether anybody is there, and whether the token is the right one.
    client.get("/api/overview")?;
    let url = format!("http://{}/#token={}", client.admin, client.token);
    if as_json { output::json(&json!({ "url": url })) } else { output::result(&format!("{url}\n")) }
}

fn top(client: &Client, once: bool, as_json: bool) -> Result<(), Failure> {
    loop {
        let overview = client.get("/api/overview")?;
        if as_json {
            return output::json(&overview);
        }
        let clear = if once { "" } else { "\x1b[2J\x1b[H" };
        output::result(&format!("{clear}{}", show::overview(&overview)))?;
        if once {
            return Ok(());
        }
        std::thread::sleep(EVERY);
    }
}

fn logs(client: &Client, filter: &str, (last, follow): (usize, bool), as_json: bool) -> Result<(), Failure> {
    let print = |line: &Value| match as_json {
        true => output::result(&format!("{line}\n")),
        false => output::result(&show::line(line)),
    };
    let lines = client.get(&format!("/api/logs?limit={}&{filter}", last.clamp(1, 1000)))?;
    lines.as_array().into_iter().flatten().rev().try_for_each(print)?;
    if !follow {
        return Ok(());
    }
    client.follow(&format!("/api/logs/live?{filter}"), |event| {
        let lines = event.get("things").and_then(Value::as_array);
        lines.into_iter().flatten().try_for_each(print)
    })
}

fn trace(client: &Client, id: Option<&str>, as_json: bool) -> Result<(), Failure> {
    let Some(id) = id else {
        let traces = client.get("/api/traces?limit=30")?;
        return if as_json { output::json(&traces) } else { output::result(&show::traces(&traces)) };
    };
    if !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Failure::usage(format!("`{id}` is no id: those of traces and requests have 32 hex digits")));
    }
    let trace = match client.find(&format!("/api/traces/{id}"))? {
        Some(trace) => Some(trace),
        // The id of a request is that of its trace, unless its caller had begun one.
        None => client.find(&format!("/api/requests/{id}"))?.and_then(|found| found.get(1).cloned()),
    };
    let trace = trace.ok_or_else(|| Failure::mend(anyhow!("nothing with the id {id} is kept")))?;
    if as_json { output::json(&trace) } else { output::result(&show::trace(&trace)) }
}

fn profile(client: &Client, time: Duration, out: Option<PathBuf>, as_json: bool) -> Result<(), Failure> {
    if !as_json {
        output::remark(&format!("sampling for {} …\n", humantime::format_duration(time)));
    }
    let profile = client.get(&format!("/api/profile?seconds={}", time.as_secs().clamp(1, 300)))?;
    if as_json {
        return output::json(&profile);
    }
    let samples: u64 = show::stacks(&profile).map(|(_, weight)| weight).sum();
    if samples == 0 {
        return output::result("no guest was computing; send requests meanwhile\n");
    }
    let out = out.unwrap_or_else(|| PathBuf::from("coracle.speedscope.json"));
    let written = std::fs::write(&out, show::speedscope(&profile).to_string());
    written.with_context(|| format!("{} can't be written", out.display())).map_err(Failure::mend)?;
    output::result(&show::profile(&profile))?;
    output::remark(&format!(
        "{samples} samples in {}; open it at https://www.speedscope.app or on the dashboard\n",
        out.display()
    ));
    Ok(())
}
