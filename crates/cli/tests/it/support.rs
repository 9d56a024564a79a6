//! Runs the binary in a folder of the test's own, with an environment that holds nothing of the machine's.
//! The test program links no engine: it knows the binary and the built guests by their paths alone.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A folder to run in.
pub struct Folder(TempDir);

/// How a run ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with a manifest.
    pub fn with(manifest: &str) -> Self {
        let folder = Self::new();
        folder.write("coracle.toml", manifest);
        folder
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Puts a guest such as `p3/hello` into the folder under a name of its own.
    pub fn guest(&self, guest: &str, name: &str) {
        std::fs::copy(self::guest(guest), self.path().join(name)).unwrap();
    }

    /// The binary, about to run here.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coracle"));
        command.args(args).current_dir(self.path()).env_clear();
        for name in ["PATH", "HOME"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        // Code that one test has compiled serves the next.
        command.env("CORACLE_CACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"));
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        self.finished(&self.command(args).output().unwrap())
    }

    /// What a run has left, with this folder's path as `[DIR]`.
    pub fn finished(&self, output: &Output) -> Ran {
        let text =
            |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap().replace(&*self.path().to_string_lossy(), "[DIR]");
        Ran { code: output.status.code().unwrap(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

impl Ran {
    /// For a snapshot.
    pub fn shown(&self) -> String {
        let part = |name: &str, text: &str| if text.is_empty() { String::new() } else { format!("--- {name}\n{text}") };
        format!("exit code {}\n{}{}", self.code, part("stdout", &self.stdout), part("stderr", &self.stderr))
    }

    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}", self.shown());
        self.stdout
    }

    /// The error of a run that ended with this code.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}", self.shown());
        self.stderr
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.shown()))
    }
}

/// The component of a guest, as `cargo xtask guests` has left it.
pub fn guest(name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_BIN_EXE_coracle")).ancestors().nth(2).unwrap();
    let guests = std::env::var_os("CORACLE_GUESTS").map_or_else(|| target.join("guests"), PathBuf::from);
    let path = guests.join(format!("{name}.wasm"));
    assert!(path.is_file(), "the guest {name} is not built ({} is missing): run `cargo xtask guests`", path.display());
    path
}

/// `guest` as an argument.
pub fn guest_arg(name: &str) -> String {
    guest(name).into_os_string().into_string().unwrap()
}

/// The manifest of one component on every path.
pub fn manifest(component: &str) -> String {
    format!("name = \"app\"\n\n[component.app]\nsource = \"{component}\"\n\n[[route]]\npath = \"/*\"\nto = \"app\"\n")
}
