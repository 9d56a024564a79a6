//! The parts of an app that are loaded: its routes with their destinations, components and upstreams with what they were made
//! from. Made by `load.rs`, kept in the state of one app (`state.rs`) or of many (`apps.rs`).

use crate::destination::{Component, Destination};
use crate::rate::Rate;
use crate::rollout::Steered;
use crate::upstream::Upstream;
use coracle_artifact::Digest;
use coracle_host::Note;
use std::sync::Arc;

/// A route with its destinations.
pub struct Route {
    /// As in the manifest, with method and host where it names them.
    pub pattern: Arc<str>,
    pub rate: Option<Rate>,
    /// What a request goes through before `first`.
    pub middleware: Arc<[Arc<Component>]>,
    pub first: Destination,
    pub fallback: Option<Destination>,
    /// Two versions answer it.
    pub steered: Option<Arc<Steered>>,
}

/// A component and what it was made from: when that is the same after a reload, the pool is kept.
#[derive(Clone)]
pub struct LoadedComponent {
    pub component: Arc<Component>,
    pub digest: String,
    pub(crate) fingerprint: Digest,
    pub(crate) notes: Vec<Note>,
}

/// An upstream and what it was made from.
#[derive(Clone)]
pub struct LoadedUpstream {
    pub upstream: Arc<Upstream>,
    /// Without its place in the manifest.
    pub(crate) spec: coracle_manifest::Upstream,
}
