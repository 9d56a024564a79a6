//! The grant `config`: named values of the manifest's `[config]` table, read through `wasi:config`. A component sees
//! the keys it was granted and no others; without a grant each call is answered with an error that says so.

use coracle_host::{
    Calls, Check, Checked, Ended, Function, Grant, Guest, Interface, Mode, Plugin, PrepareError, Resources, Ungranted,
};
use coracle_manifest::value::Node;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use wasmtime::component::{HasData, Linker};

mod released {
    wasmtime::component::bindgen!({ path: "wit/config-0.2.0-rc.1", world: "imports", imports: { default: trappable } });
    pub(super) use self::wasi::config::store;
}

/// What componentize-js and wasmCloud of 2024 emit: the same under another name.
mod draft {
    wasmtime::component::bindgen!({ path: "wit/config-0.2.0-draft", world: "imports", imports: { default: trappable } });
    pub(super) use self::wasi::config::runtime;
}

const UNGRANTED: &str = "this component was not granted any configuration: \
                         add `config = [\"key\"]` to its grants in the manifest";

pub struct Config;

/// The keys that were granted, in the order of the manifest.
struct Keys(Vec<String>);

/// The granted keys with their values.
struct Values(BTreeMap<String, String>);

impl Plugin for Config {
    fn name(&self) -> &'static str {
        "config"
    }

    fn interfaces(&self) -> &'static [Interface] {
        &[
            Interface { name: "wasi:config/store@0.2.0-rc.1", ungranted: Ungranted::Denied },
            Interface { name: "wasi:config/runtime@0.2.0-draft", ungranted: Ungranted::Denied },
        ]
    }

    fn schema(&self) -> serde_json::Value {
        let key = json!({ "type": "string", "description": "A key of [config]; nested tables are joined by dots" });
        json!({
            "description": "Which values of [config] the component may read",
            "oneOf": [key.clone(), { "type": "array", "items": key }],
        })
    }

    fn check(&self, value: &Node, check: &mut Check<'_>) -> Option<Checked> {
        let known: Vec<&str> = check.config.keys().map(String::as_str).collect();
        let mut keys = Vec::new();
        for item in value.list() {
            let Some(key) = item.string(check.diagnostics, "a key of the config grant") else { continue };
            if check.config.contains_key(key) {
                keys.push(key.to_owned());
            } else {
                check.diagnostics.unknown_name(item.span, "config value", key, &known);
            }
        }
        let complete = keys.len() == value.list().len();
        complete.then(|| -> Checked { Arc::new(Keys(keys)) })
    }

    fn prepare(&self, checked: &Checked, resources: &Resources) -> Result<Grant, PrepareError> {
        let keys = Arc::clone(checked).downcast::<Keys>();
        let keys = keys.map_or_else(|_| Vec::new(), |keys| keys.0.clone());
        let values = keys.into_iter().filter_map(|key| Some((key.clone(), resources.config.get(&key)?.clone())));
        Ok(Grant::Given(Arc::new(Values(values.collect()))))
    }

    /// The same for every grant: the values are looked up in the instance's own.
    fn link(&self, linker: &mut Linker<Guest>, _grant: &Grant, _: Mode) -> wasmtime::Result<()> {
        released::store::add_to_linker::<_, Granted>(linker, Granted::of)?;
        draft::runtime::add_to_linker::<_, Granted>(linker, Granted::of)
    }
}

const GET: Function = Function { grant: "config", interface: "wasi:config/store", name: "get", span: "config get" };
const GET_ALL: Function =
    Function { grant: "config", interface: "wasi:config/store", name: "get-all", span: "config get-all" };

/// The values of the calling instance, if it has any.
struct Granted {
    values: Option<Arc<Values>>,
    calls: Calls,
}

impl HasData for Granted {
    type Data<'a> = Self;
}

impl Granted {
    fn of(guest: &mut Guest) -> Self {
        Self { values: guest.grant(), calls: guest.calls().clone() }
    }

    /// The values, and the call of them noted.
    fn noted(&self, function: Function) -> Result<&Values, &'static str> {
        let call = self.calls.begin(function);
        call.end(if self.values.is_some() { Ended::Well } else { Ended::Denied });
        self.values.as_deref().ok_or(UNGRANTED)
    }

    fn value(&self, key: &str) -> Result<Option<String>, String> {
        let values = self.noted(GET)?;
        Ok(values.0.get(key).cloned())
    }

    fn values(&self) -> Result<Vec<(String, String)>, String> {
        let values = self.noted(GET_ALL)?;
        Ok(values.0.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}

impl released::store::Host for Granted {
    fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, released::store::Error>> {
        Ok(self.value(&key).map_err(released::store::Error::Upstream))
    }

    fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, released::store::Error>> {
        Ok(self.values().map_err(released::store::Error::Upstream))
    }
}

impl draft::runtime::Host for Granted {
    fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, draft::runtime::ConfigError>> {
        Ok(self.value(&key).map_err(draft::runtime::ConfigError::Upstream))
    }

    fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, draft::runtime::ConfigError>> {
        Ok(self.values().map_err(draft::runtime::ConfigError::Upstream))
    }
}
