//! The app under attack: one host with a component for each kind of attacker, a neighbour, and a server behind it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::probe::Probe;
use super::upstream;
use super::vitals::Vitals;
use crate::accept::fresh;
use crate::accept::server::Server;
use crate::workspace::Workspace;

/// What instances may hold together, in MiB: `--memory`.
const MEMORY: u64 = 512;
/// What the process may take beyond that and what it had at the start, in MiB: connections, buffers, tasks.
const BESIDE: u64 = 64;

/// Components of attackers: name in the manifest, guest.
const COMPONENTS: [(&str, &str); 4] =
    [("spin", "p3/spin"), ("alloc", "p3/alloc"), ("trap", "p3/trap"), ("hello", "p3/hello")];

/// Every attacker's limits: short, so that a case ends in a few seconds.
const LIMITS: &str = r#"
memory = "64MiB"
memory_total = "256MiB"
cpu_per_request = "100ms"
deadline = "2s"
after_response = "1s"
concurrency = 64
queue = 64
queue_deadline = "500ms"
"#;

pub struct App {
    server: Server,
    pub addr: SocketAddr,
    pub admin: SocketAddr,
}

/// Builds what is needed and starts it all.
pub fn start(workspace: &Workspace, binary: Option<&Path>) -> Result<App> {
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
    let manifest = place.join("coracle.toml");
    std::fs::write(&manifest, manifest_text(&workspace.target.join("guests"), upstream::start()?))?;
    let mut command = Command::new(binary);
    command.args(["up", "--memory", &format!("{MEMORY}MiB")]).arg(&manifest).current_dir(&place);
    let server = Server::start(&place, "attacks", command, Vec::new())?;
    let addr = |url: &str| url.trim_start_matches("http://").parse().with_context(|| format!("{url} is no address"));
    Ok(App { addr: addr(&server.url)?, admin: addr(&server.admin)?, server })
}

fn build(workspace: &Workspace, program: &Path, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new(program);
    let status = command.args(arguments).current_dir(&workspace.root).stdout(std::io::stderr()).status();
    let shown = format!("{} {}", program.display(), arguments.join(" "));
    let status = status.with_context(|| format!("cannot start `{shown}`"))?;
    ensure!(status.success(), "`{shown}` failed ({status})");
    Ok(())
}

fn manifest_text(guests: &Path, behind: SocketAddr) -> String {
    let source = |guest: &str| -> PathBuf { guests.join(format!("{guest}.wasm")) };
    let mut text = format!(
        "name = \"attacks\"\n\n[component.neighbour]\nsource = {:?}\n\n[[route]]\npath = \"/neighbour\"\nto = \"neighbour\"\n\n\
         [upstream.behind]\nurl = \"http://{behind}\"\n\n[[route]]\npath = \"/behind\"\nto = \"behind\"\n",
        source("p3/hello")
    );
    for (name, guest) in COMPONENTS {
        text += &format!(
            "\n[component.{name}]\nsource = {:?}\n\n[component.{name}.limits]{LIMITS}\n[[route]]\npath = \"/{name}\"\nto = \"{name}\"\n",
            source(guest)
        );
    }
    text
}

impl App {
    pub fn process(&self) -> i32 {
        self.server.process()
    }

    /// What resident memory must stay under, in KiB.
    pub fn cap(&self, start: &Vitals) -> u64 {
        start.resident + (MEMORY + BESIDE) * 1024
    }

    /// Ends it as an orchestrator does.
    pub fn stop(self, probe: Probe) -> Result<String> {
        probe.stop();
        // Connections that the neighbours have left are no part of the drain.
        std::thread::sleep(Duration::from_millis(50));
        self.server.stop()
    }
}
