//! A running `coracle up` on free ports: waits until it is ready, sends it signals, reads its logs, ends it.
//! Its output goes to files, so that reading it costs the load nothing.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};

use super::Stage;
use super::groups::Group;
use super::http;

/// To compile components, start Node and Vite, on a machine that does other things too.
const START: Duration = Duration::from_secs(180);
/// How long running requests may go on; the default of `coracle up`.
pub const DRAIN: Duration = Duration::from_secs(10);
/// Drain, then the upstreams' own time to end.
const STOP: Duration = Duration::from_secs(20);

pub struct Server {
    /// `http://ADDR`.
    pub url: String,
    /// The same of the admin listener.
    pub admin: String,
    group: Group,
    out: PathBuf,
    err: PathBuf,
    /// Ports of upstreams that coracle starts.
    ports: Vec<u16>,
}

impl Server {
    /// Serves the copy of the shop, with more arguments.
    pub fn shop(stage: &Stage, name: &str, more: &[&str]) -> Result<Self> {
        let ports = [free_port()?, free_port()?];
        let [node, vite] = ports.map(|port| port.to_string());
        let mut command = Command::new(&stage.coracle);
        command.args(["up"]).args(more).current_dir(&stage.shop.dir).env("NODE_PORT", node).env("VITE_PORT", vite);
        Self::start(&stage.logs, name, command, ports.to_vec())
    }

    /// Serves one component by itself.
    pub fn component(stage: &Stage, name: &str, wasm: &Path) -> Result<Self> {
        let mut command = Command::new(&stage.coracle);
        command.arg("up").arg(wasm).current_dir(&stage.logs);
        Self::start(&stage.logs, name, command, Vec::new())
    }

    /// Starts `coracle up` with what is needed beside the addresses; `ports` must be free again in the end.
    pub fn start(logs: &Path, name: &str, mut command: Command, ports: Vec<u16>) -> Result<Self> {
        let (out, err) = (logs.join(format!("{name}.out")), logs.join(format!("{name}.err")));
        command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]).stdin(Stdio::null());
        command.stdout(File::create(&out)?).stderr(File::create(&err)?);
        let group = Group::start(&mut command)?;
        let mut server = Self { url: String::new(), admin: String::new(), group, out, err, ports };
        server.url = server.wait_for("a first line", |server| after(&server.access()?, "listening on "))?;
        server.admin = server.wait_for("an admin listener", |server| after(&server.log()?, "admin on "))?;
        server.wait_for("readiness", |server| {
            Ok(http::get(&format!("{}/readyz", server.admin))?.status == 200).map(|ready| ready.then_some(()))
        })?;
        Ok(server)
    }

    /// Asks again and again.
    pub fn wait_for<T>(&mut self, what: &str, ask: impl Fn(&Self) -> Result<Option<T>>) -> Result<T> {
        let begin = Instant::now();
        while begin.elapsed() < START {
            if let Some(found) = ask(self)? {
                return Ok(found);
            }
            if let Some(status) = self.group.child.try_wait()? {
                bail!("coracle ended with {status} before {what}:\n{}", self.log()?);
            }
            sleep(Duration::from_millis(20));
        }
        bail!("no {what} within {} s:\n{}", START.as_secs(), self.log()?)
    }

    pub fn process(&self) -> i32 {
        self.group.pid().as_raw()
    }

    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.group.pid(), signal).context("the signal can't be sent")
    }

    /// Standard output so far: the first line, then the access log.
    pub fn access(&self) -> Result<String> {
        read(&self.out)
    }

    /// Standard error so far.
    pub fn log(&self) -> Result<String> {
        read(&self.err)
    }

    /// The access log's last line on a path. The record is written when an answer has ended, so maybe a moment after
    /// the client has it.
    pub fn record(&self, path: &str) -> Result<String> {
        let asked = format!(" 127.0.0.1{} ", path.split('?').next().unwrap_or_default());
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(10) {
            if let Some(line) = self.access()?.lines().rfind(|line| line.contains(&asked)) {
                return Ok(line.to_owned());
            }
            sleep(Duration::from_millis(10));
        }
        bail!("the access log has no line with `{asked}`")
    }

    /// Who answered the last request for a path, by the access log.
    pub fn served_by(&self, path: &str) -> Result<String> {
        // time method host/path status duration bytes destination …
        Ok(self.record(path)?.split(' ').nth(6).unwrap_or_default().to_owned())
    }

    /// Ends it as an orchestrator does; that must be clean and leave nothing behind.
    pub fn stop(mut self) -> Result<String> {
        self.signal(Signal::SIGTERM)?;
        self.ended()
    }

    /// Waits for the end that was asked for.
    pub fn ended(&mut self) -> Result<String> {
        let begin = Instant::now();
        let code = self.group.wait(STOP)?;
        let took = begin.elapsed();
        ensure!(code == Some(0), "ended with {code:?} within {took:.1?} after SIGTERM:\n{}", self.log()?);
        for port in &self.ports {
            let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, *port));
            bound.with_context(|| format!("a process that coracle started still holds port {port}"))?;
        }
        Ok(format!("exit 0 after {took:.1?}"))
    }
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn read(file: &Path) -> Result<String> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The word that follows `mark`, once its line is whole.
#[expect(clippy::unnecessary_wraps, reason = "as `wait_for` asks")]
fn after(text: &str, mark: &str) -> Result<Option<String>> {
    let found = text.split_once(mark).and_then(|(_, rest)| rest.split_once('\n'));
    Ok(found.and_then(|(line, _)| line.split_whitespace().next()).map(str::to_owned))
}
