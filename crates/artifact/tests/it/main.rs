//! Tests of admission: real components of others, worlds, every refusal's sentence, and random damage.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod damage;
mod fixtures;
mod refusals;
mod third_party;
mod worlds;
