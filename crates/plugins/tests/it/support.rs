//! Manifests through the plugins, and stores to try.

use coracle_host::{Check, Checked, Grant, Plugin, PrepareError, Resources};
use coracle_manifest::{CheckOptions, Diagnostics, Source, check};
use coracle_plugins::kv;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

/// What the plugins made of a manifest.
pub struct Read {
    pub diagnostics: Diagnostics,
    pub source: Arc<Source>,
    /// The grants of the component `a`, with their plugins.
    pub grants: Vec<(Arc<dyn Plugin>, Option<Checked>)>,
    pub stores: BTreeMap<String, Checked>,
    pub config: BTreeMap<String, String>,
}

/// Reads a manifest whose component is `a`, as the edge does.
pub fn read(base_dir: &Path, text: &str) -> Read {
    let plugins = coracle_plugins::all();
    let names: Vec<&str> = plugins.iter().map(|plugin| plugin.name()).collect();
    let kinds: Vec<&str> = plugins.iter().filter_map(|plugin| plugin.store().map(|(kind, _)| kind)).collect();
    let options =
        CheckOptions { env: None, variables: &|_| None, known_grants: &names, known_store_kinds: &kinds, base_dir };
    let whole =
        format!("name = \"test\"\n[component.a]\nsource = \"a.wasm\"\n{text}\n[[route]]\npath = \"/*\"\nto = \"a\"\n");
    let source = Arc::new(Source::new("coracle.toml", whole));
    let (app, mut diagnostics) = check(Arc::clone(&source), &options);
    let app = app.unwrap_or_else(|| panic!("{}", diagnostics.render(&source, false)));
    let mut read_with = |component: &str, step: &mut dyn FnMut(&mut Check<'_>)| {
        step(&mut Check {
            component,
            stores: &app.stores,
            config: &app.config,
            base_dir,
            diagnostics: &mut diagnostics,
        });
    };
    let mut stores = BTreeMap::new();
    let mut grants = Vec::new();
    for store in app.stores.values() {
        let plugin = plugins.iter().find(|plugin| plugin.store().is_some_and(|(kind, _)| kind == store.kind)).unwrap();
        read_with("", &mut |check| {
            stores.extend(plugin.check_store(store, check).map(|made| (store.name.clone(), made)))
        });
    }
    for grant in &app.components["a"].grants {
        let plugin = plugins.iter().find(|plugin| plugin.name() == grant.name).unwrap();
        read_with("a", &mut |check| grants.push((Arc::clone(plugin), plugin.check(&grant.value, check))));
    }
    Read { diagnostics, source, grants, stores, config: app.config.clone() }
}

impl Read {
    /// Each problem as one line: "code: message | source text | label | help".
    pub fn lines(&self) -> Vec<String> {
        let line = |item: &&coracle_manifest::Diagnostic| {
            let json = self.source_text(item);
            format!(
                "{}: {} | {json} | {} | {}",
                item.code,
                item.message,
                item.label,
                item.help.clone().unwrap_or_default()
            )
        };
        self.diagnostics.sorted().iter().map(line).collect()
    }

    fn source_text(&self, item: &coracle_manifest::Diagnostic) -> String {
        let single = {
            let mut single = Diagnostics::new();
            single.push(item.clone());
            single.to_json(&self.source)
        };
        let place = |end: &str| usize::try_from(single[0]["span"][end].as_u64().unwrap()).unwrap();
        self.source.text[place("start")..place("end")].to_owned()
    }

    /// The only grant, prepared.
    pub fn prepare(&self, state_dir: &Path) -> Result<Grant, PrepareError> {
        assert!(!self.diagnostics.has_errors(), "{:#?}", self.lines());
        let resources = Resources {
            stores: self.stores.clone(),
            config: self.config.clone(),
            base_dir: state_dir.to_owned(),
            state_dir: state_dir.join(".coracle"),
            open: Arc::default(),
        };
        let (plugin, checked) = &self.grants[0];
        plugin.prepare(checked.as_ref().unwrap(), &resources)
    }
}

/// A bucket over a backend with these rights (prefix, write), and its counter of effects.
pub fn bucket(backend: Arc<dyn kv::Backend>, rights: &[(&str, bool)]) -> (kv::Bucket, Arc<AtomicU64>) {
    let rights = rights.iter().map(|(prefix, write)| kv::Right { prefix: (*prefix).to_owned(), write: *write });
    let store = kv::Store {
        component: "a".to_owned(),
        name: "cache".to_owned(),
        rights: rights.collect(),
        backend,
        denial_logged: AtomicBool::new(false),
    };
    let others = BTreeSet::from(["secret".to_owned()]);
    let grant = kv::Grant { component: "a".to_owned(), stores: vec![Arc::new(store)], others };
    let effects = Arc::new(AtomicU64::new(0));
    assert!(matches!(grant.open("secret", Arc::clone(&effects)), Err(kv::Error::AccessDenied)));
    assert!(matches!(grant.open("", Arc::clone(&effects)), Err(kv::Error::NoSuchStore)));
    (grant.open("cache", Arc::clone(&effects)).unwrap(), effects)
}
