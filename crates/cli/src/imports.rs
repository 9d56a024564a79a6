//! What a component's imports ask for: which grants they need, and what no part of Coracle offers. Reads names only, by the
//! rule by which the host links them; `check` and `inspect` call it.

use coracle_artifact::{Admitted, Interface};
use coracle_host::{Plugin, Ungranted};
use coracle_manifest::Use;
use std::sync::Arc;

/// The packages of WASI that are linked for every component, empty or harmless until a grant adds to them.
const ALWAYS: [&str; 6] = ["wasi:cli", "wasi:clocks", "wasi:filesystem", "wasi:io", "wasi:random", "wasi:sockets"];

/// Imports that one grant covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The key under `[component.NAME.grants]`.
    pub grant: &'static str,
    pub imports: Vec<String>,
    /// True when the component can't be loaded without it; else each call is answered with "denied".
    pub refused: bool,
}

/// The imports of one component, sorted out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imports {
    pub needs: Vec<Need>,
    /// Not offered at all; the component loads only if these hold nothing but types.
    pub unknown: Vec<String>,
}

impl Imports {
    pub fn of(component: &Admitted, plugins: &[Arc<dyn Plugin>], uses: &[Use]) -> Self {
        let needs: Vec<_> = plugins.iter().filter_map(|plugin| need(component, plugin.as_ref())).collect();
        let offered = |import: &Interface| {
            let released = import.on_track(0, 2) || import.on_track(0, 3);
            let always = released && ALWAYS.iter().any(|package| import.is_of(package));
            let used = || uses.iter().any(|used| coracle_edge::covers(used, &import.to_string()));
            // What is behind a middleware, its route says.
            let onward = import.is("wasi:http", "handler") && import.on_track(0, 3);
            always
                || onward
                || used()
                || plugins.iter().any(|plugin| plugin.interfaces().iter().any(|offer| fits(import, offer.name)))
        };
        let interfaces = component.imports.iter().filter(|import| !offered(import)).map(Interface::to_string);
        Self { needs, unknown: interfaces.chain(component.plain_imports.iter().cloned()).collect() }
    }
}

fn need(component: &Admitted, plugin: &dyn Plugin) -> Option<Need> {
    let asking = |import: &&Interface| {
        plugin.interfaces().iter().find(|offer| offer.ungranted != Ungranted::Harmless && fits(import, offer.name))
    };
    let imports: Vec<_> = component.imports.iter().filter(|import| asking(import).is_some()).collect();
    let refused = imports.iter().filter_map(asking).any(|offer| offer.ungranted == Ungranted::Refused);
    let names: Vec<_> = imports.iter().map(|import| import.to_string()).collect();
    (!names.is_empty()).then(|| Need { grant: plugin.name(), imports: names, refused })
}

fn fits(import: &Interface, offered: &str) -> bool {
    Interface::parse(offered).is_some_and(|offered| import.links_with(&offered))
}
