//! From the routes of a manifest to destinations: names to what was loaded under them, and for a route in a rollout both of its
//! versions. `load.rs` calls it last.

use crate::destination::Destination;
use crate::load::Loader;
use crate::loaded::{LoadedComponent, LoadedUpstream, Route};
use crate::rate::Rate;
use crate::redirect::Redirect;
use crate::rollout::{Rollouts, Steered, effects};
use crate::static_files::StaticFiles;
use coracle_manifest::{App, Target};
use coracle_rollout::document::Document;
use coracle_rollout::version::Version;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What was loaded of an app.
pub struct Parts<'a> {
    pub components: &'a BTreeMap<String, LoadedComponent>,
    pub upstreams: &'a BTreeMap<String, LoadedUpstream>,
    /// Components as they were, by label.
    pub versions: &'a BTreeMap<String, LoadedComponent>,
}

impl Parts<'_> {
    fn target(&self, target: &Target) -> Option<Destination> {
        match target {
            Target::Component(name) => Some(Destination::Component(Arc::clone(&self.components.get(name)?.component))),
            Target::Upstream(name) => Some(Destination::Upstream(Arc::clone(&self.upstreams.get(name)?.upstream))),
        }
    }

    /// The version that a name stands for now.
    fn version(&self, target: &Target) -> Option<Version> {
        let name = target.name().to_owned();
        match target {
            Target::Component(_) => {
                Some(Version::Component { digest: self.components.get(&name)?.digest.clone(), name })
            }
            Target::Upstream(_) => Some(Version::Upstream { name }),
        }
    }

    /// What answers as a version, if it is here.
    fn answerer(&self, version: &Version) -> Option<Destination> {
        match version {
            Version::Upstream { name } => self.target(&Target::Upstream(name.clone())),
            Version::Component { name, digest } => {
                let now = self.components.get(name).filter(|loaded| loaded.digest == *digest);
                let loaded = now.or_else(|| self.versions.get(&version.to_string()))?;
                Some(Destination::Component(Arc::clone(&loaded.component)))
            }
        }
    }
}

impl Loader {
    /// The routes of an app, in the order of its manifest.
    pub fn routes(&self, app: &App, parts: &Parts<'_>) -> Vec<Route> {
        // Names were resolved by the manifest; a route that still has no destination answers with "not found".
        let nowhere = |route: &coracle_manifest::Route| {
            let pattern = Arc::from(route.title());
            Route {
                pattern,
                rate: None,
                middleware: Arc::default(),
                first: Destination::Nowhere,
                fallback: None,
                steered: None,
            }
        };
        app.routes.iter().map(|route| self.route(app, route, parts).unwrap_or_else(|| nowhere(route))).collect()
    }

    fn route(&self, app: &App, route: &coracle_manifest::Route, parts: &Parts<'_>) -> Option<Route> {
        let first = match &route.to {
            coracle_manifest::Destination::Component(_) | coracle_manifest::Destination::Upstream(_) => {
                parts.target(&route.to.target()?)?
            }
            coracle_manifest::Destination::Static(files) => {
                Destination::Static(Arc::new(StaticFiles::new(files, &route.path)))
            }
            coracle_manifest::Destination::Redirect { to, status } => {
                Destination::Redirect(Arc::new(Redirect::new(to, *status)?))
            }
        };
        let fallback = match &route.fallback {
            Some(fallback) => Some(parts.target(fallback)?),
            None => None,
        };
        let component = |name: &String| Some(Arc::clone(&parts.components.get(name)?.component));
        let middleware = route.middleware.iter().map(component).collect::<Option<_>>()?;
        let rate = route.rate.as_ref().and_then(Rate::new);
        let steered = match (&route.rollout, route.to.target()) {
            (Some(rollout), Some(to)) => Some(self.steered(app, (route, rollout), (&to, &first), parts)?),
            _ => None,
        };
        Some(Route { pattern: Arc::from(route.title()), rate, middleware, first, fallback, steered })
    }

    /// Both versions of a route. The old one is what was promoted last; at first it is the manifest's `from`.
    fn steered(
        &self,
        app: &App,
        (route, rollout): (&coracle_manifest::Route, &coracle_manifest::rollout::Rollout),
        (to, new): (&Target, &Destination),
        parts: &Parts<'_>,
    ) -> Option<Arc<Steered>> {
        let title = route.title();
        let version = parts.version(to)?;
        let history = self.rollouts.get().map(Rollouts::history);
        let base =
            history.and_then(|history| history.base(&app.name, &title, &version)).filter(|base| *base != version);
        let known = base.and_then(|base| Some((parts.answerer(&base)?, base)));
        let (old, base) = match known {
            Some(known) => known,
            None => (parts.target(&rollout.from)?, parts.version(&rollout.from)?),
        };
        let document = Document::new(&app.name, &title, (base, version), rollout);
        let component = app.components.get(to.name()).filter(|_| matches!(to, Target::Component(_)));
        Some(Steered::new(document, (old, new.clone()), component.and_then(effects::of), self.shards))
    }
}
