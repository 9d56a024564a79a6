//! Sockets that this process gets from the one before it, and gives to the one after it: socket activation, and an upgrade of Coracle
//! itself without a refused connection.
//!
//! ```text
//! SIGUSR2 ─▶ start the program anew, same arguments, with our listening sockets ─ READY=1 ─▶ MAINPID to systemd, drain, end
//!                                                          └ it ends, or says nothing for a minute ─▶ go on as before
//! ```
//! Both directions speak systemd's protocols (sd_listen_fds, sd_notify): what starts us, systemd or ourselves, makes no difference.

use anyhow::{Context as _, Result, anyhow, bail};
use command_fds::{CommandFdExt as _, FdMapping};
use listenfd::ListenFd;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use sd_notify::NotifyState;
use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tokio::net::UnixDatagram;

/// Where the first passed descriptor is, by systemd's convention.
const FIRST: i32 = 3;
/// Names the socket of the admin listener among those that are passed.
const ADMIN: &str = "CORACLE_ADMIN_SOCKET";
/// How long a successor may take until it serves.
const PATIENCE: Duration = Duration::from_secs(60);

/// The listening sockets that we were started with, by their addresses.
///
/// # Errors
/// When a passed descriptor is no listening TCP socket.
pub fn inherited() -> Result<Vec<(SocketAddr, TcpListener)>> {
    let mut passed = ListenFd::from_env();
    let mut sockets = Vec::new();
    for position in 0..passed.len() {
        let socket = passed.take_tcp_listener(position);
        let socket = socket.context("a descriptor that was passed to this process is no listening TCP socket")?;
        let Some(socket) = socket else { continue };
        // Nobody whom we start gets it by chance.
        fcntl(&socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).context("a passed socket can't be set up")?;
        socket.set_nonblocking(true).context("a passed socket can't be set up")?;
        sockets.push((socket.local_addr().context("a passed socket has no address")?, socket));
    }
    Ok(sockets)
}

/// Whether the process before us had its admin listener here.
pub fn is_admin(addr: SocketAddr) -> bool {
    std::env::var(ADMIN).is_ok_and(|said| said == addr.to_string())
}

/// Says that this process serves; to systemd, or to the process that it succeeds.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Says that this process is going to end.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "whoever has started this process can't be told how it is");
    }
}

/// The program that runs after an upgrade: what stands now where this one was started from.
fn program() -> Result<PathBuf> {
    let running = std::env::current_exe().context("this program can't be found")?;
    // Linux marks the path of a program that has been replaced.
    let path = running.to_string_lossy().trim_end_matches(" (deleted)").to_owned();
    Ok(PathBuf::from(path))
}

/// Starts a successor with these sockets and returns when it serves.
///
/// # Errors
/// When it does not start, ends, or does not serve in time; it is not running then.
pub async fn succeed(sockets: Vec<TcpListener>, admin: Option<SocketAddr>) -> Result<()> {
    let folder = tempfile::tempdir().context("there is no room for a socket to hear the successor on")?;
    let path = folder.path().join("notify");
    let hears = UnixDatagram::bind(&path).context("there is no room for a socket to hear the successor on")?;
    let program = program()?;
    let count = sockets.len();
    let mappings = sockets
        .into_iter()
        .zip(FIRST..)
        .map(|(socket, child_fd)| FdMapping { parent_fd: OwnedFd::from(socket), child_fd });
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let mut command = Command::new(&program);
    command.args(args).env("LISTEN_FDS", count.to_string()).env_remove("LISTEN_PID").env("NOTIFY_SOCKET", &path);
    command.env_remove(ADMIN).envs(admin.map(|addr| (ADMIN, addr.to_string())));
    // A signal at the terminal's group is for whoever serves.
    command.process_group(0);
    command.fd_mappings(mappings.collect()).map_err(|_| anyhow!("a socket was to be passed twice"))?;
    let mut child = command.spawn().with_context(|| format!("{} does not start", program.display()))?;
    let serves = async {
        let mut message = [0_u8; 4096];
        loop {
            let length = hears.recv(&mut message).await?;
            let said = String::from_utf8_lossy(message.get(..length).unwrap_or_default()).into_owned();
            if said.lines().any(|line| line == "READY=1") {
                return std::io::Result::Ok(());
            }
        }
    };
    let ended = async {
        loop {
            if let Some(status) = child.try_wait()? {
                return std::io::Result::Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let outcome = tokio::select! {
        said = serves => said.map_err(anyhow::Error::from),
        status = ended => Err(anyhow!("it ended before it served: {}", status.map_or_else(|error| error.to_string(), |status| status.to_string()))),
        () = tokio::time::sleep(PATIENCE) => Err(anyhow!("it did not serve within {PATIENCE:?}")),
    };
    if let Err(error) = outcome {
        let _ = child.kill();
        let _ = child.wait();
        bail!(error.context("the successor does not serve, this process goes on"));
    }
    tracing::info!(pid = child.id(), "a successor serves");
    tell(&[NotifyState::MainPid(child.id())]);
    Ok(())
}
