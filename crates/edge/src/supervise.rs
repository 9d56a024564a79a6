//! Upstreams that Coracle starts itself: spawn, wait until they answer, restart when they end, stop with everything they spawned.
//!
//! ```text
//!   spawn ─▶ Starting ─ answers ─▶ Ready ─ ended ─▶ Down ─ wait (doubling, with jitter) ─▶ spawn
//!               └── ended, or silent for start_timeout ─┘
//! ```
//! An upstream without a command is only asked until it has answered once. Each process leads a group of its own; a
//! watchdog shell kills that group should this process die without a chance to do so.

use crate::health::Health;
use crate::probe::Probe;
use coracle_manifest::Upstream;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long a process may take to end by itself after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);
/// A process that ran this long starts again with the shortest wait.
const STEADY: Duration = Duration::from_secs(10);
/// The longest line of output that is kept whole.
const LINE_BYTES: u64 = 16 * 1024;

/// An upstream to be watched, and where to tell how it is.
pub struct Watched {
    pub spec: Upstream,
    pub health: watch::Sender<Health>,
}

/// Watches one upstream in a task of its own.
pub struct Supervisor {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Supervisor {
    /// Starts watching once `after` (the end of its predecessor) has come.
    pub fn start(watched: Watched, after: impl Future<Output = ()> + Send + 'static) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            after.await;
            Box::pin(watch_upstream(watched, stopped)).await;
        });
        Self { stop, task }
    }

    /// Ends the process and returns when it and its children are gone.
    pub async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the watch over an upstream failed");
        }
    }
}

/// How one life of a process ended.
enum Ended {
    Stopped,
    Itself(String),
}

async fn watch_upstream(watched: Watched, stop: CancellationToken) {
    let Watched { spec, health } = watched;
    let Some(command) = &spec.command else {
        tokio::select! {
            () = stop.cancelled() => {}
            () = answered(&spec) => drop(health.send(Health::Ready)),
        }
        return;
    };
    let mut wait = spec.restart.min;
    loop {
        health.send_replace(Health::Starting);
        let started = Instant::now();
        let reason = match run(&spec, command, &health, &stop).await {
            Ended::Stopped => return,
            Ended::Itself(reason) => reason,
        };
        if started.elapsed() > STEADY {
            wait = spec.restart.min;
        }
        let pause = wait.mul_f64(rand::random_range(0.8..1.2));
        tracing::warn!(upstream = spec.name, "upstream `{}` {reason}; starting it again in {pause:.1?}", spec.name);
        health.send_replace(Health::Down(reason));
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        wait = (wait * 2).min(spec.restart.max);
    }
}

/// One life of the process.
async fn run(spec: &Upstream, command: &str, health: &watch::Sender<Health>, stop: &CancellationToken) -> Ended {
    let mut process = match Process::spawn(spec, command) {
        Ok(process) => process,
        Err(error) => return Ended::Itself(format!("could not be started: {error}")),
    };
    tracing::info!(upstream = spec.name, pid = process.group.as_raw(), "started upstream `{}`: {command}", spec.name);
    let ended = tokio::select! {
        () = stop.cancelled() => Ended::Stopped,
        status = process.child.wait() => Ended::Itself(described(&status)),
        () = tokio::time::sleep(spec.start_timeout) => {
            Ended::Itself(format!("did not answer at {} within {:?}", spec.url, spec.start_timeout))
        }
        () = answered(spec) => {
            tracing::info!(upstream = spec.name, "upstream `{}` is ready", spec.name);
            health.send_replace(Health::Ready);
            tokio::select! {
                () = stop.cancelled() => Ended::Stopped,
                status = process.child.wait() => Ended::Itself(described(&status)),
            }
        }
    };
    process.end().await;
    ended
}

/// Returns when the upstream has answered.
async fn answered(spec: &Upstream) {
    let mut pause = Duration::from_millis(20);
    let probe = match Probe::new(spec) {
        Ok(probe) => probe,
        Err(error) => {
            tracing::error!(upstream = spec.name, "the health of upstream `{}` can't be asked for: {error}", spec.name);
            return std::future::pending().await;
        }
    };
    while let Err(reason) = probe.ask().await {
        tracing::debug!(upstream = spec.name, %reason, "not ready");
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(Duration::from_secs(1));
    }
}

fn described(status: &std::io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => format!("ended with {status}"),
        Err(error) => format!("was lost: {error}"),
    }
}

/// A process, the group it leads, and the watchdog that outlives us.
struct Process {
    child: Child,
    group: Pid,
    watchdog: Option<Child>,
}

impl Process {
    fn spawn(spec: &Upstream, command: &str) -> std::io::Result<Self> {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(command).current_dir(&spec.cwd).process_group(0).kill_on_drop(true);
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(port) = spec.url.port_or_known_default() {
            shell.env("PORT", port.to_string());
        }
        let mut child = shell.envs(&spec.env).spawn()?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        let group = Pid::from_raw(pid.ok_or_else(|| std::io::Error::other("it has no process id"))?);
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(log_lines(stdout, spec.name.clone(), "stdout"));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(log_lines(stderr, spec.name.clone(), "stderr"));
        }
        let watchdog = watchdog(group);
        if let Err(error) = &watchdog {
            tracing::warn!(upstream = spec.name, %error, "upstream `{}` may survive a crash of this process", spec.name);
        }
        Ok(Self { child, group, watchdog: watchdog.ok() })
    }

    /// SIGTERM, then SIGKILL after a grace; returns when the whole group is gone.
    async fn end(mut self) {
        let _ = killpg(self.group, Signal::SIGTERM);
        let gone = async {
            let _ = self.child.wait().await;
            // What the process itself had started may still be ending.
            while lives(self.group) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(GRACE, gone).await.is_err() {
            let _ = killpg(self.group, Signal::SIGKILL);
            let _ = self.child.wait().await;
            while lives(self.group) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        if let Some(watchdog) = &mut self.watchdog {
            let _ = watchdog.kill().await;
        }
    }
}

/// Whether a process of the group runs. Those that have ended don't count, though nobody may have asked for their status:
/// in a container the first process often doesn't.
fn lives(group: Pid) -> bool {
    if killpg(group, None::<Signal>).is_err() {
        return false;
    }
    let Ok(processes) = std::fs::read_dir("/proc") else { return true };
    let stats = processes.flatten().filter_map(|process| std::fs::read_to_string(process.path().join("stat")).ok());
    // `pid (name) state parent group …`; the name may hold anything, a bracket included.
    let mut states = stats.filter_map(|stat| {
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let state = fields.next()?.to_owned();
        Some((state, fields.nth(1)?.parse::<i32>().ok()?))
    });
    states.any(|(state, of)| of == group.as_raw() && !matches!(state.as_str(), "Z" | "X"))
}

/// A shell that waits for its standard input to close, which it does when we are gone, and kills the group then.
fn watchdog(group: Pid) -> std::io::Result<Child> {
    let script = format!("trap '' HUP INT TERM; read -r _; kill -KILL -{group} 2>/dev/null");
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script).process_group(0);
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

/// Each line of a process's output becomes an event that names it.
async fn log_lines(output: impl AsyncRead + Unpin, name: String, stream: &'static str) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut output).take(LINE_BYTES).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let text = String::from_utf8_lossy(&line);
                tracing::info!(target: "upstream", name, stream, "{}", text.trim_end_matches(['\r', '\n']));
            }
        }
    }
}
