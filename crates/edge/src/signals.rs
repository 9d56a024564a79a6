//! The signals of the process: SIGHUP reloads, SIGTERM and SIGINT end it. The hub asks for the next one.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals of the process, if it listens to them.
pub struct Signals(Option<Listening>);

struct Listening {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

/// What a signal asks for.
pub enum Asked {
    Reload,
    End,
}

impl Signals {
    /// With `listen` false none ever comes.
    pub fn new(listen: bool) -> Self {
        let all = || -> io::Result<_> {
            let (hangup, terminate) = (signal(SignalKind::hangup())?, signal(SignalKind::terminate())?);
            Ok(Listening { hangup, terminate, interrupt: signal(SignalKind::interrupt())? })
        };
        match listen.then(all).transpose() {
            Ok(signals) => Self(signals),
            Err(error) => {
                tracing::error!(%error, "signals can't be listened to");
                Self(None)
            }
        }
    }

    /// The next signal; waits forever when none is listened to.
    pub async fn next(&mut self) -> Asked {
        let Some(signals) = &mut self.0 else { return std::future::pending().await };
        tokio::select! {
            _ = signals.hangup.recv() => Asked::Reload,
            _ = signals.terminate.recv() => Asked::End,
            _ = signals.interrupt.recv() => Asked::End,
        }
    }
}
