//! One call of the admin listener, and what its refusals mean here.

#![allow(clippy::indexing_slicing, reason = "a JSON value answers null for what it lacks")]

use crate::args::Rollout;
use crate::exit::Failure;
use anyhow::{Context as _, anyhow};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use ureq::Agent;

/// A call that takes longer has no answer.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Client {
    agent: Agent,
    addr: SocketAddr,
    token_file: PathBuf,
}

impl Client {
    pub fn new(options: &Rollout) -> Result<Self, Failure> {
        let config = Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false);
        let token_file = options.state_dir.clone().unwrap_or_else(|| PathBuf::from(".coracle")).join("admin-token");
        Ok(Self { agent: config.build().into(), addr: options.admin, token_file })
    }

    pub fn get(&self, path: &str) -> Result<Value, Failure> {
        let response = self.agent.get(format!("http://{}{path}", self.addr)).call();
        self.read(response)
    }

    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let request = self.agent.post(format!("http://{}{path}", self.addr));
        let request = request.header("authorization", format!("Bearer {}", self.token()?));
        let response = request.header("content-type", "application/json").send(body.to_string());
        self.read(response)
    }

    /// The rollout of an id, or of the name of its new version.
    pub fn rollout(&self, id: &str) -> Result<Value, Failure> {
        self.get(&format!("/v1/rollouts/{id}"))
    }

    /// The id that is meant; without one, that of the only rollout in use.
    pub fn id(&self, asked: Option<&str>) -> Result<String, Failure> {
        if let Some(asked) = asked {
            return Ok(asked.to_owned());
        }
        let all = self.get("/v1/rollouts")?;
        let current = all["rollouts"].as_array().into_iter().flatten().filter(|view| view["current"] == true);
        let ids: Vec<_> = current.filter_map(|view| view["id"].as_str()).collect();
        match ids.as_slice() {
            [only] => Ok((*only).to_owned()),
            [] => Err(Failure::mend(anyhow!(
                "no route of the manifest has a rollout: add `rollout = {{ from = … }}` to one"
            ))),
            several => Err(Failure::usage(format!("there are several rollouts; say which: {}", several.join(", ")))),
        }
    }

    fn token(&self) -> Result<String, Failure> {
        if let Ok(token) = std::env::var("CORACLE_ADMIN_TOKEN") {
            return Ok(token);
        }
        let read = std::fs::read_to_string(&self.token_file).with_context(|| {
            let file = self.token_file.display();
            format!("can't read the admin token {file}: run this beside the manifest, or say --state-dir or $CORACLE_ADMIN_TOKEN")
        });
        Ok(read.map_err(Failure::mend)?.trim().to_owned())
    }

    fn read(&self, response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Value, Failure> {
        let mut response = response
            .with_context(|| {
                format!("nothing answers at {}: is `coracle up` running, and is its --admin that?", self.addr)
            })
            .map_err(Failure::mend)?;
        let text = response.body_mut().read_to_string().context("the answer broke off").map_err(Failure::mend)?;
        let value: Value = serde_json::from_str(&text).context("the answer is no JSON").map_err(Failure::mend)?;
        if response.status().is_success() {
            return Ok(value);
        }
        let detail = value["detail"].as_str().unwrap_or("the call was refused").to_owned();
        Err(Failure::mend(anyhow!(detail)))
    }
}
