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

/// Where programs are.
pub struct Places {
    pub root: PathBuf,
    pub release: PathBuf,
    pub guests: PathBuf,
    pub wasmtime: PathBuf,
    pub wash: PathBuf,
}

impl Contender {
    pub fn guest(peer: Peer, guest: &'static str, reuse: Reuse) -> Self {
        Self { peer, program: Program::Guest(guest, reuse), shards: None }
    }

    /// As it stands in tables and in the JSON.
    pub fn name(&self) -> String {
        let peer = match self.peer {
            Peer::Hyper => "hyper",
            Peer::Node => "Node",
            Peer::Wasmtime => "wasmtime serve",
            Peer::Wash => "wash dev",
            Peer::Coracle => "Coracle",
        };
        let shards = match self.shards {
            Some(1) => ", 1 shard".to_owned(),
            Some(count) => format!(", {count} shards"),
            None => String::new(),
        };
        match &self.program {
            Program::Native(_) | Program::Script(_) => peer.to_owned(),
            Program::Guest(guest, reuse) => {
                let set = guest.split('/').next().unwrap_or_default();
                let reuse = if *reuse == Reuse::Fresh { "fresh" } else { "reused" };
                format!("{peer}, {set}, {reuse}{shards}")
            }
        }
    }

    /// What is read from the folder it is started in: wash has no options for it.
    pub fn furnish(&self, places: &Places, folder: &Path, port: u16) -> Result<()> {
        let Program::Guest(guest, _) = &self.program else { return Ok(()) };
        if self.peer == Peer::Wash {
            let file = places.guests.join(format!("{guest}.wasm"));
            let config = json!({
                "version": install::WASH.version,
                // It wants to build something.
                "build": { "command": "true", "component_path": file },
                "dev": { "component_path": file, "address": format!("127.0.0.1:{port}") },
            });
            fs::create_dir_all(folder.join(".wash"))?;
            // JSON is YAML.
            fs::write(folder.join(".wash/config.yaml"), config.to_string())?;
        }
        Ok(())
    }

    pub fn command(&self, places: &Places, port: u16) -> Command {
        match &self.program {
            Program::Native(name) => with(&places.release.join(name), &[&port.to_string()]),
            Program::Script(name) => {
                let script = places.root.join("bench/node").join(name);
                with(Path::new("node"), &[&script.display().to_string(), &port.to_string()])
            }
            Program::Guest(guest, reuse) => {
                let file = places.guests.join(format!("{guest}.wasm"));
                let concurrent = guest.starts_with("p3/") || guest.starts_with("py/");
                match self.peer {
                    Peer::Wash => with(&places.wash, &["--non-interactive", "dev"]),
                    Peer::Wasmtime => wasmtime(places, &file, port, (*reuse, concurrent)),
                    Peer::Coracle | Peer::Hyper | Peer::Node => self.coracle(places, &file, port, (*reuse, concurrent)),
                }
            }
        }
    }

    fn coracle(&self, places: &Places, file: &Path, port: u16, (reuse, concurrent): (Reuse, bool)) -> Command {
        let listen = format!("127.0.0.1:{port}");
        let mut command = with(&places.release.join("coracle"), &["up", "--quiet", "--listen", &listen]);
        command.args(["--admin", "127.0.0.1:0"]).arg(file);
        if reuse == Reuse::Reused {
            command.args(["--reuse", if concurrent { "requests=128,concurrency=16" } else { "requests=128" }]);
        }
        if let Some(shards) = self.shards {
            command.args(["--shards", &shards.to_string()]);
        }
        command
    }
}

fn wasmtime(places: &Places, file: &Path, port: u16, (reuse, concurrent): (Reuse, bool)) -> Command {
    let mut command = with(&places.wasmtime, &["serve", "-Scli", "--addr", &format!("127.0.0.1:{port}")]);
    let requests = if reuse == Reuse::Fresh { "1" } else { "128" };
    command.args(["--max-instance-reuse-count", requests]);
    if reuse == Reuse::Reused && concurrent {
        command.args(["--max-instance-concurrent-reuse-count", "16"]);
    }
    command.arg(file);
    command
}

fn with(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}
