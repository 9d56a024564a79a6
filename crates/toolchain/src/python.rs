//! componentize-py: Python to WASI 0.3 components, in a virtual environment of its own.
//!
//! The wheel brings its CPython for the guest; the machine's python3 only runs the tool. It is started by module, not by
//! the venv's script, whose first line would name the directory it was made in. Called by `guest.rs` and `doctor.rs`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache::Cache;
use crate::error::Error;
use crate::process::{LONG, query, run};
use crate::progress::Progress;

const VERSION: &str = "0.25.1";

/// An installed componentize-py.
#[derive(Debug, Clone)]
pub struct ComponentizePy {
    dir: PathBuf,
}

impl ComponentizePy {
    /// Names what is installed; differs whenever the output may differ.
    pub fn key() -> String {
        format!("componentize-py-{VERSION}")
    }

    pub fn find(cache: &Cache) -> Option<Self> {
        let dir = cache.toolchains().join(Self::key());
        dir.is_dir().then_some(Self { dir })
    }

    pub fn ensure(cache: &Cache, progress: Progress) -> Result<Self, Error> {
        if let Some(found) = Self::find(cache) {
            return Ok(found);
        }
        check_python()?;
        let dir = cache.entry(&cache.toolchains(), &Self::key(), progress, |dir| {
            progress.step(&format!("installing componentize-py {VERSION} from PyPI"), || {
                run(Command::new("python3").args(["-m", "venv"]).arg(dir), LONG)?;
                let mut pip = Command::new(python(dir));
                pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
                run(pip.arg(format!("componentize-py=={VERSION}")), LONG).map(drop)
            })
        })?;
        Ok(Self { dir })
    }

    /// Makes `out` of the module `module` in `dir` for the only world of `wit`.
    pub(crate) fn componentize(&self, dir: &Path, module: &str, wit: &Path, out: &Path) -> Result<(), Error> {
        let mut tool = self.command();
        tool.arg("--wit-path").arg(wit).args(["componentize", module, "--output"]).arg(out).current_dir(dir);
        run(&mut tool, LONG).map(drop)
    }

    /// Fails when the python3 it was installed with is gone.
    pub(crate) fn check(&self) -> Result<(), Error> {
        run(self.command().arg("--version"), LONG).map(drop)
    }

    fn command(&self) -> Command {
        let mut tool = Command::new(python(&self.dir));
        tool.env("PYTHONDONTWRITEBYTECODE", "1").args(["-c", "from componentize_py import script; script()"]);
        tool
    }
}

/// python3 with venv and pip.
pub(crate) fn check_python() -> Result<(), Error> {
    let missing = |what: &str, fix: &str| Error::Missing { what: what.to_owned(), fix: fix.to_owned() };
    if query("python3", &["--version"]).is_none() {
        return Err(missing("python3", "install Python 3.10 or newer, e.g. `apt-get install python3 python3-venv`"));
    }
    if query("python3", &["-c", "import venv, ensurepip; print('ok')"]).is_none() {
        return Err(missing("python3's venv module", "`apt-get install python3-venv`"));
    }
    Ok(())
}

fn python(dir: &Path) -> PathBuf {
    if cfg!(windows) { dir.join("Scripts/python.exe") } else { dir.join("bin/python") }
}
