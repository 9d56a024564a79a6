//! What the measurements of `src/bin/` share: a guest without sockets around it, and a little statistics.
//!
//! Measurements print numbers; they decide nothing and fail on no threshold. What was decided by them stands in
//! docs/design.

mod numbers;
mod rig;

pub use numbers::{Range, print_table};
pub use rig::{Rig, guest};
