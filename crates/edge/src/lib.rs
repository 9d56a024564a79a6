//! The edge: listens, routes, serves, falls back, reloads and drains. It is the wiring of `up`, `dev` and `test` alike.
//!
//! [`Edge::start`] is the one way in. The way of a request is `serve.rs`, from top to bottom; everything else is built off
//! that way, in the hub thread (`edge.rs`), and swapped in. Error responses are made in `respond.rs` alone.

mod admin;
mod apps;
mod call;
mod chain;
mod crowd;
mod deciding;
mod destination;
mod door;
mod edge;
mod figures;
mod fits;
mod folder;
mod forward;
mod health;
mod jobs;
mod lent;
mod links;
mod listen;
mod live;
mod load;
mod loaded;
pub mod logging;
mod not_done;
mod noted;
mod probe;
mod rate;
mod record;
mod redirect;
mod respond;
mod roles;
mod rollout;
mod running;
mod scrape;
mod serve;
mod settings;
mod shard;
mod signals;
mod state;
mod static_files;
mod supervise;
mod tls;
mod tunnel;
mod upstream;
mod watch;

pub use edge::{Edge, StartError};
pub use folder::has_apps;
pub use jobs::{Run, RunError, run};
pub use listen::ListenError;
pub use live::Reloaded;
pub use load::{LoadError, check_tables};
pub use record::Tap;
pub use roles::{check as check_role, covers};
pub use settings::{AppSource, Listen, Settings};
pub use state::AppState;
pub use tls::{TlsError, TlsFiles};
pub use upstream::Timeouts;
