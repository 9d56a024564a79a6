//! The stable words by which tools tell this crate's diagnostics apart (`code` in `--json`).
//! Plugins may use these or words of their own. A word, once released, keeps its meaning.

/// The file can't be taken as text: too large, not UTF-8, NUL bytes, nested too deeply.
pub const FILE: &str = "file";
/// The text is no TOML.
pub const SYNTAX: &str = "syntax";
/// A key that the table doesn't have.
pub const UNKNOWN_KEY: &str = "unknown-key";
/// A key that must be there.
pub const MISSING_KEY: &str = "missing-key";
/// Two keys that exclude each other, or a choice of none.
pub const EXCLUSIVE_KEYS: &str = "exclusive-keys";
/// A value of the wrong type.
pub const WRONG_TYPE: &str = "wrong-type";
/// A value of the right type that can't be used.
pub const INVALID_VALUE: &str = "invalid-value";
/// A reference to a component, upstream, store, grant or variant that doesn't exist.
pub const UNKNOWN_NAME: &str = "unknown-name";
/// One name for two things.
pub const AMBIGUOUS_NAME: &str = "ambiguous-name";
/// A `{{ VARIABLE }}` that isn't set or isn't well formed.
pub const VARIABLE: &str = "variable";
/// Two routes that match the same requests.
pub const ROUTE_CONFLICT: &str = "route-conflict";
/// Something the format reserves and this version doesn't do yet.
pub const NOT_YET: &str = "not-yet-supported";
/// A component that nothing uses.
pub const UNUSED: &str = "unused";
