//! The host by guests: each case runs the 0.3 and the 0.2 guest of the same contract.
//!
//! Grants of real plugins are tested in `coracle-plugins`; here stands a plugin that links HTTP and nothing else.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod attribution;
mod blast;
mod cache;
mod limits;
mod reuse;
mod rig;
mod schedule;
mod serve;
mod traps;
mod visits;
