//! Where the checkout and its target directory are. Every command starts from here; nothing else reads these places.

use std::path::PathBuf;

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, MetadataCommand};

pub struct Workspace {
    /// The checkout.
    pub root: PathBuf,
    /// Cargo's target directory, wherever the environment put it.
    pub target: PathBuf,
    pub metadata: Metadata,
}

impl Workspace {
    pub fn find() -> Result<Self> {
        let metadata = MetadataCommand::new().no_deps().exec().context("`cargo metadata` failed")?;
        let root = metadata.workspace_root.clone().into_std_path_buf();
        let target = metadata.target_directory.clone().into_std_path_buf();
        Ok(Self { root, target, metadata })
    }
}
