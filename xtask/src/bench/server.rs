//! A contender that runs: started in a clean environment on a free port, asked until it answers, ended with its children.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::accept::groups::Group;

/// To compile the dearest guest on a machine that does other things too.
const START: Duration = Duration::from_secs(180);

pub struct Server {
    pub port: u16,
    group: Group,
    log: PathBuf,
}

impl Server {
    /// Starts what `command` makes for a port, in `folder`, where its output and whatever it writes remain. Returns when it
    /// answers `GET /` with 200: some listen and refuse before they are ready.
    pub fn start(folder: &Path, command: impl Fn(u16) -> Result<Command>) -> Result<Self> {
        let mut server = Self::spawn(folder, command)?;
        let begin = Instant::now();
        while !first_byte(server.port, "/").is_some_and(|line| line.contains(" 200")) {
            if let Some(status) = server.group.child.try_wait()? {
                bail!("it ended with {status} before it answered:\n{}", server.log());
            }
            if begin.elapsed() > START {
                bail!("no answer within {} s:\n{}", START.as_secs(), server.log());
            }
            sleep(Duration::from_millis(10));
        }
        Ok(server)
    }

    /// Starts it and returns at once.
    pub fn spawn(folder: &Path, command: impl Fn(u16) -> Result<Command>) -> Result<Self> {
        let home = folder.join("home");
        fs::create_dir_all(&home).with_context(|| format!("cannot create {}", home.display()))?;
        let log = folder.join("log");
        let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let port = free_port()?;
        let mut command = command(port)?;
        // RUST_BACKTRACE alone makes some peers thirty times slower.
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", &home);
        command.current_dir(folder).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        Ok(Self { port, group: Group::start(&mut command)?, log })
    }

    pub fn process(&self) -> i32 {
        self.group.pid().as_raw()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The end of what it wrote.
    pub fn log(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().rev().take(15).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

/// The first line of the answer to a GET, as soon as there is one; none while nobody listens or answers.
pub fn first_byte(port: u16, path: &str) -> Option<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(START)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n").ok()?;
    let mut buffer = [0; 512];
    let read = stream.read(&mut buffer).ok()?;
    let head = String::from_utf8_lossy(buffer.get(..read)?);
    head.starts_with("HTTP/1.1 ").then(|| head.lines().next().unwrap_or_default().to_owned())
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
