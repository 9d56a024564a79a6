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
pub(crate) struct Linkers(Mutex<HashMap<Key, Kept>>);

/// By where a plugin is, for two of one name may link different things.
type Key = (Mode, Vec<(usize, bool)>);

struct Kept {
    linker: Arc<Linker<Guest>>,
    /// While they live no other is where they are.
    _plugins: Vec<Arc<dyn Plugin>>,
}

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
        let address = |plugin: &Arc<dyn Plugin>| Arc::as_ptr(plugin).cast::<()>().addr();
        let given = grants.iter().map(|(plugin, grant)| (address(plugin), matches!(grant, Grant::Given(_))));
        let key = (mode, given.collect());
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = known().get(&key) {
            return Ok(Arc::clone(&kept.linker));
        }
        let linker = Arc::new(link::linker(engine, mode, grants)?);
        // Another thread may have been faster; then this one is dropped.
        let plugins = grants.iter().map(|(plugin, _)| Arc::clone(plugin)).collect();
        let kept = Kept { linker, _plugins: plugins };
        Ok(Arc::clone(&known().entry(key).or_insert(kept).linker))
    }
}
