//! How many requests of one connection are running, and when there have been none for a while. A request runs until its
//! response's body has ended. Used by `shard`, which closes idle connections: hyper does that for HTTP/1.1 alone.

use crate::crowd::Crowd;
use std::time::Duration;
use tokio::sync::watch;

/// The running requests of one connection. Copies share the count.
#[derive(Clone, Default)]
pub struct Running(watch::Sender<usize>);

/// One running request: counts until it is dropped.
pub struct One(Running);

impl Running {
    pub fn one(&self) -> One {
        self.0.send_modify(|count| *count += 1);
        One(self.clone())
    }

    /// Returns when none has run for `patience`, or when none runs and others need the connection's place.
    pub async fn idle(&self, patience: Duration, crowd: &Crowd) {
        let mut count = self.0.subscribe();
        loop {
            // Neither can fail while `self` holds the other end.
            let _ = count.wait_for(|count| *count == 0).await;
            let idle = async {
                tokio::select! {
                    biased;
                    _ = count.changed() => false,
                    () = crowd.asked_to_go() => true,
                }
            };
            if tokio::time::timeout(patience, idle).await.unwrap_or(true) {
                return;
            }
        }
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}
