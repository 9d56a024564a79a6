//! A recorded run: starts the app with V8's profilers, waits for load (or drives it), ends it cleanly, and leaves the
//! profiles in a temporary directory.
//!
//! ```text
//! start ─▶ listening ─▶ load: --drive ends │ --for is over │ Ctrl-C ─▶ SIGTERM ─▶ the app ends ─▶ files
//! ```
//!
//! The profilers are in `record.cjs`, loaded into each Node process of the app by NODE_OPTIONS; it also ends an app that
//! has no handler for SIGTERM, because Node writes nothing when it is killed.

use crate::output;
use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

const HOOK: &str = include_str!("record.cjs");
/// How long an app may take to listen, and to end.
const PATIENCE: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(50);

pub struct Settings {
    pub command: Vec<String>,
    pub drive: Option<String>,
    pub length: Option<Duration>,
}

/// What was recorded; the files vanish with it.
pub struct Recorded {
    _dir: tempfile::TempDir,
    pub profiles: Vec<PathBuf>,
    pub coverage: PathBuf,
    pub heaps: Vec<PathBuf>,
    pub requests: Vec<PathBuf>,
}

/// Runs the app and records it.
///
/// # Errors
/// When it can't be started, never listens though it is to be driven, or leaves no profile.
pub fn record(root: &Path, settings: &Settings) -> anyhow::Result<Recorded> {
    let dir = tempfile::Builder::new().prefix("coracle-record-").tempdir().context("no temporary directory")?;
    let hook = dir.path().join("record.cjs");
    std::fs::write(&hook, HOOK).context("the profilers can't be written")?;
    let (asked, interrupts) = channel();
    // A second handler can't be set; then Ctrl-C ends the recording at once, which is the worst it does.
    let _ = ctrlc::set_handler(move || asked.send(()).unwrap_or_default());
    let mut app = start(root, dir.path(), &hook, &settings.command)?;
    let outcome = load(root, dir.path(), settings, &mut app, &interrupts);
    end(&mut app)?;
    outcome?;
    let files = |extension: &str| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(dir.path()).into_iter().flatten().filter_map(Result::ok);
        let mut files: Vec<_> =
            entries.map(|entry| entry.path()).filter(|path| path.to_string_lossy().ends_with(extension)).collect();
        files.sort();
        files
    };
    let profiles = files(".cpuprofile");
    if profiles.is_empty() {
        bail!("the app left no profile: it has to be a Node.js process, and to end by itself on SIGTERM or SIGINT");
    }
    let (coverage, heaps, requests) = (dir.path().join("coverage"), files(".heapprofile"), files(".requests.json"));
    Ok(Recorded { profiles, coverage, heaps, requests, _dir: dir })
}

fn start(root: &Path, dir: &Path, hook: &Path, command: &[String]) -> anyhow::Result<Child> {
    let (program, arguments) = command.split_first().context("no command was given")?;
    let mut options = std::env::var("NODE_OPTIONS").unwrap_or_default();
    options.push_str(&format!(" --require={}", hook.display()));
    Command::new(program)
        .args(arguments)
        .current_dir(root)
        .env("NODE_OPTIONS", options.trim_start())
        .env("CORACLE_RECORD", dir)
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("{program} can't be started"))
}

/// Lets the app run for as long as it is asked to.
fn load(
    root: &Path,
    dir: &Path,
    settings: &Settings,
    app: &mut Child,
    interrupts: &Receiver<()>,
) -> anyhow::Result<()> {
    let url = listening(dir, app, interrupts)?;
    if let Some(drive) = &settings.drive {
        let url = url.context("the app doesn't listen; without a port there is nothing to drive")?;
        output::remark(&format!("recording the app at {url} while `{drive}` runs\n"));
        let mut driver = Command::new("sh")
            .args(["-c", drive])
            .current_dir(root)
            .env("URL", &url)
            .spawn()
            .context("sh can't be started")?;
        let status = loop {
            if let Some(status) = driver.try_wait().context("the load can't be waited for")? {
                break status;
            }
            if app.try_wait().context("the app can't be waited for")?.is_some() || waited(interrupts, STEP) {
                let _ = driver.kill();
                let _ = driver.wait();
                return Ok(());
            }
        };
        if !status.success() {
            output::remark(&format!("note: `{drive}` ended with {status}\n"));
        }
        return Ok(());
    }
    let until = settings.length.map(|length| Instant::now() + length);
    let at = url.map(|url| format!(" at {url}")).unwrap_or_default();
    match settings.length {
        Some(length) => output::remark(&format!("recording the app{at} for {}\n", humantime::format_duration(length))),
        None => output::remark(&format!("recording the app{at}; put load on it, then press Ctrl-C\n")),
    }
    while until.is_none_or(|until| Instant::now() < until) {
        if app.try_wait().context("the app can't be waited for")?.is_some() || waited(interrupts, STEP) {
            break;
        }
    }
    Ok(())
}

/// Whether Ctrl-C came within a time.
fn waited(interrupts: &Receiver<()>, time: Duration) -> bool {
    match interrupts.recv_timeout(time) {
        Ok(()) => true,
        Err(RecvTimeoutError::Timeout) => false,
        Err(RecvTimeoutError::Disconnected) => {
            std::thread::sleep(time);
            false
        }
    }
}

/// Where the app listens, once it does; none when it ends before.
fn listening(dir: &Path, app: &mut Child, interrupts: &Receiver<()>) -> anyhow::Result<Option<String>> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Ok(url) = std::fs::read_to_string(dir.join("url")) {
            return Ok(Some(url));
        }
        if app.try_wait().context("the app can't be waited for")?.is_some() || waited(interrupts, STEP) {
            return Ok(None);
        }
    }
    Ok(None)
}

/// Ends the app: SIGTERM first, SIGKILL when it doesn't end.
fn end(app: &mut Child) -> anyhow::Result<()> {
    let until = Instant::now() + PATIENCE;
    let mut asked = false;
    while app.try_wait().context("the app can't be waited for")?.is_none() {
        if !asked {
            let pid = i32::try_from(app.id()).context("the app's process id is out of range")?;
            // It may have ended by itself in between.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            asked = true;
        }
        if Instant::now() > until {
            output::remark("note: the app didn't end on SIGTERM and was killed; its profile is lost\n");
            app.kill().context("the app can't be ended")?;
            app.wait().context("the app can't be waited for")?;
            break;
        }
        std::thread::sleep(STEP);
    }
    Ok(())
}
