//! What a command is about: the manifest or the bare component that its argument names, or the `coracle.toml` of this directory.
//! Looks at names only; what is in the files is for the libraries to judge.

use crate::exit::Failure;
use std::path::{Path, PathBuf};

/// The name of a manifest.
pub const MANIFEST: &str = "coracle.toml";

/// A manifest or a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    Manifest(PathBuf),
    Component(PathBuf),
}

impl Subject {
    /// A directory stands for the manifest in it, a file that ends in `.toml` is a manifest, any other a component.
    ///
    /// # Errors
    /// When there is no such file, with what to do about it.
    pub fn find(named: Option<&Path>) -> Result<Self, Failure> {
        let here = Path::new("");
        match named {
            None => manifest_in(here),
            Some(path) if path.is_dir() => manifest_in(path),
            Some(path) if !path.exists() => Err(missing(path)),
            Some(path) if path.extension().is_some_and(|extension| extension == "toml") => {
                Ok(Self::Manifest(path.to_owned()))
            }
            Some(path) => Ok(Self::Component(path.to_owned())),
        }
    }
}

fn manifest_in(directory: &Path) -> Result<Subject, Failure> {
    let manifest = directory.join(MANIFEST);
    if manifest.is_file() {
        return Ok(Subject::Manifest(manifest));
    }
    let place =
        if directory.as_os_str().is_empty() { "here".to_owned() } else { format!("in {}", directory.display()) };
    let whole = std::path::absolute(directory.join(".")).unwrap_or_default();
    let above = whole.ancestors().skip(1).map(|above| above.join(MANIFEST)).find(|manifest| manifest.is_file());
    let advice = match above {
        Some(above) => format!("did you mean {}?", above.display()),
        None => "name a manifest or a component, such as path/to/coracle.toml or component.wasm".to_owned(),
    };
    Err(Failure::mend(anyhow::anyhow!("there is no {MANIFEST} {place}; {advice}")))
}

fn missing(path: &Path) -> Failure {
    let shown = path.display();
    Failure::mend(match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => anyhow::anyhow!(
            "there is no manifest {shown}; correct the path, or leave it out to use the {MANIFEST} here"
        ),
        Some("wasm") => anyhow::anyhow!("there is no component {shown}; build it first, or correct the path"),
        _ => anyhow::anyhow!("there is no file or directory {shown}; name a manifest, its directory, or a component"),
    })
}
