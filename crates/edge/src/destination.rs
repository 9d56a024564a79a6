//! Who answers: the closed set of destinations, each called the same way with the request moved in.

use crate::call::{Answer, Call};
use crate::redirect::Redirect;
use crate::respond::Refusal;
use crate::static_files::StaticFiles;
use crate::upstream::Upstream;
use coracle_host::{Failure, Pool, Response};
use coracle_manifest::Limits;
use std::sync::Arc;

/// A component and what the edge checks before it is asked.
#[derive(Clone)]
pub struct Component {
    pub pool: Pool,
    pub limits: Limits,
}

/// Something that answers requests. Copies are cheap.
#[derive(Clone)]
pub enum Destination {
    Component(Arc<Component>),
    Upstream(Arc<Upstream>),
    Static(Arc<StaticFiles>),
    Redirect(Arc<Redirect>),
    /// Names nothing that exists; the manifest refuses such routes.
    Nowhere,
}

impl Destination {
    /// The name that records carry.
    pub fn name(&self) -> Arc<str> {
        match self {
            Self::Component(component) => Arc::clone(component.pool.name()),
            Self::Upstream(upstream) => Arc::clone(upstream.name()),
            Self::Static(_) => Arc::from("static"),
            Self::Redirect(_) => Arc::from("redirect"),
            Self::Nowhere => Arc::from("nowhere"),
        }
    }

    /// True when both are the very same component or upstream.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Component(one), Self::Component(other)) => Arc::ptr_eq(one, other),
            (Self::Upstream(one), Self::Upstream(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// Gives the request to the destination.
    ///
    /// # Errors
    /// When there is no response; the request is inside the failure while it is intact.
    pub async fn call(&self, call: Call) -> Result<Answer, Failure> {
        match self {
            Self::Component(component) => component.call(call).await.map(Answer::Response),
            Self::Upstream(upstream) => Box::pin(upstream.call(call)).await.map(Answer::Response),
            Self::Static(files) => files.call(call.request).await,
            Self::Redirect(redirect) => Ok(Answer::Response(redirect.response(call.request.uri()))),
            Self::Nowhere => Ok(Answer::Refused(Refusal::NotFound)),
        }
    }
}

impl Component {
    async fn call(&self, call: Call) -> Result<Response, Failure> {
        let Call { mut request, id, meter, keep, depth, .. } = call;
        // Who isn't traced and brought no trace along is spared the header.
        if let Some(scope) = meter.scope()
            && (scope.sampled || scope.parent.is_some())
        {
            scope.hand_on(scope.invoke(), request.headers_mut());
        }
        Box::pin(self.pool.call(coracle_host::Call { request, id, meter, keep, depth, onward: None })).await
    }
}
