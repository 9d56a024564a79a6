//! What a process holds: memory, descriptors and threads by /proc, and what it says of itself on `/status`.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::app::App;

/// How a process is at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Vitals {
    /// Resident memory in KiB.
    pub resident: u64,
    pub descriptors: usize,
    pub threads: u64,
    /// Requests that run or wait in components other than the neighbour.
    pub running: u64,
    /// Bytes that instances hold.
    pub instances: u64,
}

impl Vitals {
    pub fn of(app: &App) -> Result<Self> {
        let process = app.process();
        let status = status(app.admin)?;
        let components = status.get("components").and_then(Value::as_object).context("/status lists no components")?;
        let number = |component: &Value, key: &str| component.get(key).and_then(Value::as_u64).unwrap_or(0);
        let others = components.iter().filter(|(name, _)| *name != "neighbour");
        Ok(Self {
            resident: field(process, "VmRSS:").context("the process has ended")?,
            descriptors: fs::read_dir(format!("/proc/{process}/fd"))?.count(),
            threads: field(process, "Threads:").context("the process has ended")?,
            running: others.map(|(_, one)| number(one, "running") + number(one, "waiting")).sum(),
            instances: components.values().map(|one| number(one, "memory_bytes")).sum(),
        })
    }
}

/// `GET /status`, as JSON.
fn status(admin: SocketAddr) -> Result<Value> {
    let mut stream = TcpStream::connect_timeout(&admin, Duration::from_secs(5)).context("no admin connection")?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(format!("GET /status HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).context("/status does not answer")?;
    let (_, body) = answer.split_once("\r\n\r\n").context("/status answers without a head")?;
    serde_json::from_str(body).context("/status is no JSON")
}

/// A number of /proc/PID/status.
fn field(process: i32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The most resident memory in a time, read fifty times a second.
pub struct Watch {
    stop: Sender<()>,
    most: JoinHandle<u64>,
}

impl Watch {
    pub fn start(process: i32) -> Self {
        let (stop, stopped) = channel();
        let most = thread::spawn(move || {
            let mut most = 0;
            while let Some(resident) = field(process, "VmRSS:") {
                most = most.max(resident);
                if stopped.recv_timeout(Duration::from_millis(20)) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            most
        });
        Self { stop, most }
    }

    /// In KiB.
    pub fn most(self) -> u64 {
        drop(self.stop);
        self.most.join().unwrap_or_default()
    }
}
