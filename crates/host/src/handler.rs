//! What a middleware reaches by its import `wasi:http/handler`: the next link of its chain (`onward`). A link runs in a store of its
//! own, with its own grants and limits, and a body that it does not touch passes through without entering it.

use crate::failure::Cause;
use crate::guest::Guest;
use crate::task::{self, Caller};
use http::uri::PathAndQuery;
use tokio::sync::oneshot;
use wasmtime::AsContextMut as _;
use wasmtime::component::{Accessor, Linker, Resource};
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::{Error, p3};

type Handled = Result<Resource<p3::Response>, ErrorCode>;

/// Defines `wasi:http/handler` for guests. One that is no link of a chain is told that there is nothing behind it.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.instance("wasi:http/handler@0.3.0")?.func_wrap_concurrent(
        "handle",
        |accessor: &Accessor<Guest>, (request,): (Resource<p3::Request>,)| {
            Box::pin(async move { Ok((handle(accessor, request).await?,)) })
        },
    )
}

async fn handle(accessor: &Accessor<Guest>, request: Resource<p3::Request>) -> wasmtime::Result<Handled> {
    let (sent, has_sent) = oneshot::channel::<Result<(), Error>>();
    let taken = accessor.with(|mut store| -> wasmtime::Result<_> {
        // Asked for on entry, before anything is awaited.
        let onward = match task::caller(store.as_context_mut()) {
            Caller::Request(request) => store.data_mut().tasks.onward(Some(request)),
            // With several requests that go to the same place it does not matter whose it is.
            Caller::Instance => store.data_mut().tasks.onward(None),
        };
        let mut request = store.data_mut().table.delete(request)?;
        if let (Some(onward), None) = (&onward, &request.authority) {
            request.scheme = onward.origin().scheme().cloned();
            request.authority = onward.origin().authority().cloned();
        }
        request.path_with_query.get_or_insert_with(|| PathAndQuery::from_static("/"));
        let fate = async move { has_sent.await.unwrap_or(Ok(())) };
        let taken = request.into_http(store.as_context_mut(), fate);
        store.data_mut().tasks.effect();
        Ok((onward, taken))
    })?;
    let (onward, request) = match taken {
        (Some(onward), Ok((request, _options))) => (onward, request),
        (None, Ok(_)) => {
            let text = "nothing is behind this component: list it as `middleware` of a route";
            return Ok(Err(ErrorCode::InternalError(Some(text.to_owned()))));
        }
        (_, Err(error)) => return error.downcast().map(Err),
    };
    let answered = onward.call(request).await;
    let response = match answered {
        Ok(response) => {
            let _ = sent.send(Ok(()));
            response
        }
        Err(failure) => {
            let _ = sent.send(Err(failure.cause.as_error()));
            return Ok(Err(code(&failure.cause)));
        }
    };
    accessor.with(|mut store| {
        let guest = store.data_mut();
        let (response, _processed) = p3::Response::from_http(&mut guest.outbound, response);
        Ok(Ok(guest.table.push(response)?))
    })
}

/// What the middleware is told when what is behind it gave no response.
fn code(cause: &Cause) -> ErrorCode {
    match cause {
        Cause::Busy { .. } | Cause::NoRoom { .. } => ErrorCode::ConnectionLimitReached,
        Cause::Deadline | Cause::UpstreamTimeout => ErrorCode::ConnectionReadTimeout,
        Cause::Unreachable | Cause::Closing | Cause::NotLoaded { .. } => ErrorCode::DestinationUnavailable,
        Cause::BodyTooLarge => ErrorCode::HttpRequestBodySize(None),
        _ => ErrorCode::HttpProtocolError,
    }
}
