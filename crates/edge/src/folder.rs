//! A folder of apps: which there are, and how each is loaded beside the others. `NAME/coracle.toml` and `NAME.wasm` are apps; they
//! answer for the hosts `NAME` and `NAME.*`, and for the hosts that their routes name.
//!
//! ```text
//!   entries ─▶ each: unchanged? kept │ loaded, to be compiled when called │ reported, and served as before if it was ─▶ hosts ─▶ state
//! ```
//! An app that doesn't load harms no other. Called by the hub (`edge.rs`), off the hot path.

use crate::apps::{Apps, Claimed, Hosted, Stamp};
use crate::load::{Known, LoadError, Loaded, Loader, bare};
use crate::settings::AppSource;
use crate::state::{AppState, Released};
use crate::supervise::Watched;
use coracle_manifest::{App, RouteTable, Source};
use futures::StreamExt as _;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The manifest of an app in a folder of its own.
const MANIFEST: &str = "coracle.toml";

/// An app as it was found.
struct Entry {
    name: String,
    place: PathBuf,
}

/// How the apps of a folder are read.
pub struct Folder<'a> {
    pub path: &'a Path,
    pub variant: Option<&'a str>,
    pub variables: &'a BTreeMap<String, String>,
}

/// Loads what is in the folder, keeping what has not changed. Apps that don't load are reported to the log and noted in the state.
///
/// # Errors
/// When the folder can't be read; at the start also when there is no app in it that loads.
pub async fn load(loader: &Loader, folder: &Folder<'_>, previous: Option<&AppState>) -> Result<Loaded, LoadError> {
    let unreadable = |source| LoadError::Unreadable { path: folder.path.to_owned(), source };
    let entries = entries(folder.path).map_err(unreadable)?;
    let known = previous.and_then(|state| state.apps.as_ref());
    let mut apps = Vec::with_capacity(entries.len());
    let (mut errors, mut unwatched) = (Errors::new(), Vec::new());
    let mut changed = Vec::new();
    for entry in entries {
        let before = known.and_then(|known| known.get(&entry.name)).filter(|before| before.place == entry.place);
        match before.filter(|before| before.is_unchanged()) {
            Some(before) => apps.push(Arc::clone(before)),
            None => changed.push((entry, before)),
        }
    }
    // Reading components is work for each core.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let loads = changed.into_iter().map(|(entry, before)| async move {
        let outcome = Box::pin(one(loader, folder, &entry, before)).await;
        (entry, before, outcome)
    });
    let mut loads = std::pin::pin!(futures::stream::iter(loads).buffered(cores));
    while let Some((entry, before, outcome)) = loads.next().await {
        match outcome {
            Ok((app, watched)) => {
                apps.push(Arc::new(app));
                unwatched.extend(watched);
            }
            Err(error) => {
                apps.extend(before.map(Arc::clone));
                errors.insert(entry.place, (entry.name, error));
            }
        }
    }
    let mut apps = claim(apps, known, &mut errors);
    if previous.is_none() && apps.hosted().next().is_none() {
        return Err(LoadError::NoApp {
            folder: folder.path.to_owned(),
            errors: errors.into_values().map(|(_, error)| error).collect(),
        });
    }
    for (place, (name, error)) in &errors {
        let fate =
            if apps.get(name).is_some_and(|app| app.place == *place) { "goes on as it was" } else { "is not served" };
        tracing::error!("the app `{name}` {fate}\n{}", error.render(false).trim_end());
    }
    // The upstreams of an app that lost its host are not started.
    unwatched.retain(|(app, _)| apps.get(app).is_some());
    let failed = errors.iter().map(|(place, (_, error))| (place.display().to_string(), error.render(false)));
    let failed = failed.collect();
    apps.failed = failed;
    let state = state(folder.path, apps, previous);
    let unwatched = unwatched.into_iter().map(|(_, watched)| watched).collect();
    Ok(Loaded { state, unwatched, made_from: Vec::new() })
}

/// What may be an app, by name. What begins with a dot is none, nor is a folder without a manifest.
fn entries(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(file) = path.file_name().and_then(|name| name.to_str()).filter(|name| !name.starts_with('.')) else {
            continue;
        };
        let manifest = path.join(MANIFEST);
        if let Some(name) = file.strip_suffix(".wasm") {
            entries.push(Entry { name: name.to_owned(), place: path.clone() });
        } else if manifest.is_file() {
            entries.push(Entry { name: file.to_owned(), place: manifest });
        }
    }
    entries.sort_by(|a, b| (&a.name, &a.place).cmp(&(&b.name, &b.place)));
    Ok(entries)
}

/// Whether there is anything in a folder that may be an app.
pub fn has_apps(folder: &Path) -> bool {
    entries(folder).is_ok_and(|entries| !entries.is_empty())
}

/// By place: the name and what is wrong.
type Errors = BTreeMap<PathBuf, (String, LoadError)>;
type Watches = Vec<(String, Watched)>;

/// Loads one app.
async fn one(
    loader: &Loader,
    folder: &Folder<'_>,
    entry: &Entry,
    before: Option<&Arc<Hosted>>,
) -> Result<(Hosted, Watches), LoadError> {
    let Entry { name, place } = entry;
    if !is_host(name) {
        return Err(LoadError::NoHost { name: name.clone(), place: place.clone() });
    }
    // Before it is read: a change meanwhile makes it another file than the one that the stamp is of.
    let first = Stamp::of(place);
    let source = if place.file_name().is_some_and(|file| file == MANIFEST) {
        let (variant, variables) = (folder.variant.map(str::to_owned), folder.variables.clone());
        AppSource::Manifest { path: place.clone(), variant, variables }
    } else {
        AppSource::Given(Box::new(bare(place, folder.path, &loader.plugins)?))
    };
    let loader = loader.of_app(name, source);
    let known = before.map(|before| Known {
        components: &before.components,
        upstreams: &before.upstreams,
        versions: &before.versions,
    });
    let Loaded { state, unwatched, made_from } = loader.load(known, 1).await?;
    let named = state.app.routes.iter().filter_map(|route| {
        let host = route.host.clone()?;
        let at = state.app.source.position(route.span.start);
        Some((host, format!("{}:{}:{}", place.display(), at.line, at.column)))
    });
    let mut named: Vec<_> = named.collect();
    named.sort();
    named.dedup_by(|a, b| a.0 == b.0);
    named.retain(|(host, _)| *host != name.to_ascii_lowercase());
    for note in &state.notes {
        tracing::warn!(app = name, component = note.component, "{}", note.text);
    }
    let watched = unwatched.into_iter().map(|mut watched| {
        watched.spec.name = format!("{name}/{}", watched.spec.name);
        (name.clone(), watched)
    });
    let watched = watched.collect();
    let made_from = first.map(|stamp| (place.clone(), stamp)).into_iter().chain(made_from).collect();
    let app = Hosted {
        name: Arc::from(name.as_str()),
        place: place.clone(),
        named: named.into(),
        table: state.table,
        routes: state.routes.into(),
        components: state.components,
        upstreams: state.upstreams,
        versions: state.versions,
        made_from,
    };
    Ok((app, watched))
}

/// Whether it can stand in a URL as a host: letters, digits and `-`, in labels with dots between.
fn is_host(name: &str) -> bool {
    let label = |label: &str| {
        let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        !label.is_empty() && label.len() <= 63 && plain
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// Gives each app its hosts. Who has a host keeps it; among new ones the names of apps come before what routes name.
fn claim(mut found: Vec<Arc<Hosted>>, known: Option<&Apps>, errors: &mut Errors) -> Apps {
    let mut apps = Apps::new(BTreeMap::new());
    let is_new = |app: &Hosted| known.is_none_or(|known| known.get(&app.name).is_none());
    found.sort_by_key(|app| (is_new(app), !app.named.is_empty()));
    for app in found {
        let (name, place) = (app.name.to_string(), app.place.clone());
        if let Err(Claimed { host, first, second }) = apps.add(app) {
            errors.insert(place, (name, LoadError::Claimed { host, first, second }));
        }
    }
    apps
}

fn state(folder: &Path, apps: Apps, previous: Option<&AppState>) -> AppState {
    let name = folder.file_name().map_or_else(|| ".".to_owned(), |name| name.to_string_lossy().into_owned());
    let app = App {
        name,
        base_dir: std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()),
        components: BTreeMap::new(),
        routes: Vec::new(),
        upstreams: BTreeMap::new(),
        stores: BTreeMap::new(),
        config: BTreeMap::new(),
        source: Arc::new(Source::default()),
    };
    AppState {
        app,
        generation: previous.map_or(1, |previous| previous.generation + 1),
        table: RouteTable::default(),
        routes: Vec::new(),
        components: BTreeMap::new(),
        upstreams: BTreeMap::new(),
        versions: BTreeMap::new(),
        notes: Vec::new(),
        apps: Some(apps),
        released: Released::default(),
    }
}

/// The files whose change means a reload: of each app, and where one could appear.
pub fn watched(folder: &Path, state: &AppState) -> Vec<PathBuf> {
    let of_apps = state.apps.iter().flat_map(Apps::hosted).flat_map(|app| &app.made_from).map(|(path, _)| path.clone());
    let folders = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let could_be = folders.filter(|path| path.is_dir()).map(|path| path.join(MANIFEST));
    of_apps.chain(could_be).collect()
}
