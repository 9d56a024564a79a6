//! What a pool is made from: an admitted component with what it was granted and its limits; and, if it is loaded only when it is
//! called, where its bytes are then.

use crate::grant::Grant;
use crate::neighbours::Neighbours;
use crate::plugin::Plugin;
use coracle_artifact::Admitted;
use coracle_manifest::{Limits, Reuse};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// What a pool is made from.
pub struct Spec {
    pub name: Arc<str>,
    pub component: Admitted,
    pub env: BTreeMap<String, String>,
    /// Every plugin there is, with `Denied` where nothing was granted.
    pub grants: Vec<(Arc<dyn Plugin>, Grant)>,
    pub limits: Limits,
    pub reuse: Reuse,
    /// Refuses to load when something is imported that was not granted.
    pub strict: bool,
    /// What it imports of other components of the app.
    pub uses: Vec<Use>,
    /// The components of the app; one whose components don't call each other may have an empty one.
    pub neighbours: Arc<Neighbours>,
}

/// One line of a component's `uses`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// `acme:codec/resize`, with or without a version.
    pub interface: String,
    /// The component whose export it is.
    pub component: Arc<str>,
}

impl Use {
    /// Whether an import or export of this name is meant.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        name == self.interface || name.split_once('@').is_some_and(|(bare, _)| bare == self.interface)
    }
}

/// How a component is registered that is loaded when it is called first.
pub struct Later {
    /// Where its bytes are read again if they are to be compiled.
    pub file: PathBuf,
    /// Its name in logs and records, which holds the app's.
    pub title: Arc<str>,
}
