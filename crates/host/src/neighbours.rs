//! The other components of an app, as one of them may reach them: by `http://NAME.internal/` when its `http` grant says so, or by
//! `uses`. Calls stay in this process. They go so deep and no deeper, and each depth draws on places of its own, so that components
//! which call each other in a circle can't wait for each other forever.

use crate::failure::Failure;
use crate::{Request, Response};
use arc_swap::ArcSwap;
use futures::future::BoxFuture;
use http::Uri;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use wasmtime::component::Val;

/// How deep calls between components may go: a request from outside is at depth 0.
pub const MAX_DEPTH: u32 = 8;

/// A component that others of its app may call.
pub(crate) trait Neighbour: Send + Sync {
    fn name(&self) -> &Arc<str>;

    /// Answers a request. The future fails when there is no response.
    fn answer(self: Arc<Self>, request: Request, depth: u32) -> BoxFuture<'static, Result<Response, Failure>>;

    /// Calls an export by value; else a sentence for the caller's author.
    fn invoke(self: Arc<Self>, invocation: Invocation) -> BoxFuture<'static, Result<Vec<Val>, String>>;
}

/// A call of a component's export, by value.
pub(crate) struct Invocation {
    pub(crate) interface: Arc<str>,
    pub(crate) function: Arc<str>,
    pub(crate) params: Vec<Val>,
    /// How many values it gives back.
    pub(crate) results: usize,
    pub(crate) depth: u32,
}

/// The components of an app by name. Filled when all are loaded, and anew at each reload.
#[derive(Default)]
pub struct Neighbours(ArcSwap<HashMap<String, Weak<dyn Neighbour>>>);

impl Neighbours {
    /// Replaces who is there.
    pub(crate) fn replace(&self, all: HashMap<String, Weak<dyn Neighbour>>) {
        self.0.store(Arc::new(all));
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<dyn Neighbour>> {
        self.0.load().get(name)?.upgrade()
    }

    /// The component that an address means, if it means one.
    pub(crate) fn addressed(&self, uri: &Uri) -> Option<Arc<dyn Neighbour>> {
        let plain = uri.scheme_str() == Some("http") && uri.port_u16().is_none_or(|port| port == 80);
        let name = uri.host().filter(|_| plain)?.strip_suffix(".internal")?;
        self.find(name)
    }
}
