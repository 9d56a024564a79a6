//! From bytes to a verified, admitted component.
//!
//! `read` takes bytes from a file, `admit` proves that they are a component this host can run and says what it
//! imports, exports and is (`World`). Whatever is wrong becomes a `Refusal` whose text a Node developer can act on.
//! Nothing here runs or compiles a guest, speaks HTTP or knows the runtime; the host, the edge and the CLI call it.
//! No input, however hostile, makes these functions panic, overflow the stack or use memory out of proportion.

mod adapt;
mod admit;
mod admitted;
mod interface;
mod lookalike;
mod names;
mod nesting;
mod options;
mod read;
mod refusal;
mod scan;
mod world;

pub use adapt::Adapted;
pub use admit::{admit, runnable};
pub use admitted::{Admitted, Digest, Warning};
pub use interface::Interface;
pub use lookalike::Lookalike;
pub use options::{DEFAULT_MAX_BYTES, Options};
pub use read::{Rejected, load, read};
pub use refusal::{CoreModule, NotHttp, Refusal};
pub use scan::Producer;
pub use world::World;
