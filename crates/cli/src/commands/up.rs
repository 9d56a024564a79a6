//! `coracle up`: serves an app or a bare component until a signal ends it.
//!
//! ```text
//!   options ─▶ Settings ─▶ Edge::start ─▶ "listening on …" ─▶ signals ─▶ drain ─▶ exit
//! ```
//! Signals are taken here, from before the start on, so that none is lost and a second one ends the process whatever it does.

use crate::args::{Bare, LogFormat, Process, Up};
use crate::exit::{Exit, Failure, Text};
use crate::subject::{self, Subject};
use crate::{commands, output, process, succession};
use anyhow::Context as _;
use coracle_edge::{AppSource, Edge, Listen, LoadError, Settings, StartError, TlsFiles};
use coracle_telemetry::export::settings as otel;
use coracle_telemetry::{AccessLog, Fields, Format, Lines};
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Where the admin listener is unless told otherwise; a second process on this machine takes a free port instead.
const ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9180);

/// Where an app is served unless told otherwise.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// How long the end of the process waits for whoever reads its logs.
const LAST_LINES: Duration = Duration::from_secs(2);

pub fn run(options: &Up) -> Result<Exit, Failure> {
    let format = match options.process.log_format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json(Fields::Coracle),
        LogFormat::Ecs => Format::Json(Fields::Ecs),
        LogFormat::Datadog => Format::Json(Fields::Datadog),
        LogFormat::Pino => Format::Json(Fields::Pino),
        LogFormat::Otel => Format::Json(Fields::OpenTelemetry),
    };
    let log = coracle_edge::logging::init(format, &process::log_filter(options.verbose), output::stderr_colour())
        .context("the log's thread does not start")
        .map_err(Failure::start)?;
    let access = if options.quiet { None } else { Some(access_log(format)?) };
    let outcome = match (up(options, access.clone()), format) {
        (Err(failure), Format::Json(_)) => {
            // Who collects JSON lines gets the error as one.
            tracing::error!("{}", output::plain(&failure).trim_end());
            Ok(failure.exit)
        }
        (outcome, _) => outcome,
    };
    if let Some(access) = access {
        access.lines.flush_within(LAST_LINES);
    }
    log.flush_within(LAST_LINES);
    outcome
}

/// One line a request on standard output.
fn access_log(format: Format) -> Result<AccessLog, Failure> {
    let lines = Lines::to(io::stdout(), AccessLog::notice(format))
        .context("the access log's thread does not start")
        .map_err(Failure::start)?;
    Ok(AccessLog { lines, format, colour: format == Format::Text && output::stdout_colour() })
}

fn up(options: &Up, access: Option<AccessLog>) -> Result<Exit, Failure> {
    let app = app(options)?;
    let bare = matches!(app, AppSource::Given(_));
    let mut settings = settings(options, app, access)?;
    settings.inherited = inherited(&mut settings)?;
    let listen = settings.listen.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::start)?;
    let entered = runtime.enter();
    let mut signals = Signals::new().context("signals can't be listened to").map_err(Failure::start)?;
    // Held until the first line is out: an early request's access log line waits for it.
    let mut stdout = io::stdout().lock();
    let started = runtime.block_on(async {
        tokio::select! {
            started = Box::pin(start(settings, options.process.admin.is_none())) => started.map(Ok),
            ended = signals.end() => Ok(Err(ended)),
        }
    });
    let edge = match started.map_err(not_started)? {
        Ok(edge) => edge,
        Err(ended) => return Ok(ended),
    };
    let lines: String = (edge.addrs().iter().zip(&listen))
        .map(|(addr, at)| format!("listening on {}://{addr}\n", if at.tls { "https" } else { "http" }))
        .collect();
    // Whoever closed standard output wants no lines, but may want the server.
    let _ = stdout.write_all(lines.as_bytes()).and_then(|()| stdout.flush());
    drop(stdout);
    announce(&edge, bare);
    succession::ready();
    let exit = runtime.block_on(serve(&edge, &mut signals));
    drop(entered);
    exit
}

/// The sockets that this process was started with. With some, and no address on the command line, they are what is listened on.
fn inherited(settings: &mut Settings) -> Result<Vec<(SocketAddr, Arc<TcpListener>)>, Failure> {
    let sockets = succession::inherited().map_err(Failure::start)?;
    for (addr, _) in &sockets {
        if succession::is_admin(*addr) {
            settings.admin = Some(*addr);
            continue;
        }
        let meant = |at: &&mut Listen| at.addr == *addr || (at.addr.port() == 0 && at.addr.ip() == addr.ip());
        match settings.listen.iter_mut().find(meant) {
            Some(at) => at.addr = *addr,
            None => {
                settings.listen.retain(|at| at.addr != LISTEN);
                settings.listen.push(Listen::from(*addr));
            }
        }
    }
    Ok(sockets.into_iter().map(|(addr, socket)| (addr, Arc::new(socket))).collect())
}

/// What is to be served. Options that belong to the other kind of subject are refused, not ignored.
fn app(options: &Up) -> Result<AppSource, Failure> {
    if let Some(path) = options.path.as_deref().filter(|path| is_folder_of_apps(path)) {
        refuse_bare(&options.bare)?;
        let variables = commands::variables(&options.app);
        return Ok(AppSource::Folder { path: path.to_owned(), variant: options.app.variant.clone(), variables });
    }
    match Subject::find(options.path.as_deref())? {
        Subject::Manifest(path) => {
            refuse_bare(&options.bare)?;
            let variables = commands::variables(&options.app);
            Ok(AppSource::Manifest { path, variant: options.app.variant.clone(), variables })
        }
        Subject::Component(path) => {
            if options.app.variant.is_some() || !options.app.variables.is_empty() {
                return Err(Failure::usage("--variant and --var belong to a manifest; a component alone has neither"));
            }
            Ok(AppSource::Given(Box::new(process::single(&path, &options.bare)?)))
        }
    }
}

/// A directory without a manifest of its own in which apps are. One with a manifest is an app, whatever else is in it.
fn is_folder_of_apps(path: &Path) -> bool {
    path.is_dir() && !path.join(subject::MANIFEST).exists() && coracle_edge::has_apps(path)
}

fn refuse_bare(bare: &Bare) -> Result<(), Failure> {
    if let Some(name) = bare.env.first().filter(|name| !name.contains('=')) {
        return Err(Failure::usage(format!(
            "--env takes a variable of a component; to choose [env.{name}] write --variant {name}"
        )));
    }
    let given = [
        ("--env", "[component.NAME] env = { … }", !bare.env.is_empty()),
        ("--dir", "[component.NAME.grants] files = …", !bare.dirs.is_empty()),
        ("--grant", "[component.NAME.grants]", !bare.grants.is_empty()),
        ("--store", "[store.NAME]", !bare.stores.is_empty()),
        ("--config", "[config]", !bare.config.is_empty()),
        ("--limit", "[component.NAME.limits]", !bare.limits.is_empty()),
        ("--reuse", "[component.NAME] reuse = { … }", bare.reuse.is_some()),
        ("--strict", "[component.NAME] strict = true", bare.strict),
    ];
    match given.into_iter().find(|(_, _, given)| *given) {
        Some((flag, place, _)) => {
            Err(Failure::usage(format!("{flag} is for a component without a manifest; in the manifest, write {place}")))
        }
        None => Ok(()),
    }
}

fn settings(options: &Up, app: AppSource, access: Option<AccessLog>) -> Result<Settings, Failure> {
    let Process { admin, no_admin, drain, shards, memory, cache_dir, state_dir, aot_only, .. } = &options.process;
    if let Some(same) = admin.filter(|admin| admin.port() != 0 && options.listen.iter().any(|at| at.addr == *admin)) {
        return Err(Failure::usage(format!("--listen and --admin both say {same}; each needs an address of its own")));
    }
    let mut settings = Settings {
        app,
        listen: options.listen.clone(),
        shards: shards.map_or(0, usize::from),
        admin: (!no_admin).then(|| admin.unwrap_or(ADMIN)),
        state_dir: state_dir.clone(),
        watch: options.watch,
        access,
        drain: *drain,
        tls: tls(options)?,
        proxy_protocol: options.front.proxy_protocol,
        trusted_proxies: options.front.trusted.clone(),
        ..Settings::default()
    };
    let (telemetry, complaints) = otel::Settings::read(&|name| std::env::var(name).ok());
    complaints.iter().for_each(|complaint| tracing::warn!("{complaint}"));
    settings.telemetry = Some(telemetry);
    settings.engine = process::engine(cache_dir.as_deref());
    settings.engine.compile = !aot_only;
    if let Some(memory) = memory {
        settings.engine.memory = *memory;
    }
    Ok(settings)
}

/// The certificate, which goes with addresses that speak TLS.
fn tls(options: &Up) -> Result<Option<TlsFiles>, Failure> {
    let (asked, front) = (options.listen.iter().any(|at| at.tls), &options.front);
    match (&front.tls_cert, &front.tls_key) {
        (Some(certificate), Some(key)) if asked => Ok(Some(TlsFiles {
            certificate: certificate.clone(),
            key: key.clone(),
            client_ca: front.tls_client_ca.clone(),
        })),
        (None, _) | (_, None) if asked => {
            Err(Failure::usage("an https:// address needs a certificate: add --tls-cert FILE and --tls-key FILE"))
        }
        (Some(_), _) => Err(Failure::usage(
            "--tls-cert is for https:// addresses, and none is listened on: write --listen https://0.0.0.0:443",
        )),
        _ => Ok(None),
    }
}

/// Starts; when only the default admin address is taken, with a free one in its place.
async fn start(settings: Settings, admin_is_default: bool) -> Result<Edge, StartError> {
    match Box::pin(Edge::start(settings.clone())).await {
        Err(StartError::Listen(error)) if admin_is_default && settings.admin == Some(error.addr) => {
            let admin = Some(SocketAddr::new(error.addr.ip(), 0));
            Box::pin(Edge::start(Settings { admin, ..settings })).await
        }
        started => started,
    }
}

fn not_started(error: StartError) -> Failure {
    match error {
        StartError::Load(error @ (LoadError::Refused { .. } | LoadError::NoApp { .. })) => {
            Failure::report(error.render(output::stderr_colour()))
        }
        StartError::Load(error) => Failure::mend(error),
        StartError::Tls(error) => Failure::mend(error),
        StartError::Rollouts(error) => Failure::start(error),
        // Its text says what its cause means.
        StartError::Listen(error) => Failure::start(anyhow::anyhow!("{error}")),
        other => Failure::start(other),
    }
}

/// Everything else one wants to know at the start; for people and log collectors, so it goes to the log.
fn announce(edge: &Edge, bare: bool) {
    let state = edge.state();
    let (app, components, routes, upstreams) =
        (&state.app.name, state.app.components.len(), state.app.routes.len(), state.app.upstreams.len());
    match state.apps() {
        Some((apps, failed)) => {
            tracing::info!(apps = apps.len(), failed = failed.len(), "serving the apps of `{app}` by host name");
        }
        None => tracing::info!(components, routes, upstreams, "serving `{app}`"),
    }
    if let Some(addr) = edge.admin_addr() {
        match edge.admin_token() {
            Some((_, Some(file))) => tracing::info!("admin on http://{addr} (token in {})", file.display()),
            _ => tracing::info!("admin on http://{addr}"),
        }
    }
    let option = if bare { ", or start with --grant NAME=VALUE" } else { "" };
    for note in edge.notes() {
        tracing::warn!(component = note.component, "{}{option}", note.text);
    }
}

/// Until the end: reloads on SIGHUP, drains on the first other signal, breaks off on the second.
async fn serve(edge: &Edge, signals: &mut Signals) -> Result<Exit, Failure> {
    loop {
        let asked = tokio::select! {
            () = edge.wait() => None,
            asked = signals.next() => Some(asked),
        };
        match asked {
            Some(Asked::Reload) => {}
            Some(Asked::Upgrade) => {
                tracing::info!("starting a successor");
                match succession::succeed(edge.sockets(), edge.admin_addr()).await {
                    Ok(()) => break,
                    Err(error) => tracing::error!("{error:#}"),
                }
                continue;
            }
            Some(Asked::End) => break,
            None => {
                return Err(Failure {
                    exit: Exit::Bug,
                    text: Text::Error(anyhow::anyhow!("the server ended by itself")),
                });
            }
        }
        tokio::select! {
            _ = signals.end() => break,
            outcome = edge.reload() => if let Err(error) = outcome {
                tracing::error!("the app stays as it was\n{}", error.render(false).trim_end());
            },
        }
    }
    succession::stopping();
    edge.shutdown();
    tracing::info!("draining; a second signal ends at once");
    tokio::select! {
        () = edge.wait() => Ok(Exit::Ok),
        exit = signals.end() => {
            edge.shutdown_now();
            Ok(exit)
        }
    }
}

/// What a signal asks for.
enum Asked {
    Reload,
    /// To give the sockets to a new process of this program.
    Upgrade,
    End,
}

/// The signals of the process, caught from its making on.
struct Signals {
    hangup: Signal,
    upgrade: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        let (hangup, interrupt) = (signal(SignalKind::hangup())?, signal(SignalKind::interrupt())?);
        let upgrade = signal(SignalKind::user_defined2())?;
        Ok(Self { hangup, upgrade, interrupt, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.hangup.recv() => Asked::Reload,
            _ = self.upgrade.recv() => Asked::Upgrade,
            _ = self.interrupt.recv() => Asked::End,
            _ = self.terminate.recv() => Asked::End,
        }
    }

    /// The next signal that asks for the end, as the exit code of an end at once. A SIGHUP that comes meanwhile stays for
    /// `next`: it may stand for an edit that the reload under way has not read.
    async fn end(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
        }
    }
}
