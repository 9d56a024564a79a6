//! A Rust compiler for WebAssembly components: found, or made to be there.
//!
//! In this order: the target is installed for the active toolchain; a toolchain made earlier from Debian's packages lies
//! in the cache; `rustup target add` fetches the target; Debian's packages are turned into a toolchain (`debian.rs`).
//! `CORACLE_RUST_WASM=installed` or `=debian` restricts the choice, for those who want to be sure which one they get.
//!
//! The user's own PATH and environment are never changed; `rustup target add` adds to the active toolchain.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::cache::Cache;
use crate::debian;
use crate::error::Error;
use crate::process::{on_path, query, run};
use crate::progress::Progress;
use crate::target::Target;

/// rustup waits long for a server that isn't there; a download of the target takes seconds.
const RUSTUP_LIMIT: Duration = Duration::from_secs(60);

/// A compiler that makes components for one target.
#[derive(Debug, Clone)]
pub struct RustWasm {
    target: Target,
    /// Differs whenever the output may differ; part of every guest's hash.
    key: String,
    rustc: PathBuf,
    /// Makes a component of a core module.
    component_linker: Option<PathBuf>,
}

impl RustWasm {
    /// What is already on this machine; takes some ten milliseconds and changes nothing.
    pub fn find(cache: &Cache, target: Target) -> Option<Self> {
        let installed = || allowed("installed").then(|| installed(target)).flatten();
        let made = || allowed("debian").then(|| from_debian(cache, target)).flatten();
        installed().or_else(made)
    }

    /// What is there, else what can be fetched or made. The first time without rustup takes minutes.
    pub fn ensure(cache: &Cache, target: Target, progress: Progress) -> Result<Self, Error> {
        if let Some(found) = Self::find(cache, target) {
            return Ok(found);
        }
        let mut attempts = Vec::new();
        if allowed("installed") {
            match rustup_add(target, progress) {
                Ok(()) => match installed(target) {
                    Some(found) => return Ok(found),
                    None => attempts.push("  rustup added the target, but rustc doesn't see it".to_owned()),
                },
                Err(reason) => attempts.push(format!("  rustup: {reason}")),
            }
        }
        if allowed("debian") {
            match debian::install(cache, target, progress) {
                Ok(dir) => return Ok(Self::in_debian_dir(&dir, target)),
                Err(error) => attempts.push(format!("  Debian's packages: {}", error.full())),
            }
        }
        attempts.push(format!("Run `rustup target add {}` where rustup can reach its server.", target.triple()));
        Err(Error::NoRust { target: target.triple(), attempts: attempts.join("\n") })
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    pub fn target(&self) -> Target {
        self.target
    }

    /// `cargo` set up so that it compiles with this compiler, whatever the caller's environment says. The caller adds
    /// subcommand, `--target` excepted: that is given here by `CARGO_BUILD_TARGET`.
    pub fn cargo_command(&self) -> Command {
        let mut cargo = Command::new("cargo");
        // Flags for the host's code, or a wrapper that caches for another compiler, would be wrong here. `cargo run`
        // puts its own compiler's libraries on LD_LIBRARY_PATH.
        for name in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
            "LD_LIBRARY_PATH",
            "RUSTDOC",
        ] {
            cargo.env_remove(name);
        }
        cargo.env("RUSTC", &self.rustc).env("CARGO_BUILD_TARGET", self.target.triple());
        if let (Target::UnknownUnknown, Some(linker)) = (self.target, &self.component_linker) {
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        cargo
    }

    fn in_debian_dir(dir: &Path, target: Target) -> Self {
        let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let linker = debian::component_linker(dir);
        Self { target, key: name, rustc: dir.join("bin/rustc"), component_linker: linker }
    }
}

/// Whether `CORACLE_RUST_WASM` lets this origin be used.
fn allowed(origin: &str) -> bool {
    std::env::var("CORACLE_RUST_WASM").map_or(true, |only| only.is_empty() || only == origin)
}

/// The active toolchain, if the target's standard library is in its sysroot.
fn installed(target: Target) -> Option<RustWasm> {
    let sysroot = PathBuf::from(query("rustc", &["--print", "sysroot"])?);
    let library = sysroot.join("lib/rustlib").join(target.triple()).join("lib");
    let has_std = std::fs::read_dir(library).ok()?.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    });
    if !has_std {
        return None;
    }
    let version = query("rustc", &["-vV"])?;
    let field = |name: &str| version.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let host = field("host:")?;
    let commit = field("commit-hash:").unwrap_or("unknown");
    let linker = sysroot.join("lib/rustlib").join(host).join("bin/wasm-component-ld");
    Some(RustWasm {
        target,
        key: format!("rustc-{}-{}-{}", field("release:")?, commit.get(..9).unwrap_or(commit), target.triple()),
        rustc: sysroot.join("bin/rustc"),
        component_linker: linker.is_file().then_some(linker),
    })
}

/// The newest toolchain of Debian's packages in the cache.
fn from_debian(cache: &Cache, target: Target) -> Option<RustWasm> {
    let dir = debian::installed(cache, target)?;
    Some(RustWasm::in_debian_dir(&dir, target))
}

/// Lets rustup fetch the target; the error is one line.
fn rustup_add(target: Target, progress: Progress) -> Result<(), String> {
    if !on_path("rustup") {
        return Err("rustup is not on this machine".to_owned());
    }
    let triple = target.triple();
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", triple]);
    progress.step(&format!("rustup target add {triple}"), || run(&mut rustup, RUSTUP_LIMIT)).map(drop).map_err(
        |error| {
            let text = error.full();
            let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            lines.iter().find(|line| line.starts_with("error:")).or(lines.first()).map_or_else(String::new, |line| {
                format!("`rustup target add {triple}` failed: {}", line.trim_start_matches("error:").trim())
            })
        },
    )
}
