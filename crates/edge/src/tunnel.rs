//! Sockets passed through: after a `101 Switching Protocols` (WebSocket, most often) bytes are copied both ways.
//!
//! A tunnel belongs to no app state: it outlives reloads. It is counted, keeps its connection's place among those we may have,
//! and is closed when the process has no more time.

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio_util::sync::CancellationToken;

/// One of the connections a shard may have open, free again when nobody holds it.
pub type Place = Arc<OwnedSemaphorePermit>;

/// The tunnels of the process. Copies share the count.
#[derive(Clone, Debug, Default)]
pub struct Tunnels {
    open: Arc<AtomicUsize>,
    closed_one: Arc<Notify>,
    cut: CancellationToken,
}

impl Tunnels {
    /// How many are open.
    pub fn open(&self) -> usize {
        self.open.load(Relaxed)
    }

    /// Returns when none is open.
    pub async fn drained(&self) {
        loop {
            let closed = self.closed_one.notified();
            if self.open() == 0 {
                return;
            }
            closed.await;
        }
    }

    /// Closes all of them, now and later.
    pub fn cut(&self) {
        self.cut.cancel();
    }

    /// Joins the two ends once both have changed protocols, in a task of its own that holds `place`.
    pub fn join(&self, client: OnUpgrade, upstream: OnUpgrade, place: Place) {
        let open = Open::count(self);
        let cut = self.cut.clone();
        tokio::spawn(async move {
            let _held = (open, place);
            let copied = async {
                let (client, upstream) = tokio::try_join!(client, upstream).map_err(std::io::Error::other)?;
                tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(upstream)).await
            };
            tokio::select! {
                () = cut.cancelled() => {}
                result = copied => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "an upgraded connection broke off");
                    }
                }
            }
        });
    }
}

/// One open tunnel: counts from its making to its drop.
struct Open(Tunnels);

impl Open {
    fn count(tunnels: &Tunnels) -> Self {
        tunnels.open.fetch_add(1, Relaxed);
        Self(tunnels.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
        self.0.closed_one.notify_waiters();
    }
}
