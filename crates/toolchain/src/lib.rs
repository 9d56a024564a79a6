//! Compilers for guests: found, installed into the cache, and run when a guest's sources changed.
//!
//! ```text
//! doctor::doctor ─┐          ┌─ rust.rs (rustup's target, or debian.rs)
//! guest::build ───┴─ ensure ─┼─ jco.rs       (node, npm)
//!        │                   └─ python.rs    (python3, pip)
//!        └─ <cache>/guests/<hash of sources>/<name>.wasm
//! ```
//!
//! Synchronous, and without the runtime's crates: `xtask` and `coracle doctor` need no engine. Never touches the user's
//! project, PATH or system packages; `rustup target add` is the one change outside the cache.

mod cache;
mod cargo;
mod debian;
mod doctor;
mod error;
mod guest;
mod hash;
mod jco;
mod process;
mod progress;
mod python;
mod rust;
mod target;
mod wit;

pub use cache::Cache;
pub use doctor::{Finding, Status, doctor};
pub use error::Error;
pub use guest::{Built, Guest, build};
pub use jco::Jco;
pub use progress::{Progress, seconds};
pub use python::ComponentizePy;
pub use rust::RustWasm;
pub use target::Target;
