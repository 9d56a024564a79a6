//! Processes that are started lead groups of their own, which end with us: at the latest when the owner is dropped, and on
//! Ctrl-C or SIGTERM all at once.

use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

/// How long a group may take to end by itself: longer than coracle gives running requests and its upstreams together.
const GRACE: Duration = Duration::from_secs(20);

static GROUPS: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// From now on a signal that ends us ends all groups before. May be said more than once.
pub fn end_on_signal() -> Result<()> {
    static SAID: AtomicBool = AtomicBool::new(false);
    if SAID.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    ctrlc::set_handler(|| {
        eprintln!("\ninterrupted: ending what was started");
        // Held until the end, so that nothing new is started meanwhile.
        let groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
        for group in groups.iter() {
            let _ = killpg(*group, Signal::SIGTERM);
        }
        groups.iter().for_each(|group| kill_late(*group));
        std::process::exit(130);
    })
    .context("signals can't be listened to")
}

/// A child with all it spawns in its own group.
pub struct Group {
    pub child: Child,
    pid: Pid,
}

impl Group {
    pub fn start(command: &mut Command) -> Result<Self> {
        use std::os::unix::process::CommandExt;
        // Held while spawning, so that a signal in between misses no process.
        let mut groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
        let child = command.process_group(0).spawn();
        let child = child.with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let pid = Pid::from_raw(child.id().try_into().context("a process id fits")?);
        groups.push(pid);
        Ok(Self { child, pid })
    }

    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Waits for the end of the child: its exit code, or none when it has not ended by then or a signal ended it.
    pub fn wait(&mut self, at_most: Duration) -> Result<Option<i32>> {
        let begin = Instant::now();
        while begin.elapsed() < at_most {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.code());
            }
            sleep(Duration::from_millis(10));
        }
        Ok(None)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = killpg(self.pid, Signal::SIGTERM);
            let _ = self.wait(GRACE);
        }
        let _ = killpg(self.pid, Signal::SIGKILL);
        let _ = self.child.wait();
        GROUPS.lock().unwrap_or_else(PoisonError::into_inner).retain(|group| *group != self.pid);
    }
}

fn kill_late(group: Pid) {
    let begin = Instant::now();
    while killpg(group, None).is_ok() && begin.elapsed() < GRACE {
        // A leader that nobody has waited for still counts as its group.
        let _ = waitpid(group, Some(WaitPidFlag::WNOHANG));
        sleep(Duration::from_millis(20));
    }
    let _ = killpg(group, Signal::SIGKILL);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_dropped_group_is_gone_with_its_children() {
        let group = Group::start(Command::new("sh").args(["-c", "sleep 600 & wait"])).unwrap();
        let pid = group.pid();
        assert!(killpg(pid, None).is_ok());
        drop(group);
        kill_late(pid);
        assert!(killpg(pid, None).is_err());
    }
}
