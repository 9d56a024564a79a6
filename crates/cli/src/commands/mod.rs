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
pub use crate::known::Known;
use std::collections::BTreeMap;

/// The values of `{{ NAME }}`: the environment of the process, and `--var` over it.
pub fn variables(options: &AppOptions) -> BTreeMap<String, String> {
    // A variable that is no text can't stand in a manifest.
    let of_process =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    of_process.chain(options.variables.iter().cloned()).collect()
}
