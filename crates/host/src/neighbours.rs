//! The other components of an app, as one of them may reach them: by `http://NAME.internal/` when its `http` grant says so, or by
//! `uses`. Calls stay in this process. They go so deep and no deeper, and each depth draws on places of its own, so that components
//! which call each other in a circle can't wait for each other forever.

use crate::pool::{Pool, WeakPool};
use arc_swap::ArcSwap;
use http::Uri;
use std::collections::HashMap;

/// How deep calls between components may go: a request from outside is at depth 0.
pub const MAX_DEPTH: u32 = 8;

/// The components of an app by name. Filled when all are loaded, and anew at each reload.
#[derive(Default)]
pub struct Neighbours(ArcSwap<HashMap<String, WeakPool>>);

impl Neighbours {
    /// Replaces who is there.
    pub fn set<'a>(&self, pools: impl Iterator<Item = (&'a str, &'a Pool)>) {
        self.0.store(pools.map(|(name, pool)| (name.to_owned(), pool.downgrade())).collect::<HashMap<_, _>>().into());
    }

    pub(crate) fn find(&self, name: &str) -> Option<Pool> {
        self.0.load().get(name)?.upgrade()
    }

    /// The component that an address means, if it means one.
    pub(crate) fn addressed(&self, uri: &Uri) -> Option<Pool> {
        let plain = uri.scheme_str() == Some("http") && uri.port_u16().is_none_or(|port| port == 80);
        let name = uri.host().filter(|_| plain)?.strip_suffix(".internal")?;
        self.find(name)
    }
}
