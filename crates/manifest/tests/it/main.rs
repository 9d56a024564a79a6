//! Tests of the manifest through its public functions, by tables. `broken/*.toml` beside this folder are manifests with
//! errors, each with a snapshot of the report; `good/*.toml` must pass `check` and the JSON Schema.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod broken;
mod flags;
mod good;
mod hostile;
mod json_schema;
mod routing;
mod support;
mod values;
mod variants;
