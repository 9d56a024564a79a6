//! Tests of rollouts through their public functions: tables, properties, and a process that is killed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod assigned;
mod compared;
mod flagged;
mod judged;
mod killed;
mod machine;
mod support;
