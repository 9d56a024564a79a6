//! What tests of several crates share: built guests, a running app, an upstream to put behind it. Not for production.
//!
//! Everything panics with a sentence instead of returning errors: a test that can't be set up has failed.

#![allow(clippy::unwrap_used, clippy::panic, clippy::missing_panics_doc)]

mod app;
mod guests;
mod stub;

pub use app::{ADMIN_TOKEN, Reply, TestApp};
pub use guests::{guest, target_dir};
pub use stub::Stub;
