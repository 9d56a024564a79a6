//! Tests of the inventory through its public functions: projects written into temporary directories, with small stand-ins
//! for the packages they use.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod corpus;
mod frameworks;
mod hostile;
mod measured;
mod packages;
mod reach;
mod reports;
mod support;
