//! Where the checkout and its target directory are. Every command starts from here; nothing else reads these places.

use std::path::PathBuf;

use anyhow::{Context, Result};
use cargo_metadata::MetadataCommand;

pub struct Workspace {
    /// The checkout.
    pub root: PathBuf,
    /// Cargo's target directory, wherever the environment put it.
    pub target: PathBuf,
}

impl Workspace {
    pub fn find() -> Result<Self> {
        let metadata = MetadataCommand::new().no_deps().exec().context("`cargo metadata` failed")?;
        Ok(Self {
            root: metadata.workspace_root.into_std_path_buf(),
            target: metadata.target_directory.into_std_path_buf(),
        })
    }
}
