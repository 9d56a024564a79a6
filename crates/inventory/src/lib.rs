//! Reads Node projects and says which of their work is worth moving to WebAssembly components, with evidence.
//!
//! ```text
//! Project ─ walk ─▶ Sources ─ Graph ─▶ routes ─┐
//!   package.json     facts of files            ├─ collect ─▶ candidates ─ advice, model, score ─▶ Inventory ─▶ report
//! profile, coverage, heap ─ attribute ─▶ Costs ┘
//! ```
//!
//! Pure: files in, values out. It starts no process, opens no connection and knows nothing of wasm engines. No input makes
//! it fail or panic: what it can't read it notes ([`notes`]) and goes on. `coracle inventory` calls [`run`].

pub mod advice;
pub mod cache;
pub mod collect;
pub mod cost;
pub mod crates;
pub mod facts;
pub mod frameworks;
pub mod graph;
pub mod measure;
pub mod model;
pub mod notes;
pub mod portability;
pub mod project;
pub mod report;
mod run;
pub mod score;
pub mod since;
pub mod syntax;
pub mod unit;
pub mod walk;
mod wit;

pub use run::{Options, run};
pub use unit::Inventory;
pub use walk::Progress;
