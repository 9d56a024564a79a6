//! The linkers of an engine: components that were granted the same capabilities share one, whatever the grants hold. Making one
//! takes longer than everything else between a first call and its instance, and it takes memory for each component.

use crate::grant::Grant;
use crate::guest::Guest;
use crate::link;
use crate::mode::Mode;
use crate::plugin::Plugin;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime::component::Linker;

/// By mode, and by which plugins were granted: there are few of them.
#[derive(Default)]
pub(crate) struct Linkers(Mutex<HashMap<Key, Arc<Linker<Guest>>>>);

type Key = (Mode, Vec<(&'static str, bool)>);

impl Linkers {
    /// The linker for these grants, made when it is the first of its kind.
    ///
    /// # Errors
    /// When a plugin's definitions are refused.
    pub(crate) fn of(
        &self,
        engine: &wasmtime::Engine,
        mode: Mode,
        grants: &[(Arc<dyn Plugin>, Grant)],
    ) -> wasmtime::Result<Arc<Linker<Guest>>> {
        let given = grants.iter().map(|(plugin, grant)| (plugin.name(), matches!(grant, Grant::Given(_))));
        let key = (mode, given.collect());
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(linker) = known().get(&key) {
            return Ok(Arc::clone(linker));
        }
        let linker = Arc::new(link::linker(engine, mode, grants)?);
        // Another thread may have been faster; then this one is dropped.
        Ok(Arc::clone(known().entry(key).or_insert(linker)))
    }
}
