//! One call of a component's export by another component (`uses`): in a fresh instance, within the component's own limits, in a task
//! of its own, so that its CPU time is its own and its death too.

use crate::clock::Clock;
use crate::code::Code;
use crate::failure::Failure;
use crate::instance::Blueprint;
use crate::neighbours::{Invocation, MAX_DEPTH, Neighbour};
use crate::pool::{Call, Pool, Shared};
use crate::trap;
use crate::{Request, Response};
use coracle_manifest::Limits;
use coracle_telemetry::RequestId;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use wasmtime::component::Val;

/// What has run out.
pub(crate) enum Over {
    Cpu,
    Deadline,
}

/// Runs something in a guest within its `cpu_per_request` and `deadline`, which are enforced by dropping it.
pub(crate) async fn within<T>(limits: &Limits, run: impl Future<Output = T>) -> Result<T, Over> {
    let mut clock = Clock::default();
    let mut spent = Duration::ZERO;
    let mut deadline = pin!(tokio::time::sleep(limits.deadline));
    let mut run = pin!(run);
    poll_fn(|cx| {
        let (polled, cpu) = clock.time(|| run.as_mut().poll(cx));
        spent += cpu;
        match polled {
            Poll::Ready(ended) => Poll::Ready(Ok(ended)),
            Poll::Pending if spent > limits.cpu_per_request => Poll::Ready(Err(Over::Cpu)),
            Poll::Pending => deadline.as_mut().poll(cx).map(|()| Err(Over::Deadline)),
        }
    })
    .await
}

/// A task that ends with whoever waits for it.
struct Task(tokio::task::JoinHandle<Result<Vec<Val>, String>>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Neighbour for Shared {
    fn name(&self) -> &Arc<str> {
        &self.blueprint().name
    }

    fn answer(self: Arc<Self>, request: Request, depth: u32) -> BoxFuture<'static, Result<Response, Failure>> {
        let id = RequestId(rand::random());
        let call = Call { request, id, meter: Arc::default(), keep: false, depth, onward: None };
        async move { Pool::of(self).call(call).await }.boxed()
    }

    fn invoke(self: Arc<Self>, invocation: Invocation) -> BoxFuture<'static, Result<Vec<Val>, String>> {
        invoke(Pool::of(self), invocation).boxed()
    }
}

async fn invoke(pool: Pool, invocation: Invocation) -> Result<Vec<Val>, String> {
    let depth = invocation.depth;
    if depth > MAX_DEPTH {
        return Err(format!("components call each other more than {MAX_DEPTH} deep"));
    }
    let name = pool.name();
    let held = pool.gate(depth).enter().await.map_err(|_| format!("`{name}` is busy"))?;
    let code = pool.code().await.map_err(|failure| failure.detail)?;
    let blueprint = Arc::clone(pool.blueprint());
    let patience = blueprint.limits.queue_deadline;
    let mut task = Task(tokio::spawn(async move {
        let place = tokio::time::timeout(patience, blueprint.engine.inner_place(depth, code.weight)).await;
        let place = place.map_err(|_| "no room for another instance in this process".to_owned())?;
        let answer = run(&blueprint, &code, invocation).await;
        drop((place, held));
        answer
    }));
    (&mut task.0).await.unwrap_or_else(|_| Err(format!("`{name}` ended without a word")))
}

async fn run(blueprint: &Arc<Blueprint>, code: &Code, invocation: Invocation) -> Result<Vec<Val>, String> {
    let Invocation { interface, function, params, results, depth } = invocation;
    let name = &blueprint.name;
    let _running = blueprint.engine.running();
    let mut store =
        blueprint.store(&crate::flight::Flights::default()).map_err(|error| format!("`{name}`: {error:#}"))?;
    store.data_mut().outbound.at_depth(depth);
    let called = within(&blueprint.limits, async {
        let instance = code.instance.instantiate_async(&mut store).await?;
        let exported = instance.get_export_index(&mut store, None, &interface);
        let found = exported.and_then(|at| instance.get_export_index(&mut store, Some(&at), &function));
        let Some(function) = found.and_then(|at| instance.get_func(&mut store, at)) else {
            return Ok(None);
        };
        let mut values = vec![Val::Bool(false); results];
        function.call_async(&mut store, &params, &mut values).await?;
        wasmtime::Result::Ok(Some(values))
    });
    let called = called.await;
    let refused_memory = store.data().memory.refused();
    match called {
        Ok(Ok(Some(values))) => Ok(values),
        Ok(Ok(None)) => Err(format!("`{name}` does not export `{function}` of `{interface}`")),
        Ok(Err(_)) if refused_memory => Err(format!("`{name}` died after it was refused more memory")),
        Ok(Err(error)) => {
            let text = format!("`{name}` failed in `{function}`: {}", trap::cause(&error));
            let report = trap::Report { component: Arc::clone(name), request: None, starting: false, error };
            blueprint.engine.scribe().write(report, &blueprint.traps);
            Err(text)
        }
        Err(Over::Cpu) => Err(format!("`{name}` used more CPU time than `cpu_per_request`")),
        Err(Over::Deadline) => Err(format!("`{name}` was not done within its deadline")),
    }
}
