//! Who is compared, and how each is started. Reuse means the same everywhere: 128 requests an instance, of which 16 at
//! once where the guest is of WASI 0.3; that is what `wasmtime serve` does by default.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use clap::ValueEnum;
use serde_json::json;

use super::install;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Peer {
    /// hyper without a guest: the limit
    Hyper,
    /// Node's own HTTP server, one process
    Node,
    /// wasmtime serve
    Wasmtime,
    /// wash dev, as it comes: a new instance for each request
    Wash,
    Coracle,
}

impl Peer {
    /// As it stands in tables and in the JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hyper => "hyper",
            Self::Node => "Node",
            Self::Wasmtime => "wasmtime serve",
            Self::Wash => "wash dev",
            Self::Coracle => "Coracle",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// A new instance for each request.
    Fresh,
    Reused,
}

/// One peer with one program.
#[derive(Debug, Clone)]
pub struct Contender {
    pub peer: Peer,
    pub program: Program,
    /// Coracle's shards; none is a shard a core.
    pub shards: Option<u16>,
    /// Where its program does what the case is about, if not at the path of the case.
    pub path: Option<&'static str>,
}

#[derive(Debug, Clone)]
pub enum Program {
    /// A native server of bench/src/bin.
    Native(&'static str),
    /// A script of bench/node.
    Script(&'static str),
    /// `set/name` of a guest.
    Guest(&'static str, Reuse),
}

/// Where a contender listens, and who else does if it has to ask somebody.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    pub own: u16,
    pub upstream: Option<u16>,
}

/// Where programs are.
pub struct Places {
    pub root: PathBuf,
    /// Copies of what was built, so that a build meanwhile changes nothing.
    pub built: PathBuf,
    pub guests: PathBuf,
    /// bench/node with its packages.
    pub node: PathBuf,
    pub wasmtime: PathBuf,
    pub wash: PathBuf,
}

impl Contender {
    pub fn guest(peer: Peer, guest: &'static str, reuse: Reuse) -> Self {
        Self { peer, program: Program::Guest(guest, reuse), shards: None, path: None }
    }

    pub fn native(peer: Peer, program: &'static str) -> Self {
        Self { peer, program: Program::Native(program), shards: None, path: None }
    }

    pub fn script(name: &'static str) -> Self {
        Self { peer: Peer::Node, program: Program::Script(name), shards: None, path: None }
    }

    /// What it runs and how, such as `p3, fresh`.
    pub fn variant(&self) -> String {
        let shards = match self.shards {
            Some(1) => ", 1 shard".to_owned(),
            Some(count) => format!(", {count} shards"),
            None => String::new(),
        };
        match &self.program {
            // Beside what other packages do at other paths.
            Program::Script(_) if self.path == Some("/sharp") => "sharp".to_owned(),
            Program::Native(_) | Program::Script(_) => String::new(),
            Program::Guest(guest, reuse) => {
                let set = guest.split('/').next().unwrap_or_default();
                let reuse = if *reuse == Reuse::Fresh { "fresh" } else { "reused" };
                format!("{set}, {reuse}{shards}")
            }
        }
    }

    /// Peer and variant.
    pub fn name(&self) -> String {
        let variant = self.variant();
        if variant.is_empty() { self.peer.name().to_owned() } else { format!("{}, {variant}", self.peer.name()) }
    }

    /// How it is started in `folder` to listen on a port. What it reads from there is written first.
    pub fn command(&self, places: &Places, folder: &Path, ports: Ports) -> Result<Command> {
        let port = ports.own;
        let (guest, reuse) = match &self.program {
            Program::Native(name) => return Ok(with(&places.built.join(name), &[&port.to_string()])),
            Program::Script(name) => {
                let script = places.node.join(name);
                return Ok(with(Path::new("node"), &[&script.display().to_string(), &port.to_string()]));
            }
            Program::Guest(guest, reuse) => (places.guests.join(format!("{guest}.wasm")), *reuse),
        };
        Ok(match self.peer {
            Peer::Wash => wash(places, &guest, folder, port)?,
            Peer::Wasmtime => self.wasmtime(places, &guest, port, reuse),
            Peer::Coracle | Peer::Hyper | Peer::Node => self.coracle(places, &guest, ports, reuse),
        })
    }

    /// Whether several requests can be in an instance at once.
    fn concurrent(&self) -> bool {
        matches!(&self.program, Program::Guest(guest, _) if guest.starts_with("p3/") || guest.starts_with("py/"))
    }

    fn coracle(&self, places: &Places, guest: &Path, ports: Ports, reuse: Reuse) -> Command {
        let listen = format!("127.0.0.1:{}", ports.own);
        let mut command = with(&places.built.join("coracle"), &["up", "--quiet", "--listen", &listen]);
        command.args(["--admin", "127.0.0.1:0"]).arg(guest);
        if reuse == Reuse::Reused {
            command.args(["--reuse", if self.concurrent() { "requests=128,concurrency=16" } else { "requests=128" }]);
        }
        if let Some(shards) = self.shards {
            command.args(["--shards", &shards.to_string()]);
        }
        if let Some(upstream) = ports.upstream {
            // Peers let guests go anywhere.
            command.args(["--grant", &format!("http=GET http://127.0.0.1:{upstream}/**")]);
        }
        command
    }

    fn wasmtime(&self, places: &Places, guest: &Path, port: u16, reuse: Reuse) -> Command {
        let mut command = with(&places.wasmtime, &["serve", "-Scli", "--addr", &format!("127.0.0.1:{port}")]);
        let requests = if reuse == Reuse::Fresh { "1" } else { "128" };
        command.args(["--max-instance-reuse-count", requests]);
        if reuse == Reuse::Reused && self.concurrent() {
            command.args(["--max-instance-concurrent-reuse-count", "16"]);
        }
        command.arg(guest);
        command
    }
}

/// It has no options for this, only a file.
fn wash(places: &Places, guest: &Path, folder: &Path, port: u16) -> Result<Command> {
    let config = json!({
        "version": install::WASH.version,
        // It wants to build something.
        "build": { "command": "true", "component_path": guest },
        "dev": { "component_path": guest, "address": format!("127.0.0.1:{port}") },
    });
    fs::create_dir_all(folder.join(".wash"))?;
    // JSON is YAML.
    fs::write(folder.join(".wash/config.yaml"), config.to_string())?;
    Ok(with(&places.wash, &["--non-interactive", "dev"]))
}

fn with(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}
