//! Rollouts on the wire: which version a request gets, what is counted of its outcome, and the thread that decides.
//!
//! ```text
//!   request ─ Steered::choose ─▶ version ─ … ─▶ Observed (drop) ─▶ counters of the shard
//!                 ▲ one pointer                                         │ every quarter of a second
//!               writer.rs: log, judge, state machine ◀──────────────────┘        admin: Rollouts (handle)
//! ```
//! Routes without a rollout know nothing of this. The decisions are those of the crate `rollout`; here they meet threads,
//! files and requests.

mod compared;
mod counted;
pub mod effects;
mod handle;
mod observed;
mod shadow;
mod steered;
mod views;
mod writer;

pub use handle::{Ask, NotDone, Rollouts};
pub use observed::Observed;
pub use shadow::Shadow;
pub use steered::{Chosen, Steered};
pub use views::View;
pub use writer::{Adopted, start};
