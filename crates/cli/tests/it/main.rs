//! Real runs of the `coracle` binary: what a person types, sees and gets as an exit code.
//!
//! After a change of a text: `INSTA_UPDATE=always cargo nextest run -p coracle`, then read each changed sentence aloud.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod bare;
mod check;
mod doctor;
mod help;
mod inspect;
mod inventory;
mod logs;
mod rollout;
mod run;
mod schema;
mod server;
mod signals;
mod support;
mod up;
