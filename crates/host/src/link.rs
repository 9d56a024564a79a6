//! Binding a component's imports to what it was granted: what is harmless, what is denied, what is an error.

use crate::card::{Capability, Card};
use crate::compile::CodeError;
use crate::grant::Grant;
use crate::guest::Guest;
use crate::handler;
use crate::mode::Mode;
use crate::plugin::{Note, Plugin, Ungranted};
use crate::spec::Spec;
use coracle_artifact::{Digest, Rejected, World};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use wasmtime::component::Linker;

/// A component could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("the component does not compile")]
    Compile(#[source] wasmtime::Error),
    #[error("the component imports something that Coracle does not offer")]
    Link(#[source] wasmtime::Error),
    #[error("it imports {}, which Coracle does not offer", .0.join(", "))]
    Unoffered(Vec<String>),
    #[error("{0}")]
    Ungranted(Missing),
    #[error(transparent)]
    Source(Rejected),
    #[error("{} is another component than the one that was registered; reload", .0.display())]
    Changed(PathBuf),
    #[error(
        "`{function}` of `{interface}` takes or gives resources, streams or futures, which can't cross from one component to another by \
         `uses`; change the interface to plain values, or compose the two into one component"
    )]
    NotValues { interface: String, function: String },
    #[error(
        "its code ({0}) is not in the cache, and nothing is compiled here; `coracle package compile` with the same --cache-dir puts it there"
    )]
    NotCompiled(Digest),
    #[error("there is no room to map its code: all that is mapped has requests in flight")]
    NoRoom,
    #[error("loading was interrupted")]
    Interrupted(#[source] tokio::task::JoinError),
}

impl From<CodeError> for LoadError {
    fn from(error: CodeError) -> Self {
        match error {
            CodeError::Compile(error) => Self::Compile(error),
            CodeError::Source(rejected) => Self::Source(rejected),
            CodeError::Changed(path) => Self::Changed(path),
            CodeError::NotCompiled(digest) => Self::NotCompiled(digest),
        }
    }
}

/// Imports that were not granted, where that is an error.
#[derive(Debug)]
pub struct Missing(Vec<Note>);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, note) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            f.write_str(&note.text)?;
        }
        Ok(())
    }
}

/// Packages of which the host links every interface.
const WASI: [&str; 6] = ["wasi:cli", "wasi:clocks", "wasi:filesystem", "wasi:io", "wasi:random", "wasi:sockets"];

/// Imports that neither the host nor a plugin has. They do no harm when they hold nothing but types.
pub(crate) fn unoffered(spec: &Spec) -> Vec<String> {
    let known = |import: &str| {
        let package = import.split('/').next().unwrap_or(import);
        let used = |import: &str| spec.uses.iter().any(|used| used.covers(import));
        let offers = |plugin: &Arc<dyn Plugin>| plugin.interfaces().iter().any(|one| same_interface(import, one.name));
        WASI.contains(&package)
            || import.starts_with("wasi:http/handler@0.3.")
            || used(import)
            || spec.grants.iter().any(|(plugin, _)| offers(plugin))
    };
    let imports = spec.component.imports.iter().map(ToString::to_string);
    imports.filter(|import| !known(import)).collect()
}

/// What a component is and imports, for people.
pub(crate) fn card(spec: &Spec) -> Card {
    let names = |interfaces: &[coracle_artifact::Interface]| interfaces.iter().map(ToString::to_string).collect();
    let imports: Vec<String> = names(&spec.component.imports);
    let capability = |(plugin, grant): &(Arc<dyn Plugin>, Grant)| {
        let offers = |import: &&String| {
            let of = |one: &crate::plugin::Interface| {
                one.ungranted != Ungranted::Harmless && same_interface(import, one.name)
            };
            plugin.interfaces().iter().any(of)
        };
        let imported = imports.iter().filter(offers).cloned().collect();
        Capability { name: plugin.name(), granted: matches!(grant, Grant::Given(_)), imported }
    };
    Card {
        world: world(&spec.component.world).to_owned(),
        capabilities: spec.grants.iter().map(capability).collect(),
        imports,
        exports: names(&spec.component.exports),
        producers: spec
            .component
            .producers
            .iter()
            .map(|tool| format!("{} {}", tool.name, tool.version).trim_end().to_owned())
            .collect(),
        size: spec.component.size,
    }
}

fn world(world: &World) -> &'static str {
    match world {
        World::HttpService03 { .. } => "wasi:http/service@0.3",
        World::HttpProxy02 { .. } => "wasi:http/proxy@0.2",
        World::HttpMiddleware03 => "wasi:http/middleware@0.3",
        World::Command03 => "wasi:cli/command@0.3",
        World::Command02 => "wasi:cli/command@0.2",
        World::Other => "other",
    }
}

/// Why linking failed, by name where the names are known.
pub(crate) fn failed(error: wasmtime::Error, unoffered: Vec<String>) -> LoadError {
    if unoffered.is_empty() { LoadError::Link(error) } else { LoadError::Unoffered(unoffered) }
}

/// What a user should know about imports that were not granted.
///
/// # Errors
/// When one can't be denied, or when the component is strict.
pub(crate) fn notes(spec: &Spec) -> Result<Vec<Note>, LoadError> {
    let mut notes = Vec::new();
    let mut fatal = Vec::new();
    for (plugin, grant) in &spec.grants {
        if matches!(grant, Grant::Given(_)) {
            continue;
        }
        let imported = plugin.interfaces().iter().filter(|interface| {
            interface.ungranted != Ungranted::Harmless
                && spec.component.imports.iter().any(|import| same_interface(&import.to_string(), interface.name))
        });
        let mut names: Vec<&str> = imported.clone().map(|interface| interface.name).collect();
        names.dedup();
        if names.is_empty() {
            continue;
        }
        let refused = imported.clone().any(|interface| interface.ungranted == Ungranted::Refused);
        let consequence =
            if refused || spec.strict { "it can't be loaded" } else { "each such call is answered with \"denied\"" };
        let note = Note {
            component: spec.name.to_string(),
            text: format!(
                "`{name}` imports {imports} but was not granted `{grant}`: {consequence}; to allow it, add `{grant} = …` under [component.{name}.grants]",
                name = spec.name,
                imports = names.join(" and "),
                grant = plugin.name(),
            ),
        };
        if refused || spec.strict { fatal.push(note) } else { notes.push(note) }
    }
    if fatal.is_empty() { Ok(notes) } else { Err(LoadError::Ungranted(Missing(fatal))) }
}

/// Whether both name the same interface, versions of one track taken as one.
fn same_interface(import: &str, offered: &str) -> bool {
    if import == offered {
        return true;
    }
    let (Some((import, import_version)), Some((offered, offered_version))) =
        (import.split_once('@'), offered.split_once('@'))
    else {
        return false;
    };
    // Pre-releases match only exactly; of the others, all of `0.2` are one and all of `0.3` are one.
    let track = |version: &str| match version.split('.').collect::<Vec<_>>().as_slice() {
        [major, minor, patch] if !patch.contains('-') => Some((*major).to_owned() + "." + minor),
        _ => None,
    };
    import == offered && track(import_version).is_some() && track(import_version) == track(offered_version)
}

/// A linker of a component's own: WASI as every toolchain expects it, then each plugin.
///
/// WASI 0.2 is always there, and 0.3 for all that is not 0.2 through and through: toolchains emit both into one component. Files, network and
/// environment are empty until a grant adds to them.
pub(crate) fn linker(
    engine: &wasmtime::Engine,
    mode: Mode,
    grants: &[(Arc<dyn Plugin>, Grant)],
) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    if mode == Mode::Concurrent {
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        handler::link(&mut linker)?;
    }
    for (plugin, grant) in grants {
        plugin.link(&mut linker, grant, mode)?;
    }
    Ok(linker)
}

#[cfg(test)]
mod tests {
    use super::same_interface;

    #[test]
    fn versions_of_one_track_are_one_interface() {
        assert!(same_interface("wasi:http/client@0.3.2", "wasi:http/client@0.3.0"));
        assert!(same_interface("wasi:keyvalue/store@0.2.0-draft", "wasi:keyvalue/store@0.2.0-draft"));
        assert!(!same_interface("wasi:keyvalue/store@0.2.0-draft2", "wasi:keyvalue/store@0.2.0-draft"));
        assert!(!same_interface("wasi:http/types@0.2.12", "wasi:http/types@0.3.0"));
        assert!(!same_interface("wasi:http/types@0.3.0-rc-2026-03-15", "wasi:http/types@0.3.0"));
    }
}
