//! Requests by curl, one a call: what a user of the README would type.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

pub struct Answer {
    pub status: u16,
    /// The content type, without parameters.
    pub kind: String,
    pub body: String,
}

impl Answer {
    /// A short word on an answer that is as expected; else what is wrong with it.
    pub fn expect(&self, status: u16, kind: &str, text: &str) -> Result<String> {
        let start: String = self.body.chars().take(300).collect();
        ensure!(self.status == status, "answered {} instead of {status}: {start}", self.status);
        ensure!(self.kind == kind, "is {} instead of {kind}: {start}", self.kind);
        ensure!(self.body.contains(text), "lacks {text:?}: {start}");
        Ok(format!("{status} {kind}, {} bytes", self.body.len()))
    }
}

pub fn get(url: &str) -> Result<Answer> {
    curl(&[url])
}

pub fn post(url: &str, json: &str) -> Result<Answer> {
    curl(&["--header", "content-type: application/json", "--data", json, url])
}

fn curl(arguments: &[&str]) -> Result<Answer> {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--max-time", "60", "--write-out", "\n%{http_code} %{content_type}"]);
    let output = curl.args(arguments).stdin(Stdio::null()).output().context("cannot start curl")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    let text = String::from_utf8_lossy(&output.stdout);
    let (body, head) = text.rsplit_once('\n').context("curl says no status")?;
    let (status, kind) = head.split_once(' ').unwrap_or((head, ""));
    Ok(Answer {
        status: status.parse().with_context(|| format!("no status in {head:?}"))?,
        kind: kind.split(';').next().unwrap_or_default().trim().to_owned(),
        body: body.to_owned(),
    })
}
