//! The next link of a chain: what is behind a middleware. Who that is, the edge decides for each request; `handler` is the guest's way
//! to it.

use crate::failure::Failure;
use crate::{Request, Response};
use futures::future::BoxFuture;
use http::Uri;
use std::sync::Arc;

/// Where a request goes that a middleware hands on.
pub trait Onward: Send + Sync {
    /// The address of the request that came in: scheme and authority of one that is handed on without.
    fn origin(&self) -> &Uri;

    /// Hands it on.
    ///
    /// The future fails when there is no response.
    fn call(self: Arc<Self>, request: Request) -> BoxFuture<'static, Result<Response, Failure>>;
}
