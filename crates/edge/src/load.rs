//! From a manifest to an [`AppState`], off the hot path: check, admit, open what grants name, compile, link.
//!
//! Everything that is wrong is collected, and then nothing is changed. What is the same as before is kept: pools (same bytes,
//! grants, limits) with their waiting instances, upstreams with their connections and processes.

mod destinations;
mod versions;

use self::destinations::Parts;
use crate::apps::Stamp;
use crate::chain::chain;
use crate::destination::Component;
use crate::health::{Health, Watch};
use crate::roles;
use crate::rollout::Rollouts;
use crate::settings::AppSource;
use crate::state::{AppState, LoadedComponent, LoadedUpstream, Released};
use crate::supervise::Watched;
use crate::tunnel::Tunnels;
use crate::upstream::{Behind, Timeouts, Upstream};
use coracle_artifact::{Admitted, Digest};
use coracle_host::{Check, Checked, Engine, Grant, Job, Later, Neighbours, Note, Plugin, Pool, Resources, Spec, Use};
use coracle_manifest::value::{Node, Value};
use coracle_manifest::{App, CheckOptions, Diagnostic, Diagnostics, Flags, RouteTable, Source};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// What every load needs.
pub struct Loader {
    pub engine: Engine,
    pub plugins: Vec<Arc<dyn Plugin>>,
    /// Holds the backends that are open in this process; the rest of it is filled in anew by each load.
    pub resources: Resources,
    pub source: AppSource,
    pub state_dir: Option<PathBuf>,
    pub shards: usize,
    pub timeouts: Timeouts,
    pub tunnels: Tunnels,
    /// What the log of rollouts knows, once it is open.
    pub rollouts: Arc<OnceLock<Rollouts>>,
    /// The app is one of many: its components are loaded when they are called, and its names stand behind this one.
    pub app: Option<Arc<str>>,
    /// The components of the app, for each other.
    pub neighbours: Arc<Neighbours>,
    /// Those of the apps of a folder, by app: what is kept over a reload keeps them.
    pub neighbourhoods: Arc<Mutex<HashMap<String, Arc<Neighbours>>>>,
}

/// What may be kept of an app's state before.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    pub components: &'a BTreeMap<String, LoadedComponent>,
    pub upstreams: &'a BTreeMap<String, LoadedUpstream>,
    pub versions: &'a BTreeMap<String, LoadedComponent>,
}

/// A state, and the upstreams in it that nobody watches yet.
pub struct Loaded {
    pub state: AppState,
    pub unwatched: Vec<Watched>,
    /// The components' files, as they were before they were read.
    pub made_from: Vec<(PathBuf, Stamp)>,
}

/// An app could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("can't read the manifest {}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the app can't be loaded")]
    Refused { source_text: Arc<Source>, diagnostics: Diagnostics },
    #[error("no app in {} can be served", folder.display())]
    NoApp { folder: PathBuf, errors: Vec<LoadError> },
    #[error("two apps answer for the host `{host}`: {first} and {second}; rename one, or give its route another host")]
    Claimed { host: String, first: String, second: String },
    #[error("`{name}` can't be a host name, and an app answers for the host of its name: rename {} with letters, digits, `-` and dots", place.display())]
    NoHost { name: String, place: PathBuf },
    #[error("loading was interrupted")]
    Interrupted,
}

impl LoadError {
    /// The whole report: every problem with its place, for a person.
    pub fn render(&self, colour: bool) -> String {
        match self {
            Self::Refused { source_text, diagnostics } => diagnostics.render(source_text, colour),
            Self::NoApp { folder, errors } if errors.is_empty() => {
                let shown = folder.display();
                format!("error: there is no app in {shown}; put {shown}/NAME/coracle.toml or {shown}/NAME.wasm there\n")
            }
            Self::NoApp { errors, .. } => {
                let reports: String = errors.iter().map(|error| error.render(colour)).collect();
                format!("{reports}error: {self}\n")
            }
            Self::Unreadable { .. } | Self::Claimed { .. } | Self::NoHost { .. } | Self::Interrupted => {
                format!("error: {}\n", chain(self))
            }
        }
    }
}

/// An app whose grants and stores have been read by their plugins.
pub(crate) struct Checks {
    pub app: App,
    /// By component, in the order of its grants: plugin and what it made of the grant.
    grants: BTreeMap<String, Vec<(usize, Checked)>>,
    stores: BTreeMap<String, Checked>,
}

impl Loader {
    /// The same for one app among many.
    pub fn of_app(&self, name: &str, source: AppSource) -> Self {
        Self {
            engine: self.engine.clone(),
            plugins: self.plugins.clone(),
            resources: Resources {
                stores: BTreeMap::new(),
                config: BTreeMap::new(),
                base_dir: PathBuf::new(),
                state_dir: PathBuf::new(),
                open: Arc::clone(&self.resources.open),
            },
            source,
            // Each app's stores are its own.
            state_dir: self.state_dir.as_ref().map(|dir| dir.join(name)),
            shards: self.shards,
            timeouts: self.timeouts,
            tunnels: self.tunnels.clone(),
            rollouts: Arc::clone(&self.rollouts),
            app: Some(Arc::from(name)),
            neighbours: {
                let mut known = self.neighbourhoods.lock().unwrap_or_else(PoisonError::into_inner);
                Arc::clone(known.entry(name.to_owned()).or_default())
            },
            neighbourhoods: Arc::default(),
        }
    }

    /// Builds the app anew, keeping what is unchanged of what is known.
    ///
    /// # Errors
    /// With every problem found; nothing of it has been taken into use.
    pub async fn load(&self, previous: Option<Known<'_>>, generation: u64) -> Result<Loaded, LoadError> {
        let mut diagnostics = Diagnostics::new();
        let Some(checks) = self.check(&mut diagnostics)? else {
            return Err(self.refused(diagnostics));
        };
        let source = Arc::clone(&checks.app.source);
        let refused = |diagnostics| LoadError::Refused { source_text: Arc::clone(&source), diagnostics };
        let made_from = checks.app.components.values().filter_map(|component| {
            let coracle_manifest::ComponentSource::Path(path) = &component.source;
            Some((path.clone(), Stamp::of(path)?))
        });
        let made_from = made_from.collect();
        let components = self.components(&checks, previous, &mut diagnostics).await;
        let versions = self.versions(&checks, previous, &components).await;
        let (upstreams, unwatched) = self.upstreams(&checks.app, previous, &mut diagnostics);
        if diagnostics.has_errors() {
            return Err(refused(diagnostics));
        }
        if !diagnostics.is_empty() {
            tracing::warn!("{}", diagnostics.render(&source, false));
        }
        let pools = components.iter().map(|(name, loaded)| (name.as_str(), &loaded.component.pool));
        Pool::acquaint(&self.neighbours, pools);
        let (table, _) = RouteTable::new(&checks.app.routes);
        let parts = Parts { components: &components, upstreams: &upstreams, versions: &versions };
        let routes = self.routes(&checks.app, &parts);
        let notes = components.values().flat_map(|loaded| loaded.notes.clone()).collect();
        let state = AppState {
            app: checks.app,
            generation,
            table,
            routes,
            components,
            upstreams,
            versions,
            notes,
            apps: None,
            released: Released::default(),
        };
        Ok(Loaded { state, unwatched, made_from })
    }

    fn refused(&self, diagnostics: Diagnostics) -> LoadError {
        let source = match &self.source {
            AppSource::Manifest { path, .. } => Source::load(path).unwrap_or_default(),
            AppSource::Given(app) => (*app.source).clone(),
            AppSource::Folder { .. } => Source::default(),
        };
        LoadError::Refused { source_text: Arc::new(source), diagnostics }
    }

    /// Reads the manifest and has each plugin read its tables. `None` when something is wrong.
    fn check(&self, diagnostics: &mut Diagnostics) -> Result<Option<Checks>, LoadError> {
        let mut tables = Tables::default();
        let mut look = |app: &App, found: &mut Diagnostics| tables = check_tables(app, &self.plugins, found);
        let app = match &self.source {
            AppSource::Given(app) => {
                look(app, diagnostics);
                Some((**app).clone())
            }
            AppSource::Manifest { path, variant, variables } => {
                let options = Reading { path, variant: variant.as_deref(), variables, plugins: &self.plugins };
                options.read(diagnostics, &mut look)?
            }
            // `folder.rs` loads its apps one by one.
            AppSource::Folder { .. } => None,
        };
        let (stores, grants) = tables;
        Ok(app.filter(|_| !diagnostics.has_errors()).map(|app| Checks { app, grants, stores }))
    }

    async fn components(
        &self,
        checks: &Checks,
        previous: Option<Known<'_>>,
        diagnostics: &mut Diagnostics,
    ) -> BTreeMap<String, LoadedComponent> {
        let mut loaded = BTreeMap::new();
        let resources = Arc::new(self.resources(checks));
        for (name, component) in &checks.app.components {
            let known = previous.and_then(|known| known.components.get(name));
            match self.component(checks, component, known, &resources).await {
                Ok(component) => drop(loaded.insert(name.clone(), component)),
                Err(problem) => diagnostics.push(problem.at(component.span)),
            }
        }
        loaded
    }

    pub(crate) async fn component(
        &self,
        checks: &Checks,
        component: &coracle_manifest::Component,
        known: Option<&LoadedComponent>,
        resources: &Arc<Resources>,
    ) -> Result<LoadedComponent, Diagnostic> {
        let coracle_manifest::ComponentSource::Path(file) = component.source.clone();
        let admitted = admitted(file.clone()).await?;
        // Before it is compiled, and before the linker finds something less telling.
        roles::check(&checks.app, component, &admitted)?;
        for warning in &admitted.warnings {
            tracing::warn!(component = component.name, "{warning}");
        }
        let digest = admitted.digest.hex();
        versions::keep_if_rolled_out(&checks.app, component, &resources.state_dir, (&digest, &admitted.bytes));
        let fingerprint = fingerprint(&digest, component, &checks.app);
        if let Some(known) = known.filter(|known| known.fingerprint == fingerprint) {
            return Ok(known.clone());
        }
        let spec = self.spec(checks, component, admitted, resources).await?;
        let pool = match &self.app {
            None => Box::pin(Pool::load(&self.engine, spec)).await,
            Some(app) => {
                let alone = **app == *component.name;
                let title = if alone { Arc::clone(app) } else { Arc::from(format!("{app}/{}", component.name)) };
                Pool::register(&self.engine, spec, Later { file, title })
            }
        };
        let (pool, notes) = pool.map_err(|error| {
            Diagnostic::error("component", format!("component `{}`: {}", component.name, chain(&error)))
        })?;
        let component = Arc::new(Component { pool, limits: component.limits.clone() });
        Ok(LoadedComponent { component, digest, fingerprint, notes })
    }

    /// What the host needs to know of a component.
    async fn spec(
        &self,
        checks: &Checks,
        component: &coracle_manifest::Component,
        admitted: Admitted,
        resources: &Arc<Resources>,
    ) -> Result<Spec, Diagnostic> {
        Ok(Spec {
            name: Arc::from(component.name.as_str()),
            component: admitted,
            env: component.env.clone(),
            grants: self.prepare(checks.grants.get(&component.name), resources).await?,
            limits: component.limits.clone(),
            reuse: component.reuse.clone(),
            strict: component.strict,
            uses: uses(component),
            neighbours: Arc::clone(&self.neighbours),
        })
    }

    /// The one component of an app, as a command that is ready to run.
    ///
    /// # Errors
    /// With every problem found.
    pub(crate) async fn job(&self) -> Result<(Job, Vec<Note>), LoadError> {
        let mut diagnostics = Diagnostics::new();
        let Some(checks) = self.check(&mut diagnostics)? else { return Err(self.refused(diagnostics)) };
        let source = Arc::clone(&checks.app.source);
        if !diagnostics.is_empty() {
            tracing::warn!("{}", diagnostics.render(&source, false).trim_end());
        }
        let made = match checks.app.components.values().next() {
            Some(component) => self.job_of(&checks, component).await.map_err(|problem| problem.at(component.span)),
            None => Err(Diagnostic::error("component", "the app has no component")),
        };
        made.map_err(|problem| {
            diagnostics.push(problem);
            LoadError::Refused { source_text: source, diagnostics }
        })
    }

    async fn job_of(
        &self,
        checks: &Checks,
        component: &coracle_manifest::Component,
    ) -> Result<(Job, Vec<Note>), Diagnostic> {
        let failed = |error: &dyn std::error::Error| {
            Diagnostic::error("component", format!("component `{}`: {}", component.name, chain(error)))
        };
        let coracle_manifest::ComponentSource::Path(file) = component.source.clone();
        let admitted = admitted(file).await?;
        admitted.run().map_err(|refusal| failed(&refusal))?;
        let spec = self.spec(checks, component, admitted, &Arc::new(self.resources(checks))).await?;
        let engine = self.engine.clone();
        let loaded = tokio::task::spawn_blocking(move || Job::load(&engine, spec)).await;
        loaded.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }

    /// Opens what the grants name. Every plugin is in the list, denied where nothing was granted.
    async fn prepare(
        &self,
        granted: Option<&Vec<(usize, Checked)>>,
        resources: &Arc<Resources>,
    ) -> Result<Vec<(Arc<dyn Plugin>, Grant)>, Diagnostic> {
        let plugins = self.plugins.clone();
        let granted = granted.cloned().unwrap_or_default();
        let resources = Arc::clone(resources);
        let prepared = tokio::task::spawn_blocking(move || {
            let prepare = |(position, plugin): (usize, Arc<dyn Plugin>)| {
                let checked = granted.iter().find(|(at, _)| *at == position).map(|(_, checked)| checked);
                let grant = checked.map_or(Ok(Grant::Denied), |checked| plugin.prepare(checked, &resources));
                grant.map(|grant| (plugin, grant))
            };
            plugins.into_iter().enumerate().map(prepare).collect::<Result<Vec<_>, _>>()
        });
        prepared
            .await
            .map_err(|error| Diagnostic::error("grant", error.to_string()))?
            .map_err(|error| Diagnostic::error("grant", chain(&error)))
    }

    pub(crate) fn resources(&self, checks: &Checks) -> Resources {
        Resources {
            stores: checks.stores.clone(),
            config: checks.app.config.clone(),
            base_dir: checks.app.base_dir.clone(),
            state_dir: self.state_dir.clone().unwrap_or_else(|| checks.app.base_dir.join(".coracle")),
            open: Arc::clone(&self.resources.open),
        }
    }

    fn upstreams(
        &self,
        app: &App,
        previous: Option<Known<'_>>,
        diagnostics: &mut Diagnostics,
    ) -> (BTreeMap<String, LoadedUpstream>, Vec<Watched>) {
        let mut loaded = BTreeMap::new();
        let mut unwatched = Vec::new();
        for (name, upstream) in &app.upstreams {
            let spec = coracle_manifest::Upstream { span: coracle_manifest::Span::default(), ..upstream.clone() };
            let known = previous.and_then(|known| known.upstreams.get(name)).filter(|known| known.spec == spec);
            if let Some(known) = known {
                loaded.insert(name.clone(), known.clone());
                continue;
            }
            let watched = upstream.command.is_some() || upstream.health.is_some();
            let first = if watched { Health::Starting } else { Health::Ready };
            let (sender, health) = Watch::new(first, upstream.command.is_some());
            let behind = Behind { tunnels: self.tunnels.clone(), telemetry: self.engine.telemetry().cloned() };
            match Upstream::new(upstream, self.shards, self.timeouts, health, behind) {
                Ok(made) => {
                    if watched {
                        unwatched.push(Watched { spec: spec.clone(), health: sender });
                    }
                    loaded.insert(name.clone(), LoadedUpstream { upstream: Arc::new(made), spec });
                }
                Err(error) => diagnostics.push(Diagnostic::error("upstream", chain(&error)).at(upstream.span)),
            }
        }
        (loaded, unwatched)
    }
}

/// Reads and admits a component's file.
async fn admitted(file: PathBuf) -> Result<Admitted, Diagnostic> {
    let options = coracle_artifact::Options::default();
    let admitted = tokio::task::spawn_blocking(move || coracle_artifact::load(&file, &options)).await;
    admitted
        .map_err(|error| Diagnostic::error("component", error.to_string()))?
        .map_err(|rejected| Diagnostic::error("component", chain(&rejected)))
}

/// How a manifest is read.
struct Reading<'a> {
    path: &'a Path,
    variant: Option<&'a str>,
    variables: &'a BTreeMap<String, String>,
    plugins: &'a [Arc<dyn Plugin>],
}

impl Reading<'_> {
    fn read(
        &self,
        diagnostics: &mut Diagnostics,
        look: &mut dyn FnMut(&App, &mut Diagnostics),
    ) -> Result<Option<App>, LoadError> {
        let unreadable = |source| LoadError::Unreadable { path: self.path.to_owned(), source };
        let source = Arc::new(Source::load(self.path).map_err(unreadable)?);
        let whole = std::path::absolute(self.path).map_err(unreadable)?;
        let grants: Vec<_> = self.plugins.iter().map(|plugin| plugin.name()).collect();
        let stores: Vec<_> = self.plugins.iter().filter_map(|plugin| plugin.store()).map(|(kind, _)| kind).collect();
        let options = CheckOptions {
            env: self.variant,
            variables: &|name| self.variables.get(name).cloned(),
            known_grants: &grants,
            known_store_kinds: &stores,
            base_dir: whole.parent().unwrap_or(Path::new("/")),
        };
        let (app, found) = coracle_manifest::check_with(source, &options, look);
        diagnostics.append(found);
        Ok(app)
    }
}

/// The app that serves one component on every path, without any grant.
///
/// # Errors
/// With what is wrong.
pub fn bare(component: &Path, base_dir: &Path, plugins: &[Arc<dyn Plugin>]) -> Result<App, LoadError> {
    let grants: Vec<_> = plugins.iter().map(|plugin| plugin.name()).collect();
    let stores: Vec<_> = plugins.iter().filter_map(|plugin| plugin.store()).map(|(kind, _)| kind).collect();
    let component = std::path::absolute(component).unwrap_or_else(|_| component.to_owned());
    let options =
        CheckOptions { env: None, variables: &|_| None, known_grants: &grants, known_store_kinds: &stores, base_dir };
    let (app, diagnostics, source_text) = App::single(&Flags { component, ..Flags::default() }, &options);
    app.ok_or(LoadError::Refused { source_text, diagnostics })
}

type Tables = (BTreeMap<String, Checked>, BTreeMap<String, Vec<(usize, Checked)>>);

/// Has each plugin read its stores and grants. Pure; `coracle check` does the same.
pub fn check_tables(app: &App, plugins: &[Arc<dyn Plugin>], diagnostics: &mut Diagnostics) -> Tables {
    let mut check = |component: &str, read: &mut dyn FnMut(&mut Check<'_>)| {
        let (stores, config, base_dir) = (&app.stores, &app.config, app.base_dir.as_path());
        read(&mut Check { component, stores, config, base_dir, diagnostics });
    };
    let mut stores = BTreeMap::new();
    for (name, store) in &app.stores {
        let owner = plugins.iter().find(|plugin| plugin.store().is_some_and(|(kind, _)| kind == store.kind));
        check("", &mut |check| {
            if let Some(checked) = owner.and_then(|plugin| plugin.check_store(store, check)) {
                stores.insert(name.clone(), checked);
            }
        });
    }
    let mut grants: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (name, component) in &app.components {
        for grant in &component.grants {
            let Some((position, plugin)) = plugins.iter().enumerate().find(|(_, plugin)| plugin.name() == grant.name)
            else {
                continue;
            };
            check(name, &mut |check| {
                if let Some(checked) = plugin.check(&grant.value, check) {
                    grants.entry(name.clone()).or_default().push((position, checked));
                }
            });
        }
    }
    (stores, grants)
}

/// Everything a pool depends on, spelled out. Two that are equal make the same pool.
fn fingerprint(digest: &str, component: &coracle_manifest::Component, app: &App) -> Digest {
    let coracle_manifest::Component { env, limits, reuse, strict, grants, .. } = component;
    let uses = uses(component);
    let mut text =
        format!("{digest} {env:?} {limits:?} {reuse:?} {strict} {uses:?} {:?} {:?}", app.config, app.base_dir);
    let mut spell = |name: &str, node: &Node| {
        // Writing to a String can't fail.
        let _ = write!(text, " {name:?}=");
        spell_value(&mut text, node);
    };
    grants.iter().for_each(|grant| spell(&grant.name, &grant.value));
    app.stores.iter().for_each(|(name, store)| spell(name, &store.value));
    Digest::of(text.as_bytes())
}

fn uses(component: &coracle_manifest::Component) -> Vec<Use> {
    let used = |used: &coracle_manifest::Use| Use {
        interface: used.interface.clone(),
        component: Arc::from(used.component.as_str()),
    };
    component.uses.iter().map(used).collect()
}

/// A value without its place in the file.
fn spell_value(text: &mut String, node: &Node) {
    match &node.value {
        Value::Array(items) => {
            text.push('[');
            for item in items {
                spell_value(text, item);
                text.push(',');
            }
            text.push(']');
        }
        Value::Table(table) => {
            text.push('{');
            for entry in &table.entries {
                let _ = write!(text, "{:?}=", entry.key);
                spell_value(text, &entry.node);
                text.push(',');
            }
            text.push('}');
        }
        plain => drop(write!(text, "{plain:?}")),
    }
}
