//! The process as a whole: start, reload, shut down. One hub thread owns the state's replacement and the upstreams' processes.
//!
//! ```text
//!   start: bind ─▶ load ─▶ shards, admin ─▶ running ─ reload (build aside, swap) ─┐
//!                                             ▲───────────────────────────────────┘
//!   shutdown: drain (no new connections) ─▶ all done, or the deadline ─▶ pools ─▶ shards ─▶ processes ─▶ admin
//! ```

use crate::admin::{self, Admin};
use crate::chain::chain;
use crate::deciding::Deciding;
use crate::door::Door;
use crate::figures;
use crate::folder::{self, Folder};
use crate::listen::{self, ListenError};
use crate::live::{Live, Reload, Reloaded};
use crate::load::{Known, LoadError, Loaded, Loader};
use crate::record::Sink;
use crate::scrape;
use crate::settings::{AppSource, Listen, Settings};
use crate::shard::Shard;
use crate::signals::{Asked, Signals};
use crate::state::AppState;
use crate::supervise::{Supervisor, Watched};
use crate::tls::{Tls, TlsError};
use crate::tunnel::Tunnels;
use crate::watch::Files;
use arc_swap::ArcSwap;
use coracle_host::{Engine, EngineError, Note, Resources};
use coracle_rollout::log::LogError;
use coracle_telemetry::export::NotStarted;
use coracle_telemetry::{Options, Telemetry};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Why the edge did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("the admin listener does not start")]
    Admin(#[source] io::Error),
    #[error("telemetry can't be sent")]
    Export(#[source] NotStarted),
    #[error(transparent)]
    Rollouts(#[from] LogError),
    #[error("a thread does not start")]
    Thread(#[source] io::Error),
}

/// A running edge. Dropping it shuts down without waiting.
pub struct Edge {
    addrs: Vec<SocketAddr>,
    admin: Option<(SocketAddr, Admin)>,
    reloads: mpsc::Sender<Reload>,
    live: Arc<Live>,
    ended: watch::Receiver<bool>,
}

/// What the start hands out.
struct Started {
    addrs: Vec<SocketAddr>,
    admin: Option<(SocketAddr, Admin)>,
    live: Arc<Live>,
}

impl Edge {
    /// Binds, loads and serves. Requests are answered from here on; upstreams may still be starting.
    ///
    /// # Errors
    /// When an address is taken or the app can't be loaded; nothing is left running then.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let (started, has_started) = oneshot::channel();
        let (ending, ended) = watch::channel(false);
        let (reloads, asked) = mpsc::channel(16);
        let hub = move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(started.send(Err(StartError::Thread(error)))),
            };
            runtime.block_on(async {
                match Box::pin(Hub::start(settings, asked)).await {
                    Err(error) => drop(started.send(Err(error))),
                    Ok((hub, handed)) => {
                        drop(started.send(Ok(handed)));
                        Box::pin(hub.run()).await;
                    }
                }
            });
            runtime.shutdown_background();
            ending.send_replace(true);
        };
        std::thread::Builder::new().name("hub".to_owned()).spawn(hub).map_err(StartError::Thread)?;
        let lost = || StartError::Thread(io::Error::other("the hub thread ended"));
        let Started { addrs, admin, live } = has_started.await.map_err(|_| lost())??;
        Ok(Self { addrs, admin, reloads, live, ended })
    }

    /// The addresses it listens on, in the order of the settings.
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|(addr, _)| *addr)
    }

    /// What changing admin calls must bring, and the file it was written to, if it was made up.
    pub fn admin_token(&self) -> Option<(&str, Option<&PathBuf>)> {
        self.admin.as_ref().map(|(_, admin)| (admin.token.as_str(), admin.token_file.as_ref()))
    }

    /// The state in use.
    pub fn state(&self) -> Arc<AppState> {
        self.live.state.load_full()
    }

    /// What the user should know about the components in use.
    pub fn notes(&self) -> Vec<Note> {
        self.live.state.load().notes.clone()
    }

    /// Sockets that are passed through at the moment.
    pub fn tunnels(&self) -> usize {
        self.live.tunnels.open()
    }

    /// Loads the app anew and swaps it in; running requests keep the old one.
    ///
    /// # Errors
    /// With everything that is wrong; the old state stays in use.
    pub async fn reload(&self) -> Result<Reloaded, LoadError> {
        let (done, outcome) = oneshot::channel();
        self.reloads.send(done).await.map_err(|_| LoadError::Interrupted)?;
        outcome.await.map_err(|_| LoadError::Interrupted)?
    }

    /// The listening sockets, for a successor to go on listening on; none once this has begun to drain.
    pub fn sockets(&self) -> Vec<std::net::TcpListener> {
        listen::kept(&self.live).iter().filter_map(|socket| socket.try_clone().ok()).collect()
    }

    /// Begins to drain. Returns at once; `wait` tells when all has ended.
    pub fn shutdown(&self) {
        self.live.drain.cancel();
    }

    /// Breaks off what still runs.
    pub fn shutdown_now(&self) {
        self.live.drain.cancel();
        self.live.now.cancel();
    }

    /// Returns when everything has ended.
    pub async fn wait(&self) {
        // The hub thread ended without saying so: it has ended all the same.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.shutdown_now();
    }
}

/// How long what is left to be exported may take at the end.
const LAST_EXPORT: Duration = Duration::from_secs(3);
/// How long requests on a replaced state keep its processes and instances, at most.
const RELEASE: Duration = Duration::from_secs(5);

/// When a replaced state is no longer in use.
#[derive(Clone)]
struct Released {
    token: CancellationToken,
    patience: Duration,
}

impl Released {
    async fn wait(&self) {
        // Whoever still runs after that is broken off.
        let _ = tokio::time::timeout(self.patience, self.token.cancelled()).await;
    }
}

/// The thread that owns reloads and processes.
struct Hub {
    settings: Settings,
    loader: Loader,
    live: Arc<Live>,
    shards: Vec<JoinHandle<()>>,
    drained: mpsc::Receiver<usize>,
    admin: Option<JoinHandle<()>>,
    supervisors: BTreeMap<String, Supervisor>,
    rollouts: Deciding,
    reloads: mpsc::Receiver<Reload>,
    files: Files,
}

impl Hub {
    async fn start(mut settings: Settings, reloads: mpsc::Receiver<Reload>) -> Result<(Self, Started), StartError> {
        let telemetry = settings.telemetry.as_ref().filter(|telemetry| !telemetry.disabled);
        settings.engine.telemetry = telemetry.map(|telemetry| Arc::new(Telemetry::new(telemetry, Options::default())));
        let shard_count = settings.shard_count();
        let tls = settings.tls.clone().map(Tls::load).transpose()?.map(Arc::new);
        let bound =
            settings.listen.iter().map(|at| listen::bind(&settings, at, shard_count)).collect::<Result<Vec<_>, _>>()?;
        let admin = settings.admin.map(|addr| listen::bind_admin(&settings, addr)).transpose()?;
        let loader = loader(&settings)?;
        let mut rollouts = Deciding::new(&settings, &loader)?;
        let loaded = Box::pin(load(&loader, None)).await?;
        let sink = settings.sink();
        let live = Arc::new(Live {
            engine: loader.engine.clone(),
            state: ArcSwap::from_pointee(loaded.state),
            drain: CancellationToken::new(),
            now: CancellationToken::new(),
            stop: CancellationToken::new(),
            tunnels: loader.tunnels.clone(),
            rollouts: Arc::clone(&loader.rollouts),
            counts: Arc::clone(&sink.counts),
            tls,
            sockets: Mutex::default(),
            started: Instant::now(),
            telemetry: settings.engine.telemetry.clone(),
        });
        figures::export(&live, &settings).map_err(StartError::Export)?;
        rollouts.adopt(&live.state.load()).await?;
        if let Some(addr) = telemetry_listener(&settings) {
            scrape::start(addr, &live)?;
        }
        let (asking, hears) = mpsc::channel(16);
        let reloads = merged(reloads, hears);
        // Whatever has been started ends when the rest can't be.
        let unfinished = live.stop.clone().drop_guard();
        listen::keep(
            &live,
            bound.iter().flat_map(|(_, sockets)| sockets).chain(admin.iter().map(|(_, socket)| socket)),
        );
        let (admin, admin_thread) = start_admin(&settings, admin, &live, asking).map_err(StartError::Admin)?.unzip();
        let (addrs, listeners): (Vec<_>, Vec<_>) = bound.into_iter().unzip();
        let (shards, drained) = start_shards(&settings, listeners, &live, &sink).map_err(StartError::Thread)?;
        unfinished.disarm();
        let files = Files::new(settings.watch);
        let supervisors = BTreeMap::new();
        let mut hub = Self {
            settings,
            loader,
            live: Arc::clone(&live),
            shards,
            drained,
            admin: admin_thread,
            supervisors,
            rollouts,
            reloads,
            files,
        };
        hub.watch_upstreams(loaded.unwatched, None);
        hub.watch_files();
        Ok((hub, Started { addrs, admin, live }))
    }

    async fn run(mut self) {
        let mut signals = Signals::new(self.settings.signals);
        let drain = self.live.drain.clone();
        loop {
            let answer = tokio::select! {
                () = drain.cancelled() => break,
                asked = signals.next() => match asked {
                    Asked::Reload => None,
                    Asked::End => {
                        self.live.drain.cancel();
                        break;
                    }
                },
                () = self.files.changed() => None,
                Some(answer) = self.reloads.recv() => Some(answer),
            };
            let Some(outcome) = self.reload_unless_ended(&mut signals).await else { break };
            match (answer, outcome) {
                (Some(answer), outcome) => drop(answer.send(outcome)),
                (None, Ok(_)) => {}
                (None, Err(error)) => tracing::error!("the app stays as it was\n{}", error.render(false)),
            }
        }
        let now = self.live.now.clone();
        tokio::select! {
            () = Box::pin(self.end()) => {}
            () = hurried(&mut signals, &now) => {}
        }
    }

    /// Reloads, again for each signal that asks so meanwhile. `None` when the shutdown has begun: what was built aside is
    /// dropped then, so that a reload that takes long or hangs holds nothing up.
    async fn reload_unless_ended(&mut self, signals: &mut Signals) -> Option<Result<Reloaded, LoadError>> {
        let drain = self.live.drain.clone();
        loop {
            let mut again = false;
            let mut reload = Box::pin(self.reload());
            let outcome = loop {
                tokio::select! {
                    outcome = &mut reload => break outcome,
                    () = drain.cancelled() => return None,
                    asked = signals.next() => match asked {
                        Asked::Reload => again = true,
                        Asked::End => {
                            drain.cancel();
                            return None;
                        }
                    },
                }
            };
            if !again {
                return Some(outcome);
            }
        }
    }

    /// Builds the new state aside, swaps it in, and lets go of what it no longer has.
    async fn reload(&mut self) -> Result<Reloaded, LoadError> {
        if let Some(Err(error)) = self.live.tls.as_ref().map(|tls| tls.reload()) {
            tracing::error!("the certificate stays as it was: {}", chain(&error));
        }
        let old = self.live.state.load_full();
        let loaded = Box::pin(load(&self.loader, Some(&old))).await;
        // A file that was wrong may be put right by the next save.
        let loaded = loaded.inspect_err(|_| self.watch_files())?;
        let new = Arc::new(loaded.state);
        // Before a request sees them: else each would begin on the old version.
        if let Err(error) = self.rollouts.adopt(&new).await {
            tracing::error!(error = %crate::chain::chain(&error), "rollouts can't go on; their routes stay on the old version");
        }
        self.live.state.store(Arc::clone(&new));
        let mut reloaded = Reloaded { generation: new.generation, replaced: vec![], kept: vec![], failed: vec![] };
        let before: HashMap<_, _> = old.all_components().collect();
        let mut kept = HashSet::new();
        for (name, component) in new.all_components() {
            let same = before.get(&name).is_some_and(|old| Arc::ptr_eq(&old.component, &component.component));
            if same {
                kept.insert(name);
            } else {
                reloaded.replaced.push(name);
            }
        }
        if let Some((_, failed)) = new.apps() {
            reloaded.failed = failed.keys().cloned().collect();
        }
        let released = Released { token: old.released.token(), patience: self.settings.drain.min(RELEASE) };
        // What was `price` may go on as the version that a rollout can go back to.
        let in_use: HashSet<_> = new.all_components().map(|(_, loaded)| Arc::as_ptr(&loaded.component)).collect();
        let retired = before.iter().filter(|(_, loaded)| !in_use.contains(&Arc::as_ptr(&loaded.component)));
        let retired: Vec<_> = retired.map(|(_, loaded)| loaded.component.pool.clone()).collect();
        reloaded.kept = kept.into_iter().collect();
        reloaded.kept.sort_unstable();
        let upstreams: HashSet<_> = new.all_upstreams().map(|(name, _)| name).collect();
        let gone = old.all_upstreams().filter(|(name, _)| !upstreams.contains(name));
        let gone: Vec<_> = gone.filter_map(|(name, _)| self.supervisors.remove(&name)).collect();
        drop(before);
        drop(old);
        tokio::spawn({
            let released = released.clone();
            async move {
                released.wait().await;
                retired.iter().for_each(coracle_host::Pool::retire);
                futures::future::join_all(gone.into_iter().map(Supervisor::stop)).await;
            }
        });
        self.watch_upstreams(loaded.unwatched, Some(&released));
        self.watch_files();
        match new.apps() {
            // Thousands of names are no help.
            Some((apps, failed)) => {
                let replaced = reloaded.replaced.len();
                tracing::info!(
                    generation = new.generation,
                    apps = apps.len(),
                    failed = failed.len(),
                    replaced,
                    "reloaded"
                );
            }
            None => tracing::info!(generation = new.generation, replaced = ?reloaded.replaced, "reloaded"),
        }
        Ok(reloaded)
    }

    /// `released`: when requests no longer run on the processes that are replaced.
    fn watch_upstreams(&mut self, unwatched: Vec<Watched>, released: Option<&Released>) {
        for watched in unwatched {
            let name = watched.spec.name.clone();
            let (predecessor, released) = (self.supervisors.remove(&name), released.cloned());
            let after = async move {
                if let Some(predecessor) = predecessor {
                    if let Some(released) = released {
                        released.wait().await;
                    }
                    predecessor.stop().await;
                }
            };
            self.supervisors.insert(name, Supervisor::start(watched, after));
        }
    }

    fn watch_files(&mut self) {
        let state = self.live.state.load();
        let components = state.app.components.values().map(|component| match &component.source {
            coracle_manifest::ComponentSource::Path(path) => path.clone(),
        });
        let (manifest, folder) = match &self.settings.app {
            AppSource::Manifest { path, .. } => (Some(path.clone()), None),
            AppSource::Given(_) => (None, None),
            AppSource::Folder { path, .. } => (None, Some(path)),
        };
        if !self.settings.watch {
            return;
        }
        let of_folder = folder.map(|folder| folder::watched(folder, &state)).unwrap_or_default();
        let of_tls = self.live.tls.iter().flat_map(|tls| tls.paths());
        self.files
            .watch(components.chain(manifest).chain(of_folder).chain(of_tls).collect(), folder.map(PathBuf::as_path));
    }

    /// The way down, in order: what is behind something ends after it.
    async fn end(&mut self) {
        // Whoever wants them has them.
        listen::kept(&self.live).clear();
        let (live, deadline) = (Arc::clone(&self.live), self.settings.drain);
        let now = live.now.clone();
        let timer = tokio::spawn({
            let now = now.clone();
            async move {
                tokio::time::sleep(deadline).await;
                now.cancel();
            }
        });
        for _ in 0..self.shards.len() {
            let _ = self.drained.recv().await;
        }
        tokio::select! {
            () = live.tunnels.drained() => {}
            () = now.cancelled() => {}
        }
        live.tunnels.cut();
        let state = live.state.load_full();
        let pools: Vec<_> = state.all_components().map(|(_, loaded)| loaded.component.pool.clone()).collect();
        pools.iter().for_each(coracle_host::Pool::retire);
        tokio::select! {
            _ = futures::future::join_all(pools.iter().map(|pool| Box::pin(pool.drained()))) => {}
            () = now.cancelled() => {}
        }
        if let Some(telemetry) = live.telemetry.clone() {
            let _ = tokio::task::spawn_blocking(move || telemetry.end(LAST_EXPORT)).await;
        }
        live.stop.cancel();
        if let Some(rollouts) = live.rollouts.get() {
            rollouts.stop();
        }
        let supervisors = std::mem::take(&mut self.supervisors);
        futures::future::join_all(supervisors.into_values().map(Supervisor::stop)).await;
        timer.abort();
        let threads =
            std::mem::take(&mut self.shards).into_iter().chain(self.admin.take()).chain(self.rollouts.thread.take());
        let threads: Vec<_> = threads.collect();
        let joined = tokio::task::spawn_blocking(move || threads.into_iter().for_each(|thread| drop(thread.join())));
        let _ = joined.await;
    }
}

/// Where scrapes are listened for, beside the admin listener.
fn telemetry_listener(settings: &Settings) -> Option<SocketAddr> {
    settings.telemetry.as_ref().filter(|telemetry| !telemetry.disabled)?.prometheus
}

/// Cancels `now` at a second signal; never returns before the caller is done.
async fn hurried(signals: &mut Signals, now: &CancellationToken) {
    loop {
        if let Asked::End = signals.next().await {
            now.cancel();
        }
    }
}

/// Both ways to ask for a reload as one.
fn merged(mut handle: mpsc::Receiver<Reload>, mut admin: mpsc::Receiver<Reload>) -> mpsc::Receiver<Reload> {
    let (sender, merged) = mpsc::channel(16);
    let to = sender.clone();
    tokio::spawn(async move {
        while let Some(reload) = handle.recv().await {
            let _ = to.send(reload).await;
        }
    });
    tokio::spawn(async move {
        while let Some(reload) = admin.recv().await {
            let _ = sender.send(reload).await;
        }
    });
    merged
}

fn loader(settings: &Settings) -> Result<Loader, EngineError> {
    Ok(Loader {
        engine: Engine::new(&settings.engine)?,
        plugins: coracle_plugins::all(),
        resources: Resources {
            stores: BTreeMap::new(),
            config: BTreeMap::new(),
            base_dir: PathBuf::new(),
            state_dir: PathBuf::new(),
            open: Arc::default(),
        },
        source: settings.app.clone(),
        state_dir: settings.state_dir.clone(),
        shards: settings.shard_count(),
        timeouts: settings.timeouts,
        tunnels: Tunnels::default(),
        rollouts: Arc::default(),
        app: None,
        neighbours: Arc::default(),
        neighbourhoods: Arc::default(),
    })
}

/// The app, or the apps of a folder.
async fn load(loader: &Loader, previous: Option<&AppState>) -> Result<Loaded, LoadError> {
    let (variant, variables, path) = match &loader.source {
        AppSource::Folder { path, variant, variables } => (variant.as_deref(), variables, path),
        AppSource::Manifest { .. } | AppSource::Given(_) => {
            let known = previous.map(|state| Known {
                components: &state.components,
                upstreams: &state.upstreams,
                versions: &state.versions,
            });
            return Box::pin(loader.load(known, previous.map_or(1, |previous| previous.generation + 1))).await;
        }
    };
    Box::pin(folder::load(loader, &Folder { path, variant, variables }, previous)).await
}

type StartedAdmin = ((SocketAddr, Admin), JoinHandle<()>);

fn start_admin(
    settings: &Settings,
    bound: Option<(SocketAddr, std::net::TcpListener)>,
    live: &Arc<Live>,
    reloads: mpsc::Sender<Reload>,
) -> io::Result<Option<StartedAdmin>> {
    let Some((addr, listener)) = bound else { return Ok(None) };
    let admin = Admin::new(settings, addr, live, reloads)?;
    let thread = admin::start(admin.clone(), listener)?;
    Ok(Some(((addr, admin), thread)))
}

type Threads = (Vec<JoinHandle<()>>, mpsc::Receiver<usize>);

/// `listeners`: for each address one per shard.
fn start_shards(
    settings: &Settings,
    mut listeners: Vec<Vec<std::net::TcpListener>>,
    live: &Arc<Live>,
    sink: &Sink,
) -> io::Result<Threads> {
    let count = settings.shard_count();
    let door = |at: &Listen| Door { proxy: settings.proxy_protocol, tls: live.tls.clone().filter(|_| at.tls) };
    let doors: Vec<Door> = settings.listen.iter().map(door).collect();
    let (drained, has_drained) = mpsc::channel(count);
    let mut threads = Vec::with_capacity(count);
    for number in 0..count {
        let shard = Shard {
            number,
            listeners: listeners.iter_mut().filter_map(Vec::pop).zip(doors.iter().cloned()).collect(),
            trusted: settings.trusted_proxies.as_slice().into(),
            live: Arc::clone(live),
            sink: Arc::new(sink.clone()),
            header_timeout: settings.header_timeout,
            write_timeout: settings.write_timeout,
            max_connections: settings.max_connections.div_ceil(count),
        };
        let drained = drained.clone();
        let run = move || {
            if let Err(error) = shard.run(drained) {
                tracing::error!(%error, shard = number, "a shard could not serve");
            }
        };
        threads.push(std::thread::Builder::new().name(format!("shard-{number}")).spawn(run)?);
    }
    Ok((threads, has_drained))
}
