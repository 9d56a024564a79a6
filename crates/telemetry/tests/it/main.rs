//! The crate from outside: settings as a user writes them, messages as a collector gets them, and what comes back.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod collector;
mod export;
mod formats;
mod page;
mod python;
mod rig;
mod settings;
mod store;
