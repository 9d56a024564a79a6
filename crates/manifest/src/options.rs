//! What a check depends on beside the text: the variant, the variables, what plugins there are, the directory.
//! Nothing here is looked up: the command line, the edge and the tests fill it in, `check.rs` and `read/` go by it.

use std::path::Path;

/// What a check depends on beside the text.
#[derive(Clone, Copy)]
pub struct CheckOptions<'a> {
    /// The variant to lay over the manifest (`--variant prod`).
    pub env: Option<&'a str>,
    /// The value of a `{{ NAME }}`; usually the environment of the process.
    pub variables: &'a dyn Fn(&str) -> Option<String>,
    /// The names of all grants, one a plugin.
    pub known_grants: &'a [&'a str],
    /// The kinds of stores (`type = "…"`) that plugins provide.
    pub known_store_kinds: &'a [&'a str],
    /// The directory that relative paths are joined to; usually that of the manifest.
    pub base_dir: &'a Path,
}
