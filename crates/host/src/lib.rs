//! Runs components: an engine, a pool of guests per component, and the contract of plugins.
//!
//! With `coracle-plugins` the only crate that names wasmtime. It knows no routes and no HTTP status policy: a call
//! ends in a response or in a [`Failure`], and the edge decides what a client is told.
//!
//! A request's way through: [`Pool::call`] waits for a place (`limits`), takes or makes an instance (`instance`), runs
//! the guest in a task of its own (`worker`) and hands out the response whose body streams from the guest.

mod blast;
mod body;
mod calls;
mod card;
mod clock;
mod code;
mod compile;
mod compiler;
pub mod egress;
mod engine;
mod failure;
mod flight;
mod grant;
mod guest;
mod handler;
mod instance;
mod invoke;
mod job;
mod lane;
mod limits;
mod link;
mod linkers;
mod logs;
mod machine;
mod meter;
mod mode;
mod neighbours;
mod onward;
mod places;
mod plugin;
mod pool;
mod profile;
mod replay;
mod roots;
mod shelf;
mod spec;
mod stdio;
mod symbols;
pub mod task;
mod trap;
mod uses;
mod worker;

pub use body::{Body, BodyError, Request, Response, empty, full};
pub use calls::{Calls, Ended, Function, HostCall};
pub use card::{Capability, Card};
pub use compiler::compile_child;
pub use engine::{Engine, EngineError, Settings};
pub use failure::{Cause, Failure};
pub use grant::{Grant, Grants};
pub use guest::{Guest, Seed};
pub use job::{Job, JobError, UNLIMITED};
pub use link::{LoadError, Missing};
pub use logs::Voice;
pub use meter::Meter;
pub use mode::Mode;
pub use neighbours::{MAX_DEPTH, Neighbours};
pub use onward::Onward;
pub use plugin::{Check, Checked, Interface, Note, Plugin, PrepareError, Resources, Ungranted};
pub use pool::{Call, Pool, Status};
pub use profile::{Profile, Stack};
pub use roots::Tasks;
pub use shelf::Mapped;
pub use spec::{Later, Spec, Use};

/// The runtime's types that plugins need, so that they all use the one version.
pub use wasmtime;
pub use wasmtime_wasi;
pub use wasmtime_wasi_http;
