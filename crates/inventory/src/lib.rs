//! Reads Node projects and says which of their work is worth moving to WebAssembly components, with evidence.

pub mod facts;
pub mod notes;
pub mod syntax;
