//! The apps of a folder, ready to serve: found by host name with one look into a table. Small, for there may be thousands; of an
//! app's manifest only what serving takes is kept.
//!
//! Built by `folder.rs`, kept in the state (`state.rs`), never changed.

use crate::loaded::{LoadedComponent, LoadedUpstream, Route};
use coracle_manifest::RouteTable;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// One app of a folder.
pub struct Hosted {
    pub name: Arc<str>,
    /// Its manifest or its component.
    pub place: PathBuf,
    /// Hosts that its routes name, each with the place where.
    pub named: Box<[(String, String)]>,
    pub table: RouteTable,
    pub routes: Box<[Route]>,
    pub components: BTreeMap<String, LoadedComponent>,
    pub upstreams: BTreeMap<String, LoadedUpstream>,
    /// Components as they were, for rollouts to go back to, by label.
    pub versions: BTreeMap<String, LoadedComponent>,
    /// The files that it was made from, as they were.
    pub made_from: Box<[(PathBuf, Stamp)]>,
}

/// What tells whether a file has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    inode: (u64, u64),
    size: u64,
    changed: (i64, i64),
    /// It had not changed for so long that the next change can't have the same time.
    settled: bool,
}

/// The apps of a folder.
pub struct Apps {
    /// In lower case: the name of the app, or a host that a route of it names.
    hosts: HashMap<Box<str>, Arc<Hosted>>,
    by_name: BTreeMap<Arc<str>, Arc<Hosted>>,
    /// What is there and not served, or served as it was before: place and report.
    pub failed: BTreeMap<String, String>,
}

/// Two apps answer for one host: the place of the one that stays, and that of the one that doesn't.
pub struct Claimed {
    pub host: String,
    pub first: String,
    pub second: String,
}

impl Apps {
    pub fn new(failed: BTreeMap<String, String>) -> Self {
        Self { hosts: HashMap::new(), by_name: BTreeMap::new(), failed }
    }

    /// Takes an app in, for the host of its name and those that its routes name.
    ///
    /// # Errors
    /// When another one answers for one of them; nothing has changed then.
    pub fn add(&mut self, app: Arc<Hosted>) -> Result<(), Claimed> {
        let place = app.place.display().to_string();
        let own = (app.name.to_ascii_lowercase(), place.clone());
        let claims: Vec<_> = std::iter::once(&own).chain(&*app.named).collect();
        for (host, second) in &claims {
            if let Some(other) = self.hosts.get(host.as_str()) {
                let (host, second) = (host.clone(), second.clone());
                return Err(Claimed { first: other.claims(&host), host, second });
            }
        }
        for (host, _) in claims {
            self.hosts.insert(Box::from(host.as_str()), Arc::clone(&app));
        }
        self.by_name.insert(Arc::clone(&app.name), app);
        Ok(())
    }

    /// The app that answers for a host: the one of this name, else the one of its first label.
    pub fn find(&self, host: &str) -> Option<&Hosted> {
        let host = host.trim_end_matches('.');
        let host = if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(host.to_ascii_lowercase())
        } else {
            Cow::Borrowed(host)
        };
        let label = || host.split('.').next().and_then(|label| self.hosts.get(label));
        self.hosts.get(host.as_ref()).or_else(label).map(Arc::as_ref)
    }

    pub fn get(&self, name: &str) -> Option<&Arc<Hosted>> {
        self.by_name.get(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(AsRef::as_ref)
    }

    pub fn hosted(&self) -> impl Iterator<Item = &Arc<Hosted>> {
        self.by_name.values()
    }

    pub fn components(&self) -> impl Iterator<Item = (String, &LoadedComponent)> {
        self.hosted().flat_map(|app| {
            let all = app.components.iter().chain(&app.versions);
            all.map(|(name, one)| (format!("{}/{name}", app.name), one))
        })
    }

    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.hosted().flat_map(|app| &*app.routes)
    }

    pub fn upstreams(&self) -> impl Iterator<Item = (String, &LoadedUpstream)> {
        self.hosted().flat_map(|app| app.upstreams.iter().map(|(name, one)| (format!("{}/{name}", app.name), one)))
    }
}

impl Hosted {
    /// The place where it says that it answers for this host.
    fn claims(&self, host: &str) -> String {
        let named = self.named.iter().find(|(named, _)| named == host);
        named.map_or_else(|| self.place.display().to_string(), |(_, place)| place.clone())
    }

    /// Whether its files are as they were.
    pub fn is_unchanged(&self) -> bool {
        self.made_from.iter().all(|(path, then)| then.settled && Stamp::of(path) == Some(*then))
    }
}

/// Longer than the steps in which file systems tell the time.
const SETTLED: Duration = Duration::from_secs(2);

impl Stamp {
    /// That of a file now; `None` when it is not there.
    pub fn of(path: &std::path::Path) -> Option<Self> {
        let meta = std::fs::metadata(path).ok()?;
        let age = SystemTime::now().duration_since(changed(&meta));
        Some(Self {
            inode: (meta.dev(), meta.ino()),
            size: meta.size(),
            changed: (meta.ctime(), meta.ctime_nsec()),
            settled: age.is_ok_and(|age| age > SETTLED),
        })
    }
}

fn changed(meta: &Metadata) -> SystemTime {
    let seconds = u64::try_from(meta.ctime()).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_nanos(meta.ctime_nsec().unsigned_abs())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn app(name: &str, named: &[&str]) -> Arc<Hosted> {
        let place = PathBuf::from(format!("apps/{name}/coracle.toml"));
        let named = named.iter().map(|host| ((*host).to_owned(), format!("{}:7:8", place.display())));
        Arc::new(Hosted {
            name: Arc::from(name),
            named: named.collect(),
            place: place.clone(),
            table: RouteTable::default(),
            routes: Box::default(),
            components: BTreeMap::new(),
            upstreams: BTreeMap::new(),
            versions: BTreeMap::new(),
            made_from: Box::default(),
        })
    }

    #[test]
    fn hosts_find_their_app() {
        let mut apps = Apps::new(BTreeMap::new());
        for app in [app("shop", &["api.example.com"]), app("www.example.com", &[]), app("Blog", &[])] {
            assert!(apps.add(app).is_ok());
        }
        let found = |host: &str| apps.find(host).map(|app| app.name.to_string());
        for (host, name) in [
            ("shop", Some("shop")),
            ("shop.example.com", Some("shop")),
            ("SHOP.localhost.", Some("shop")),
            ("api.example.com", Some("shop")),
            ("api.example.org", None),
            ("www.example.com", Some("www.example.com")),
            ("www.example.org", None),
            ("blog.test", Some("Blog")),
            ("shopper.test", None),
            ("127.0.0.1", None),
        ] {
            assert_eq!(found(host).as_deref(), name, "{host}");
        }
    }

    #[test]
    fn a_host_belongs_to_one_app() {
        let mut apps = Apps::new(BTreeMap::new());
        assert!(apps.add(app("shop", &["api.example.com"])).is_ok());
        let claimed = apps.add(app("other", &["api.example.com"])).unwrap_err();
        let said = (claimed.host.as_str(), claimed.first.as_str(), claimed.second.as_str());
        assert_eq!(said, ("api.example.com", "apps/shop/coracle.toml:7:8", "apps/other/coracle.toml:7:8"));
        assert!(apps.find("other").is_none(), "nothing of it was taken in");
        assert!(apps.add(app("SHOP", &[])).is_err());
    }
}
