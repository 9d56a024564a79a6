//! The contract of plugins: what a host interface has to say for itself.
//!
//! A plugin goes through four moments, each at its own rate: `check` (pure, whenever a manifest is read), `prepare`
//! (once per component and load: opens what is behind the grant), `link` (once per component), `seed` (once per
//! instance). Nothing is looked up by name after `prepare`.

use crate::grant::Grant;
use crate::guest::{Guest, Seed};
use crate::mode::Mode;
use coracle_manifest::value::Node;
use coracle_manifest::{Diagnostics, Store};
use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime::component::Linker;

/// A host interface that components may be granted.
pub trait Plugin: Send + Sync + 'static {
    /// The key under `[component.X.grants]`, also the word users see as the capability's name.
    fn name(&self) -> &'static str;

    /// The interfaces it provides.
    fn interfaces(&self) -> &'static [Interface];

    /// JSON Schema of the grant's value.
    fn schema(&self) -> serde_json::Value;

    /// Reads a grant. Pure; reports every problem at its place and returns `None` if there was one.
    fn check(&self, value: &Node, check: &mut Check<'_>) -> Option<Checked>;

    /// The `type` of `[store.X]` tables it owns, with their JSON Schema.
    fn store(&self) -> Option<(&'static str, serde_json::Value)> {
        None
    }

    /// Reads a `[store.X]` table. Pure; the result is found again in `Check::stores` and `Resources::stores`.
    fn check_store(&self, _store: &Store, _check: &mut Check<'_>) -> Option<Checked> {
        None
    }

    /// Opens what is behind a grant. May touch disk and network. `checked` is what `check` returned.
    ///
    /// # Errors
    /// When a backend can't be opened; the text names the store and what to do.
    fn prepare(&self, checked: &Checked, resources: &Resources) -> Result<Grant, PrepareError>;

    /// Adds the interfaces to a component's linker; of WASI 0.3 only with [`Mode::Concurrent`]. With [`Grant::Denied`] each function answers "denied" in the
    /// interface's own types. Components share linkers: what is added may depend on whether something was granted, never on what.
    /// That is found in the instance ([`Guest::grant`]).
    ///
    /// # Errors
    /// When the linker refuses a definition, which is a bug of the plugin.
    fn link(&self, linker: &mut Linker<Guest>, grant: &Grant, mode: Mode) -> wasmtime::Result<()>;

    /// Adds to a new instance what the grant gives it.
    ///
    /// # Errors
    /// When something named by the grant is no longer there.
    fn seed(&self, _grant: &Grant, _seed: &mut Seed) -> wasmtime::Result<()> {
        Ok(())
    }
}

/// One interface of a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    /// As imported, e.g. `wasi:keyvalue/store@0.2.0-draft`. Released versions match any of their track.
    pub name: &'static str,
    pub ungranted: Ungranted,
}

/// What becomes of an import that was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ungranted {
    /// Harmless: linked as it is, without a note.
    Harmless,
    /// Linked to an answer of "denied" in its own types, and noted at load.
    Denied,
    /// It has no way to say so: a load error.
    Refused,
}

/// What `check` made of a grant or store; the plugin downcasts it in `prepare`.
pub type Checked = Arc<dyn Any + Send + Sync>;

/// What `check` may look at.
pub struct Check<'a> {
    /// The component the grant belongs to; empty for stores.
    pub component: &'a str,
    /// The stores of the manifest, by name.
    pub stores: &'a BTreeMap<String, Store>,
    /// The manifest's `[config]` table.
    pub config: &'a BTreeMap<String, String>,
    /// Relative paths are relative to this folder, the manifest's.
    pub base_dir: &'a Path,
    pub diagnostics: &'a mut Diagnostics,
}

/// What `prepare` may use.
pub struct Resources {
    /// Checked stores by name, of this plugin and of others.
    pub stores: BTreeMap<String, Checked>,
    pub config: BTreeMap<String, String>,
    pub base_dir: PathBuf,
    /// Where embedded stores live unless they say otherwise: `.coracle/` beside the manifest.
    pub state_dir: PathBuf,
    /// Opened backends by identity (kind and location): a reload finds what is already open.
    pub open: Arc<OpenBackends>,
}

/// Backends that are open in this process.
#[derive(Default)]
pub struct OpenBackends(Mutex<HashMap<String, std::sync::Weak<dyn Any + Send + Sync>>>);

impl OpenBackends {
    /// The backend open under this identity, or the one that `open` makes.
    ///
    /// # Errors
    /// What `open` returns.
    pub fn get_or_open<T: Any + Send + Sync>(
        &self,
        identity: &str,
        open: impl FnOnce() -> Result<T, PrepareError>,
    ) -> Result<Arc<T>, PrepareError> {
        let mut backends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = backends.get(identity).and_then(std::sync::Weak::upgrade)
            && let Ok(found) = found.downcast::<T>()
        {
            return Ok(found);
        }
        let opened = Arc::new(open()?);
        let shared: Arc<dyn Any + Send + Sync> = opened.clone();
        backends.insert(identity.to_owned(), Arc::downgrade(&shared));
        Ok(opened)
    }
}

/// Something a user should know about how a component was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub component: String,
    /// A sentence; names the manifest line to add where there is one.
    pub text: String,
}

/// A backend could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct PrepareError {
    /// A sentence: what could not be opened and what to do.
    pub message: String,
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}
