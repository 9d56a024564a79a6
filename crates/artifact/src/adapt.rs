//! Components out of what is almost one: a core module of WASI 0.1 gets the published adapter around it, a component of the last
//! release candidate of WASI 0.3 gets the names of the release, whose types are the same. Called by `admit` on bytes that have
//! passed its limits; what comes out is admitted like any other component. The digest stays that of the bytes as they came.

use std::convert::Infallible;
use std::fmt;

use wasi_preview1_component_adapter_provider as provider;
use wasm_encoder::reencode::{self, Reencode, ReencodeComponent, component_utils};
use wasm_encoder::{Component, ComponentExportSection, ComponentImportSection};
use wasmparser::{ComponentExport, ComponentImportSectionReader, Parser, Payload};
use wit_component::ComponentEncoder;

use crate::interface::Interface;
use crate::refusal::{CoreModule, Refusal, quotable};
use crate::scan;

/// What was done to make a component runnable here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adapted {
    /// It was a core module of WASI 0.1.
    Preview1,
    /// It was built for the last release candidate of WASI 0.3.
    Candidate,
}

impl fmt::Display for Adapted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preview1 => out.write_str("a core module of WASI 0.1, made a component by the published adapter"),
            Self::Candidate => write!(out, "built for WASI {CANDIDATE}, whose interfaces are those of WASI 0.3.0"),
        }
    }
}

/// The one pre-release whose interfaces are those of the release: normalised, their WIT differs by one gate of `wasi:cli`.
const CANDIDATE: &str = "0.3.0-rc-2026-03-15";
/// What it became.
const RELEASE: &str = "0.3.0";

/// The name of a released interface for one of the candidate.
fn released(name: &str) -> Option<String> {
    let (interface, version) = name.split_once('@')?;
    (interface.starts_with("wasi:") && version == CANDIDATE).then(|| format!("{interface}@{RELEASE}"))
}

/// Whether this interface is one that [`rename`] gives its released name.
pub(crate) fn is_candidate(interface: &Interface) -> bool {
    released(&interface.to_string()).is_some()
}

/// The same component with the released names for the candidate's imports and exports.
///
/// # Errors
/// When its encoding is damaged.
pub(crate) fn rename(bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut component = Component::new();
    let mut renaming = Renaming { depth: 0 };
    let renamed = component_utils::parse_component(&mut renaming, &mut component, Parser::new(0), bytes, bytes);
    renamed.map_err(|error| Refusal::Damaged {
        cut_short: false,
        reason: quotable(&error.to_string(), 300),
        offset: 0,
        size: bytes.len() as u64,
    })?;
    Ok(component.finish())
}

/// Copies a component; on the outermost level, where names mean what the host has, candidates get their released names.
struct Renaming {
    depth: usize,
}

impl Reencode for Renaming {
    type Error = Infallible;
}

impl ReencodeComponent for Renaming {
    fn push_depth(&mut self) {
        self.depth += 1;
    }

    fn pop_depth(&mut self) {
        self.depth -= 1;
    }

    fn parse_component_import_section(
        &mut self,
        imports: &mut ComponentImportSection,
        section: ComponentImportSectionReader<'_>,
    ) -> Result<(), reencode::Error<Infallible>> {
        for import in section {
            let import = import?;
            let mut name = import.name;
            let new = if self.depth == 0 { released(name.name) } else { None };
            if let Some(new) = &new {
                name.name = new;
            }
            imports.import(name, self.component_type_ref(import.ty)?);
        }
        Ok(())
    }

    fn parse_component_export(
        &mut self,
        exports: &mut ComponentExportSection,
        export: ComponentExport<'_>,
    ) -> Result<(), reencode::Error<Infallible>> {
        let new = if self.depth == 0 { released(export.name.name) } else { None };
        let mut export = export;
        if let Some(new) = &new {
            export.name.name = new;
        }
        component_utils::parse_component_export(self, exports, export)
    }
}

/// A component made of a core module of WASI 0.1. A module that says which world it is of (`wit-bindgen` leaves that in it) exports that
/// world's functions; one with `_start` is a command.
///
/// # Errors
/// When the module is of another kind, or does not fit what it says of itself.
pub(crate) fn componentize(module: &[u8]) -> Result<Vec<u8>, Refusal> {
    let kind = scan::core_module(module);
    if kind != CoreModule::Preview1 {
        return Err(Refusal::CoreModule(kind));
    }
    let adapter = match Shape::of(module) {
        Shape { starts: true, .. } => provider::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
        Shape { has_world: true, .. } => provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
        _ => return Err(Refusal::CoreModule(kind)),
    };
    let encoded = ComponentEncoder::default()
        .module(module)
        .and_then(|encoder| encoder.adapter(provider::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter))
        .and_then(|mut encoder| encoder.encode());
    encoded.map_err(|error| Refusal::NotComponentized { reason: quotable(&format!("{error:#}"), 300) })
}

/// What a core module says of how it is to be run.
#[derive(Default)]
struct Shape {
    /// It exports `_start`.
    starts: bool,
    /// It holds the types of a world.
    has_world: bool,
}

impl Shape {
    fn of(module: &[u8]) -> Self {
        let mut shape = Self::default();
        for payload in Parser::new(0).parse_all(module).map_while(Result::ok) {
            match payload {
                Payload::ExportSection(section) => {
                    shape.starts |= section.into_iter().map_while(Result::ok).any(|export| export.name == "_start");
                }
                Payload::CustomSection(custom) => shape.has_world |= custom.name().starts_with("component-type"),
                _ => {}
            }
        }
        shape
    }
}
