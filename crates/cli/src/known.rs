//! What this build knows: its plugins, and how it checks a manifest with them.

use coracle_host::Plugin;
use coracle_manifest::CheckOptions;
use std::path::Path;
use std::sync::Arc;

/// The plugins of this build and their names.
pub struct Known {
    pub plugins: Vec<Arc<dyn Plugin>>,
    grants: Vec<&'static str>,
    stores: Vec<&'static str>,
}

impl Known {
    pub fn new() -> Self {
        let plugins = coracle_plugins::all();
        let grants = plugins.iter().map(|plugin| plugin.name()).collect();
        let stores = plugins.iter().filter_map(|plugin| plugin.store()).map(|(kind, _)| kind).collect();
        Self { plugins, grants, stores }
    }

    /// How this build checks a manifest.
    pub fn options<'a>(
        &'a self,
        variant: Option<&'a str>,
        variables: &'a dyn Fn(&str) -> Option<String>,
        base_dir: &'a Path,
    ) -> CheckOptions<'a> {
        CheckOptions { env: variant, variables, known_grants: &self.grants, known_store_kinds: &self.stores, base_dir }
    }
}
