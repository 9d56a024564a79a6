//! Requests one after the other in an instance of WASI 0.2. No event loop of the runtime is needed for that: the guest's
//! function is called and returns. The limits stand outside, as ever (`worker`).

use super::{Stop, Worker, next};
use crate::flight::Flight;
use crate::guest::Guest;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc;
use wasmtime::Store;
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::p2::bindings::Proxy;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;

/// An instance of WASI 0.2 and its worker.
pub(crate) struct Serial<'a> {
    pub(crate) worker: &'a Worker,
    pub(crate) proxy: &'a Proxy,
    /// The instance's number.
    pub(crate) number: u64,
}

impl Serial<'_> {
    /// Takes requests until there may be no more.
    ///
    /// # Errors
    /// When the guest trapped.
    pub(crate) async fn serve(
        &self,
        store: &mut Store<Guest>,
        first: Arc<Flight>,
        mut inbox: mpsc::UnboundedReceiver<Arc<Flight>>,
    ) -> Result<(), Stop> {
        let reuse = &self.worker.blueprint.reuse;
        let mut taken = 0;
        let mut waiting = Some(first);
        while let Some(flight) = waiting {
            self.fly(store, flight, taken).await?;
            taken += 1;
            waiting = if taken < reuse.requests { next(&mut inbox, Some(reuse.idle)).await } else { None };
        }
        // Whatever was sent before this moment is still served.
        inbox.close();
        while let Ok(flight) = inbox.try_recv() {
            self.fly(store, flight, taken).await?;
            taken += 1;
        }
        Ok(())
    }

    async fn fly(&self, store: &mut Store<Guest>, flight: Arc<Flight>, reused: u32) -> Result<(), Stop> {
        let blueprint = &self.worker.blueprint;
        flight.meter.enter(self.number, reused);
        let guest = store.data_mut();
        let effects = guest.tasks.effects().load(Ordering::Relaxed);
        let Some((request, outcome)) = flight.enter(&blueprint.limits, effects) else { return Ok(()) };
        if guest.unseen_effects {
            guest.tasks.effect();
        }
        guest.tasks.enter_alone(flight.id, &flight.meter);
        guest.outbound.at_depth(flight.depth);
        let mut view = guest.http();
        let answer = move |response: Result<_, _>| drop(outcome.send(response.map_err(wasmtime::Error::from)));
        let secure = request.uri().scheme() == Some(&http::uri::Scheme::HTTPS);
        let scheme = if secure { Scheme::Https } else { Scheme::Http };
        let request = view.new_incoming_request(scheme, request).map_err(Stop::guest)?;
        let out = view.new_response_outparam_from_callback(answer).map_err(Stop::guest)?;
        self.proxy.wasi_http_incoming_handler().call_handle(&mut *store, request, out).await.map_err(Stop::guest)?;
        // Most guests have set and written their response by now: it leaves without another turn of this task.
        self.worker.pass_on(&flight, flight.outcome_now())?;
        // A guest that has returned writes no more, and what it wrote lies outside the store: dropping that now breaks a
        // body off that was never finished, instead of waiting for its deadline.
        if blueprint.reuse.requests > 1 {
            flight.body_over().await;
        }
        let guest = store.data_mut();
        guest.tasks.leave(flight.id);
        flight.meter.peak_memory(guest.memory.used());
        self.worker.landed(&flight);
        Ok(())
    }
}
