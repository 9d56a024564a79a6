//! Grants and stores as people write them, and key-value stores without a guest.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod durability;
mod grants;
mod guests;
mod keyvalue;
mod prefixes;
mod support;
