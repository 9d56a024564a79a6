//! An app ready to serve: routes, pools, upstreams, files. Built whole by `load`, swapped in, never changed.

use crate::apps::Apps;
pub use crate::loaded::{LoadedComponent, LoadedUpstream, Route};
use crate::respond::Refusal;
use coracle_host::Note;
use coracle_manifest::{App, RouteTable, Routed};
use http::Method;
use std::collections::BTreeMap;
use tokio_util::sync::CancellationToken;

/// An app ready to serve.
pub struct AppState {
    pub app: App,
    /// 1 for the first, one more after each reload.
    pub generation: u64,
    pub(crate) table: RouteTable,
    /// By position in `app.routes`.
    pub(crate) routes: Vec<Route>,
    pub components: BTreeMap<String, LoadedComponent>,
    pub upstreams: BTreeMap<String, LoadedUpstream>,
    /// Components as they were, for rollouts to go back to, by label.
    pub(crate) versions: BTreeMap<String, LoadedComponent>,
    /// What the user should know about the components.
    pub notes: Vec<Note>,
    /// The apps of a folder. What stands above of one app is empty then, but for name and folder.
    pub(crate) apps: Option<Apps>,
    /// Tells when the last request that runs on this state has ended.
    pub(crate) released: Released,
}

/// Cancelled by its drop.
#[derive(Default)]
pub(crate) struct Released(CancellationToken);

impl Released {
    pub(crate) fn token(&self) -> CancellationToken {
        self.0.clone()
    }
}

impl Drop for Released {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl AppState {
    /// The route of a request.
    ///
    /// # Errors
    /// The refusal to answer with when there is none.
    pub fn route(&self, host: &str, method: &Method, path: &str) -> Result<&Route, Refusal> {
        let Some(apps) = &self.apps else { return routed(&self.table, &self.routes, host, method, path) };
        let app = apps.find(host).ok_or(Refusal::UnknownHost)?;
        routed(&app.table, &app.routes, host, method, path)
    }

    /// All routes, those of a folder's apps too.
    pub(crate) fn all_routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter().chain(self.apps.iter().flat_map(Apps::routes))
    }

    /// All components by name; those of a folder as `APP/NAME`, those that were before as `NAME@DIGEST`.
    pub fn all_components(&self) -> impl Iterator<Item = (String, &LoadedComponent)> {
        let own = self.components.iter().chain(&self.versions).map(|(name, loaded)| (name.clone(), loaded));
        own.chain(self.apps.iter().flat_map(Apps::components))
    }

    /// All upstreams by name, likewise.
    pub fn all_upstreams(&self) -> impl Iterator<Item = (String, &LoadedUpstream)> {
        let own = self.upstreams.iter().map(|(name, loaded)| (name.clone(), loaded));
        own.chain(self.apps.iter().flat_map(Apps::upstreams))
    }

    /// The names of the apps of a folder, and by place what is in it but not served, or as it was before, with the report.
    pub fn apps(&self) -> Option<(Vec<&str>, &BTreeMap<String, String>)> {
        self.apps.as_ref().map(|apps| (apps.names().collect(), &apps.failed))
    }

    /// Why it can't take requests yet; empty when it can. An upstream of one app among many keeps no other from being served.
    pub fn not_ready(&self) -> Vec<String> {
        let upstreams = self.upstreams.iter();
        upstreams
            .filter_map(|(name, loaded)| Some(format!("upstream `{name}`: {}", loaded.upstream.not_ready()?)))
            .collect()
    }
}

fn routed<'a>(
    table: &RouteTable,
    routes: &'a [Route],
    host: &str,
    method: &Method,
    path: &str,
) -> Result<&'a Route, Refusal> {
    match table.find(host, method.as_str(), path) {
        Routed::Found { route, .. } => routes.get(route).ok_or(Refusal::NotFound),
        Routed::NotFound => Err(Refusal::NotFound),
        Routed::MethodNotAllowed { mut allow } => {
            if allow.iter().any(|method| method == "GET") && !allow.iter().any(|method| method == "HEAD") {
                allow.push("HEAD".to_owned());
                allow.sort_unstable();
            }
            Err(Refusal::MethodNotAllowed(allow.join(", ")))
        }
    }
}
