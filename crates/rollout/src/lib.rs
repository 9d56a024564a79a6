//! Moves traffic from one version of a route's answerer to another, and says when it is proven that it may. Pure but for the
//! log: `now` and dice are arguments, what happens to requests is the edge's business. Simulations run this very code.
//!
//! ```text
//! manifest ─▶ document.rs ─▶ machine.rs: Command ─▶ Event ─▶ log.rs (redb)
//!                                 ▲  state = fold of events
//! outcomes ─ cap.rs ─▶ verdict/ ──┘        assign.rs: which version answers this request
//! ```

pub mod assign;
pub mod breaker;
pub mod budget;
pub mod cap;
pub mod command;
pub mod diff;
pub mod document;
pub mod event;
#[cfg(feature = "flags")]
pub mod flags;
#[cfg(feature = "log")]
pub mod log;
pub mod machine;
pub mod verdict;
pub mod version;
