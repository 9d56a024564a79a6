//! The grant `keyvalue` and the stores of that type: `wasi:keyvalue`.
//!
//! ```text
//! wit_draft, wit_draft2 ─▶ bucket (rights, sizes, effects) ─▶ backend: memory | sqlite
//! ```
//! Here: the grammar of the grant and of `[store.X]`, opening what they name, and the view that the WIT mappings share.

mod backend;
mod bucket;
mod calls;
mod memory;
mod sqlite;
mod wit_draft;
mod wit_draft2;

pub use backend::{After, Answer, Backend, Fault, Outcome, Span, Write};
pub use bucket::{
    Bucket, Cas, Error, Grant, MAX_BATCH, MAX_BATCH_BYTES, MAX_KEY, MAX_VALUE, PAGE, Right, Store, Swapped,
};
pub use memory::Memory;
pub use sqlite::{OpenError, Sqlite};

use coracle_host::{
    Calls, Check, Checked, Function, Guest, HostCall, Interface, Plugin, PrepareError, Resources, Ungranted,
};
use coracle_manifest::value::{Node, Value};
use coracle_manifest::{Diagnostic, Store as StoreTable, codes};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};

pub struct KeyValue;

/// The `type` of its stores.
const KIND: &str = "keyvalue";
/// What a store may hold unless its table says otherwise.
const MEMORY_SIZE: u64 = 64 * 1024 * 1024;
const SQLITE_SIZE: u64 = 1024 * 1024 * 1024;

/// The grant as typed, checked: stores in the order of the manifest.
struct Wanted {
    component: String,
    stores: Vec<(String, Vec<Right>)>,
}

/// A `[store.X]` table, checked.
struct Settings {
    backend: Kind,
    size: u64,
}

enum Kind {
    Memory,
    /// The file; `None` is in the state directory, under the store's name.
    Sqlite(Option<PathBuf>),
}

const fn denied(name: &'static str) -> Interface {
    Interface { name, ungranted: Ungranted::Denied }
}

impl Plugin for KeyValue {
    fn name(&self) -> &'static str {
        "keyvalue"
    }

    fn interfaces(&self) -> &'static [Interface] {
        const {
            &[
                denied("wasi:keyvalue/store@0.2.0-draft"),
                denied("wasi:keyvalue/atomics@0.2.0-draft"),
                denied("wasi:keyvalue/batch@0.2.0-draft"),
                denied("wasi:keyvalue/store@0.2.0-draft2"),
                denied("wasi:keyvalue/atomics@0.2.0-draft2"),
                denied("wasi:keyvalue/batch@0.2.0-draft2"),
            ]
        }
    }

    fn schema(&self) -> serde_json::Value {
        let store = json!({
            "oneOf": [
                { "type": "string", "description": "A store's name: all its keys, read-only" },
                {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["store"],
                    "properties": {
                        "store": { "type": "string", "description": "The X of [store.X]; what the component opens" },
                        "prefix": { "type": "string", "default": "", "description": "Only keys that begin with it" },
                        "write": { "type": "boolean", "default": false },
                    },
                },
            ],
        });
        json!({
            "description": "Key-value stores the component may read, and write where it says so",
            "oneOf": [store.clone(), { "type": "array", "items": store }],
        })
    }

    fn check(&self, value: &Node, check: &mut Check<'_>) -> Option<Checked> {
        let mut stores: Vec<(String, Vec<Right>)> = Vec::new();
        let mut complete = true;
        for item in value.list() {
            let Some((store, right)) = read_grant(item, check) else {
                complete = false;
                continue;
            };
            match stores.iter_mut().find(|(name, _)| *name == store) {
                Some((_, rights)) => rights.push(right),
                None => stores.push((store, vec![right])),
            }
        }
        let component = check.component.to_owned();
        complete.then(|| -> Checked { Arc::new(Wanted { component, stores }) })
    }

    fn store(&self) -> Option<(&'static str, serde_json::Value)> {
        let schema = json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["type"],
            "properties": {
                "type": { "const": KIND },
                "backend": { "enum": ["sqlite", "memory"], "default": "sqlite" },
                "path": { "type": "string", "description": "The SQLite file, relative to the manifest; by default .coracle/NAME.sqlite3" },
                "size": {
                    "type": ["string", "integer"],
                    "description": "What it may hold, such as \"256MiB\"; by default 1GiB for sqlite, 64MiB for memory",
                },
            },
        });
        Some((KIND, schema))
    }

    fn check_store(&self, store: &StoreTable, check: &mut Check<'_>) -> Option<Checked> {
        read_store(store, check).map(|settings| -> Checked { Arc::new(settings) })
    }

    fn prepare(&self, checked: &Checked, resources: &Resources) -> Result<coracle_host::Grant, PrepareError> {
        let nothing =
            || PrepareError { message: "the keyvalue grant was not checked by this plugin".to_owned(), source: None };
        let wanted = Arc::clone(checked).downcast::<Wanted>().map_err(|_| nothing())?;
        let mut stores = Vec::with_capacity(wanted.stores.len());
        for (name, rights) in &wanted.stores {
            stores.push(Arc::new(Store {
                component: wanted.component.clone(),
                name: name.clone(),
                rights: rights.clone(),
                backend: open(name, resources)?,
                denial_logged: AtomicBool::new(false),
            }));
        }
        let others = resources.stores.iter().filter(|(_, store)| store.is::<Settings>()).map(|(name, _)| name.clone());
        let grant = Grant { component: wanted.component.clone(), stores, others: others.collect() };
        Ok(coracle_host::Grant::Given(Arc::new(grant)))
    }

    /// The same for every grant: an instance without one finds every store denied.
    fn link(
        &self,
        linker: &mut Linker<Guest>,
        _grant: &coracle_host::Grant,
        _: coracle_host::Mode,
    ) -> wasmtime::Result<()> {
        wit_draft::link(linker)?;
        wit_draft2::link(linker)
    }
}

fn read_grant(item: &Node, check: &mut Check<'_>) -> Option<(String, Right)> {
    let (name, span, right) = match &item.value {
        Value::String(name) => (name.as_str(), item.span, Right { prefix: String::new(), write: false }),
        Value::Table(_) => {
            let mut table = item.reader(check.diagnostics, "a keyvalue grant")?;
            let name = table.required_string("store", check.diagnostics, "store = \"cache\"");
            let span = table.get("store").map_or(item.span, |node| node.span);
            let before = check.diagnostics.len();
            let prefix = table.string("prefix", check.diagnostics).unwrap_or_default().to_owned();
            let write = table.boolean("write", check.diagnostics).unwrap_or(false);
            table.finish(check.diagnostics);
            // A mistyped `prefix` or `write` must not widen the grant.
            let complete = check.diagnostics.len() == before;
            (name.filter(|_| complete)?, span, Right { prefix, write })
        }
        _ => return item.wrong_type(check.diagnostics, "a keyvalue grant", "a table or a store's name"),
    };
    match check.stores.get(name) {
        Some(store) if store.kind == KIND => Some((name.to_owned(), right)),
        Some(store) => {
            let message = format!("the store `{name}` is not a key-value store");
            let diagnostic = Diagnostic::error(codes::INVALID_VALUE, message).at(span);
            let help = format!("grant it under `{}`, or name a store with type = \"{KIND}\"", store.kind);
            check
                .diagnostics
                .push(diagnostic.also(store.kind_span, format!("its type is `{}`", store.kind)).help(help));
            None
        }
        None => {
            let known: Vec<&str> =
                check.stores.values().filter(|store| store.kind == KIND).map(|store| store.name.as_str()).collect();
            if known.is_empty() {
                let diagnostic =
                    Diagnostic::error(codes::UNKNOWN_NAME, format!("there is no store named `{name}`")).at(span);
                let help = format!("declare it:\n[store.{name}]\ntype = \"{KIND}\"\nbackend = \"sqlite\"");
                check.diagnostics.push(diagnostic.label("unknown store").help(help));
            } else {
                check.diagnostics.unknown_name(span, "key-value store", name, &known);
            }
            None
        }
    }
}

fn read_store(store: &StoreTable, check: &mut Check<'_>) -> Option<Settings> {
    let before = check.diagnostics.len();
    let mut table = store.value.reader(check.diagnostics, &format!("the store `{}`", store.name))?;
    table.get("type");
    let backend = table.get("backend");
    let path = table.entry("path");
    let size = table.bytes("size", check.diagnostics);
    table.finish(check.diagnostics);
    let name = match backend {
        Some(node) => node.string(check.diagnostics, "`backend` of a key-value store")?,
        None => "sqlite",
    };
    let file = path.and_then(|entry| entry.node.string(check.diagnostics, "`path` of a key-value store"));
    let kind = match (name, path) {
        ("sqlite", _) => Kind::Sqlite(file.map(|file| check.base_dir.join(file))),
        ("memory", None) => Kind::Memory,
        ("memory", Some(entry)) => {
            let diagnostic =
                Diagnostic::error(codes::EXCLUSIVE_KEYS, "a store in memory has no `path`").at(entry.key_span);
            check.diagnostics.push(diagnostic.help("remove `path`, or write backend = \"sqlite\""));
            return None;
        }
        ("redis" | "nats", _) => {
            let message = format!("the backend `{name}` is not there yet");
            let diagnostic =
                Diagnostic::error(codes::NOT_YET, message).at(backend.map_or(store.kind_span, |node| node.span));
            check.diagnostics.push(diagnostic.help("write backend = \"sqlite\" or backend = \"memory\""));
            return None;
        }
        _ => {
            let span = backend.map_or(store.kind_span, |node| node.span);
            check.diagnostics.unknown_name(span, "key-value backend", name, &["sqlite", "memory"]);
            return None;
        }
    };
    let default = if matches!(kind, Kind::Memory) { MEMORY_SIZE } else { SQLITE_SIZE };
    (check.diagnostics.len() == before).then(|| Settings { backend: kind, size: size.unwrap_or(default) })
}

fn open(name: &str, resources: &Resources) -> Result<Arc<dyn Backend>, PrepareError> {
    let Some(settings) = resources.stores.get(name).and_then(|store| store.downcast_ref::<Settings>()) else {
        return Err(PrepareError {
            message: format!("the store `{name}` is not declared in the manifest"),
            source: None,
        });
    };
    let size = settings.size;
    match &settings.backend {
        Kind::Memory => {
            let identity = format!("keyvalue memory {} {name}", resources.base_dir.display());
            let store: Arc<Memory> = resources.open.get_or_open(&identity, || Ok(Memory::new(size)))?;
            store.resize(size);
            Ok(store)
        }
        Kind::Sqlite(path) => {
            let path = path.clone().unwrap_or_else(|| resources.state_dir.join(format!("{name}.sqlite3")));
            let identity = format!("keyvalue sqlite {size} {}", path.display());
            let store: Arc<Sqlite> = resources.open.get_or_open(&identity, || {
                Sqlite::open(&path, size).map_err(|error| PrepareError {
                    message: format!("the store `{name}` can't be opened at {}: {error}", path.display()),
                    source: Some(error.into()),
                })
            })?;
            Ok(store)
        }
    }
}

/// Ties the WIT mappings to [`View`].
struct Interfaces;

impl HasData for Interfaces {
    type Data<'a> = View<'a>;
}

/// What a call of the interfaces may see of its instance.
struct View<'a> {
    table: &'a mut ResourceTable,
    grant: Option<Arc<Grant>>,
    effects: Arc<AtomicU64>,
    calls: Calls,
}

impl View<'_> {
    fn of(guest: &mut Guest) -> View<'_> {
        let effects = guest.tasks.effects();
        let calls = guest.calls().clone();
        let (table, grant) = guest.table_and_grant();
        View { table, grant, effects, calls }
    }

    fn open(&mut self, name: &str) -> Result<Resource<Bucket>, Error> {
        let call = self.calls.begin(calls::OPEN);
        calls::noted(call, self.opened(name))
    }

    fn opened(&mut self, name: &str) -> Result<Resource<Bucket>, Error> {
        let grant = self.grant.as_ref().ok_or(Error::AccessDenied)?;
        let bucket = grant.open(name, Arc::clone(&self.effects))?;
        Ok(self.table.push(bucket)?)
    }

    /// Notes a call on a bucket; to be asked on its entry.
    fn begin(&self, function: Function, bucket: &Resource<Bucket>) -> HostCall {
        let mut call = self.calls.begin(function);
        if call.is_noted() {
            call.set("db.system.name", "coracle.keyvalue");
            call.set("db.operation.name", function.name);
            if let Ok(bucket) = self.table.get(bucket) {
                call.set("db.namespace", bucket.name().to_owned());
            }
        }
        call
    }

    /// The bucket by itself, so that nothing of the instance is borrowed while its backend works.
    fn bucket(&self, bucket: &Resource<Bucket>) -> Result<Bucket, Error> {
        Ok(self.table.get(bucket)?.clone())
    }
}
