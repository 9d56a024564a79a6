//! The app under attack: one host with a component for each kind of attacker, a neighbour, and a server behind it.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use super::graft;
use super::upstream;
use super::vitals::Vitals;
use crate::accept::fresh;
use crate::accept::server::Server;
use crate::workspace::Workspace;

/// What instances may hold together, in MiB: `--memory`.
const MEMORY: u64 = 512;
/// What the process may take beyond that and what it had at the start, in MiB: connections, buffers, tasks.
const BESIDE: u64 = 64;

/// What an attacker's component is made of.
enum Source {
    Guest(&'static str),
    /// `p3/hello` with hostile modules in it.
    Grafted(fn() -> Vec<String>),
}

use Source::{Grafted, Guest};

/// Components of attackers: the name, which is also the path, and the source.
const COMPONENTS: [(&str, Source); 22] = [
    ("hello", Guest("p3/hello")),
    ("spin", Guest("p3/spin")),
    ("spin2", Guest("p2/spin")),
    ("alloc", Guest("p3/alloc")),
    ("alloc2", Guest("p2/alloc")),
    ("trap", Guest("p3/trap")),
    ("trap2", Guest("p2/trap")),
    ("host3", Guest("p3/attack_host")),
    ("host2", Guest("p2/attack_host")),
    ("wasm", Guest("p3/attack_wasm")),
    ("drip", Guest("p3/drip")),
    ("abort", Guest("p3/abort")),
    ("abort2", Guest("p2/abort")),
    ("echo", Guest("p3/echo")),
    ("logs", Guest("p3/logs")),
    ("after", Guest("p3/after")),
    ("start-spin", Grafted(graft::spins_at_start)),
    ("start-trap", Grafted(graft::traps_at_start)),
    ("memories", Grafted(|| graft::many_memories(24))),
    ("tables", Grafted(|| graft::growing_tables(24))),
    ("large", Grafted(graft::large_memory)),
    // Requests that share an instance, and its fate.
    ("shared", Guest("p3/trap")),
];

/// Components with the usual limits, for loads that hurt nobody; the last one's instances are used again.
pub const CALM: [(&str, &str); 3] = [("calm-p3", "p3/hello"), ("calm-p2", "p2/hello"), ("calm-reused", "p3/reflect")];

/// Every attacker's limits: short, so that a case ends in a few seconds.
const LIMITS: &str = r#"
memory = "64MiB"
memory_total = "256MiB"
cpu_per_request = "100ms"
deadline = "1s"
after_response = "500ms"
concurrency = 64
queue = 64
queue_deadline = "300ms"
"#;

pub struct App {
    server: Server,
    pub addr: SocketAddr,
    pub admin: SocketAddr,
    /// The server behind it.
    pub behind: SocketAddr,
    /// Another address it listens on, known to its manifest.
    pub own: SocketAddr,
    /// Where its manifest is.
    pub place: PathBuf,
    pub binary: PathBuf,
    /// The built test guests: `<set>/<name>.wasm`.
    pub guests: PathBuf,
}

/// All that an app is started from.
pub struct Prepared {
    binary: PathBuf,
    place: PathBuf,
    guests: PathBuf,
    behind: SocketAddr,
    own: SocketAddr,
    /// How often it was started.
    starts: u32,
}

/// Builds what is needed, and starts the server behind.
pub fn prepare(workspace: &Workspace, binary: Option<&Path>) -> Result<Prepared> {
    let binary = match binary {
        Some(binary) => binary.canonicalize().with_context(|| format!("there is no {}", binary.display()))?,
        None => {
            build(workspace, Path::new("cargo"), &["build", "--package", "coracle", "--locked"])?;
            workspace.target.join("debug/coracle")
        }
    };
    let own = std::env::current_exe().context("this program can't be found")?;
    build(workspace, &own, &["guests", "p3", "p2"])?;
    let place = workspace.target.join("accept/attacks");
    fresh(&place)?;
    let guests = workspace.target.join("guests");
    let (behind, own) = (upstream::start()?, free_addr()?);
    let manifest = place.join("coracle.toml");
    std::fs::write(&manifest, manifest_text(&place, &guests, behind, own)?)?;
    Ok(Prepared { binary, place, guests, behind, own, starts: 0 })
}

impl Prepared {
    /// Starts the host.
    pub fn start(&mut self) -> Result<App> {
        self.starts += 1;
        let Self { binary, place, guests, behind, own, starts } = self;
        let mut command = Command::new(&*binary);
        command.args(["up", "--memory", &format!("{MEMORY}MiB"), "--listen", &own.to_string()]).current_dir(&*place);
        let server = Server::start(place, &format!("attacks-{starts}"), command, Vec::new())?;
        let (addr, admin) = (addr(&server.url)?, addr(&server.admin)?);
        Ok(App {
            server,
            addr,
            admin,
            behind: *behind,
            own: *own,
            place: place.clone(),
            binary: binary.clone(),
            guests: guests.clone(),
        })
    }
}

pub fn addr(url: &str) -> Result<SocketAddr> {
    url.trim_start_matches("http://").parse().with_context(|| format!("{url} is no address"))
}

/// One that was free a moment ago.
fn free_addr() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

fn build(workspace: &Workspace, program: &Path, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new(program);
    let status = command.args(arguments).current_dir(&workspace.root).stdout(std::io::stderr()).status();
    let shown = format!("{} {}", program.display(), arguments.join(" "));
    let status = status.with_context(|| format!("cannot start `{shown}`"))?;
    ensure!(status.success(), "`{shown}` failed ({status})");
    Ok(())
}

fn manifest_text(place: &Path, guests: &Path, behind: SocketAddr, own: SocketAddr) -> Result<String> {
    let hello = guests.join("p3/hello.wasm");
    let mut text = format!(
        "name = \"attacks\"\n\n[component.neighbour]\nsource = {hello:?}\n\n[[route]]\npath = \"/neighbour\"\nto = \"neighbour\"\n\n\
         [upstream.behind]\nurl = \"http://{behind}\"\n\n[[route]]\npath = \"/behind\"\nto = \"behind\"\n"
    );
    for (name, guest) in CALM {
        let file = guests.join(format!("{guest}.wasm"));
        let reuse = if name == "calm-reused" { "reuse = { requests = 1000, concurrency = 16 }\n" } else { "" };
        text += &format!(
            "\n[component.{name}]\nsource = {file:?}\n{reuse}\n[[route]]\npath = \"/{name}\"\nto = \"{name}\"\n"
        );
    }
    let harmless = std::fs::read(&hello).with_context(|| format!("cannot read {}", hello.display()))?;
    for (name, source) in &COMPONENTS {
        let file = match source {
            Guest(guest) => guests.join(format!("{guest}.wasm")),
            Grafted(modules) => {
                let file = place.join(format!("{name}.wasm"));
                std::fs::write(&file, graft::graft(&harmless, &modules())?)?;
                file
            }
        };
        text += &format!("\n[component.{name}]\nsource = {file:?}\n");
        match *name {
            "shared" => text += "reuse = { requests = 1000, concurrency = 16 }\n",
            "host3" => {
                text += &format!(
                    "\n[component.host3.grants]\nhttp = [\"GET http://{behind}/**\", \"GET http://{own}/**\"]\n"
                );
            }
            _ => {}
        }
        text += &format!("\n[component.{name}.limits]{LIMITS}\n[[route]]\npath = \"/{name}\"\nto = \"{name}\"\n");
    }
    Ok(text)
}

impl App {
    pub fn process(&self) -> i32 {
        self.server.process()
    }

    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.server.signal(signal)
    }

    /// Standard error so far.
    pub fn log(&self) -> Result<String> {
        self.server.log()
    }

    /// What resident memory must stay under, in KiB.
    pub fn cap(&self, start: &Vitals) -> u64 {
        start.resident + (MEMORY + BESIDE) * 1024
    }

    /// Ends it as an orchestrator does.
    pub fn stop(self) -> Result<String> {
        // Connections that the neighbours have left are no part of the drain.
        std::thread::sleep(Duration::from_millis(50));
        self.server.stop()
    }
}
