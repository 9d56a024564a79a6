//! What a Coracle app is: `coracle.toml` as typed in, an [`App`] as meant out, all errors at once.
//!
//! ```text
//! Source ─ parse.rs ─▶ Node tree ─ variant.rs ─▶ merged ─ variables.rs ─▶ substituted ─ read/*.rs ─▶ App
//!                                   every step notes problems in Diagnostics and goes on
//! ```
//! In any string value `{{ NAME }}` is replaced by a variable, `{{ NAME | default }}` by a default when it isn't set, and
//! `{{{{` stands for a literal `{{`. `[env.NAME]` is laid over the rest: tables merge, everything else is replaced.
//!
//! Pure: it reads one file, when told to, and knows neither a runtime nor the environment of the process.
//! Grants and stores stay spanned values ([`value::Node`]); the plugin that owns one parses it.

mod app;
mod check;
pub mod codes;
mod diagnostic;
mod flags;
mod limits;
mod options;
mod parse;
mod path;
mod read;
mod render;
pub mod rollout;
mod routing;
mod schema;
mod source;
mod span;
mod syntax;
mod table;
mod target;
mod units;
pub mod value;
mod variables;
mod variant;

pub use app::{
    App, Build, Component, ComponentSource, Destination, GrantEntry, RateKey, RateLimit, Restart, Route, StaticFiles,
    Store, Upstream, Use,
};
pub use check::{check, check_with};
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use flags::Flags;
pub use limits::{Limits, Reuse};
pub use options::CheckOptions;
pub use path::{BadPattern, PathPattern, Segment};
pub use routing::{Conflict, RouteTable, Routed};
pub use schema::schema;
pub use source::{MAX_BYTES, Position, Source};
pub use span::Span;
pub use table::TableReader;
pub use target::Target;
