//! Requests: one by curl to see that the answer is right, then many by wrk, with what /proc says meanwhile.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::proc;
use super::server::Server;
use crate::accept::groups::Group;

/// What is asked for, and how the answer is known to be right.
#[derive(Debug, Clone)]
pub struct Request {
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    /// Sent by POST.
    pub body: Option<Vec<u8>>,
    pub expect: Expect,
}

/// Every answer is 200, besides.
#[derive(Debug, Clone)]
pub enum Expect {
    Exactly(Vec<u8>),
    Contains(&'static str),
    /// A JPEG of about so many bytes, give or take a factor of three: encoders differ.
    Jpeg(usize),
}

impl Expect {
    fn check(&self, body: &[u8]) -> Result<()> {
        match self {
            Self::Exactly(expected) => ensure!(body == expected, "answered {}", shown(body)),
            Self::Contains(text) => {
                ensure!(String::from_utf8_lossy(body).contains(text), "has no {text:?}: {}", shown(body));
            }
            Self::Jpeg(size) => {
                let fits = (size / 3..size * 3).contains(&body.len());
                ensure!(body.starts_with(&[0xff, 0xd8]) && fits, "is no such JPEG: {}", shown(body));
            }
        }
        Ok(())
    }
}

fn shown(body: &[u8]) -> String {
    let start: String = String::from_utf8_lossy(body).chars().take(200).collect();
    format!("{} bytes: {start:?}", body.len())
}

impl Request {
    /// Sends it once; fails unless status and body are as expected.
    pub fn check(&self, server: &Server, folder: &Path) -> Result<()> {
        let (sent, got) = (folder.join("sent"), folder.join("got"));
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "120", "--write-out", "%{http_code}", "--output"])
            .arg(&got);
        for (name, value) in &self.headers {
            curl.args(["--header", &format!("{name}: {value}")]);
        }
        if let Some(body) = &self.body {
            fs::write(&sent, body)?;
            curl.args(["--header", "expect:", "--data-binary"]).arg(format!("@{}", sent.display()));
        }
        let output = curl.arg(server.url(&self.path)).stdin(Stdio::null()).output().context("cannot start curl")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
        let status = String::from_utf8_lossy(&output.stdout).into_owned();
        let body = fs::read(&got).unwrap_or_default();
        ensure!(status == "200", "answered {status} with {}", shown(&body));
        self.expect.check(&body)
    }

    /// What makes wrk send it; none for a plain GET.
    fn script(&self, folder: &Path) -> Result<Option<String>> {
        if self.body.is_none() && self.headers.is_empty() {
            return Ok(None);
        }
        let mut lines = vec![];
        if let Some(body) = &self.body {
            let file = folder.join("sent");
            fs::write(&file, body)?;
            lines.push("wrk.method = 'POST'".to_owned());
            lines.push(format!(
                "local f = assert(io.open('{}', 'rb')); wrk.body = f:read('*a'); f:close()",
                file.display()
            ));
        }
        for (name, value) in &self.headers {
            lines.push(format!("wrk.headers['{name}'] = '{value}'"));
        }
        let script = folder.join("request.lua");
        fs::write(&script, lines.join("\n"))?;
        Ok(Some(script.display().to_string()))
    }

    /// Sends it for some time over so many connections at once, each as soon as the answer before has come.
    pub fn load(&self, server: &Server, folder: &Path, connections: u32, time: Duration) -> Result<Vec<(String, f64)>> {
        let before = proc::cpu(server.process());
        let round = self.wrk(server, folder, connections, time)?;
        let cpu = proc::cpu(server.process()) - before;
        let (rss, pss) = proc::memory(server.process());
        let figures = [
            ("requests/s", round.rate),
            ("CPU µs", cpu / round.answers * 1e6),
            ("p50 ms", round.p50),
            ("p99 ms", round.p99),
            ("RSS MiB", rss as f64 / 1024.0),
            ("PSS MiB", pss as f64 / 1024.0),
            ("failed", round.refused + round.broken),
        ];
        Ok(figures.map(|(name, value)| (name.to_owned(), value)).to_vec())
    }

    /// Sends it at a fixed rate, however long answers take; a GET without headers only.
    pub fn at_rate(&self, server: &Server, open_loop: &Path, rate: u32, time: Duration) -> Result<Vec<(String, f64)>> {
        ensure!(self.body.is_none() && self.headers.is_empty(), "only plain requests can be sent at a fixed rate");
        let before = proc::cpu(server.process());
        let mut command = Command::new(open_loop);
        command.args(["--port", &server.port.to_string(), "--path", &self.path, "--rate", &rate.to_string()]);
        command.args(["--seconds", &time.as_secs_f64().to_string()]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut group = Group::start(&mut command)?;
        let output = group.child.stdout.take().context("standard output is piped")?;
        let text = std::io::read_to_string(output)?;
        let code = group.wait(Duration::from_secs(60))?;
        ensure!(code == Some(0), "the generator of load ended with {code:?}");
        let cpu = proc::cpu(server.process()) - before;
        let said: serde_json::Value = serde_json::from_str(&text).with_context(|| format!("no JSON: {text:?}"))?;
        let figure = |name: &str| said.get(name).and_then(serde_json::Value::as_f64).context("a figure is missing");
        let mut figures = vec![("answers/s".to_owned(), figure("rate")?)];
        figures.push(("CPU µs".to_owned(), cpu / figure("answers")? * 1e6));
        for (name, key) in [("p50 ms", "p50"), ("p90 ms", "p90"), ("p99 ms", "p99"), ("p99.9 ms", "p99.9")] {
            figures.push((name.to_owned(), figure(key)?));
        }
        figures.push(("failed".to_owned(), figure("failed")?));
        Ok(figures)
    }

    /// Sends it over one connection, and says how many answers came.
    pub fn answers(&self, server: &Server, folder: &Path, time: Duration) -> Result<f64> {
        Ok(self.wrk(server, folder, 1, time)?.answers)
    }

    fn wrk(&self, server: &Server, folder: &Path, connections: u32, time: Duration) -> Result<Round> {
        let mut wrk = Command::new("wrk");
        wrk.args(["--latency", "--timeout", "120s", "--threads", &connections.min(2).to_string()]);
        wrk.args(["--connections", &connections.to_string(), "--duration", &format!("{}s", time.as_secs().max(1))]);
        if let Some(script) = self.script(folder)? {
            wrk.args(["--script", &script]);
        }
        wrk.arg(server.url(&self.path)).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut group = Group::start(&mut wrk)?;
        let output = group.child.stdout.take().context("standard output is piped")?;
        let text = std::io::read_to_string(output)?;
        let code = group.wait(Duration::from_secs(300))?;
        ensure!(code == Some(0), "wrk ended with {code:?}: {text}");
        read(&text).with_context(|| format!("wrk wrote {text:?}"))
    }
}

/// What wrk says. Times in ms.
#[derive(Debug, Default, PartialEq)]
struct Round {
    answers: f64,
    /// Answers a second.
    rate: f64,
    p50: f64,
    p99: f64,
    /// Answers that are neither 2xx nor 3xx.
    refused: f64,
    /// Connections that failed, and answers that stayed away.
    broken: f64,
}

fn read(text: &str) -> Result<Round> {
    let mut round = Round::default();
    for line in text.lines().map(str::trim) {
        if let Some((answers, _)) = line.split_once(" requests in ") {
            round.answers = answers.parse()?;
        } else if let Some(rate) = line.strip_prefix("Requests/sec:") {
            round.rate = rate.trim().parse()?;
        } else if let Some(refused) = line.strip_prefix("Non-2xx or 3xx responses: ") {
            round.refused = refused.parse()?;
        } else if let Some(errors) = line.strip_prefix("Socket errors: ") {
            let counts = errors.split(", ").filter_map(|error| error.rsplit(' ').next());
            round.broken = counts.map(str::parse::<f64>).sum::<Result<f64, _>>()?;
        } else if let Some(time) = line.strip_prefix("50%") {
            round.p50 = millis(time.trim())?;
        } else if let Some(time) = line.strip_prefix("99%") {
            round.p99 = millis(time.trim())?;
        }
    }
    ensure!(round.answers > 0.0, "no requests were answered");
    Ok(round)
}

/// A time as wrk writes it, such as `1.20ms`.
fn millis(text: &str) -> Result<f64> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).context("a time has a unit")?;
    let (number, unit) = text.split_at(unit_at);
    let factor = match unit {
        "us" => 1e-3,
        "ms" => 1.0,
        "s" => 1e3,
        "m" => 6e4,
        other => anyhow::bail!("{other} is no unit of time"),
    };
    Ok(number.parse::<f64>()? * factor)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_wrk_writes_is_read() {
        let text = "  Latency Distribution\n     50%  650.00us\n     99%   10.34ms\n  25034 requests in 1.10s, 3.10MB read\n  \
            Socket errors: connect 1, read 20, write 0, timeout 300\n  Non-2xx or 3xx responses: 7\nRequests/sec:  22743.92\n";
        let round = read(text).unwrap();
        assert_eq!((round.answers, round.refused, round.broken), (25034.0, 7.0, 321.0));
        assert_eq!((round.p50, round.p99, round.rate), (0.65, 10.34, 22743.92));
        assert!(read("unable to connect").is_err());
        assert_eq!(millis("1.50m").unwrap(), 9e4);
    }
}
