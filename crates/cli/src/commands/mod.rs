//! The commands, one file each; `main.rs` has the list. Each takes its options and returns how the process ends.
//! Here is what several need: how this build reads a manifest.

pub mod check;
pub mod completions;
pub mod doctor;
pub mod inspect;
pub mod inventory;
pub mod observe;
pub mod package;
pub mod rollout;
pub mod run;
pub mod schema;
pub mod up;

use crate::args::AppOptions;
use coracle_host::Plugin;
use coracle_manifest::CheckOptions;
use std::collections::BTreeMap;
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

/// The values of `{{ NAME }}`: the environment of the process, and `--var` over it.
pub fn variables(options: &AppOptions) -> BTreeMap<String, String> {
    // A variable that is no text can't stand in a manifest.
    let of_process =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    of_process.chain(options.variables.iter().cloned()).collect()
}
