//! One pass over a binary that collects names and counts and enforces limits. It runs before validation, so that a
//! component from an outdated draft, which does not validate, can still be told by its names, and so that nesting bombs are
//! stopped before the validator allocates for them. It stops quietly at damage: the validator reports that.

use std::collections::BTreeSet;

use wasmparser::{
    CanonicalFunction, ComponentExport, ComponentExternalKind, ComponentImport, Instance, KnownCustom, Parser, Payload,
    ProducersSectionReader,
};

use crate::interface::Interface;
use crate::names;
use crate::nesting;
use crate::options::Options;
use crate::refusal::{CoreModule, Refusal, quotable};

/// Producers kept at most; real components have about ten.
const MAX_PRODUCERS: usize = 256;
/// Characters kept of a producer's name or version and of a plain import or export.
const MAX_NAME: usize = 200;

/// A tool that took part in making a component, from its `producers` sections on all levels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Producer {
    /// `language`, `processed-by` or `sdk`.
    pub field: String,
    /// Such as `rustc`.
    pub name: String,
    /// As the tool wrote it; empty for some.
    pub version: String,
}

/// What a pass over a component found.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) imports: Vec<Interface>,
    pub(crate) exports: Vec<Interface>,
    /// Imports that are not interfaces: plain functions, types, modules, URLs.
    pub(crate) plain_imports: Vec<String>,
    /// Exports that are not interfaces, such as a plain function.
    pub(crate) plain_exports: Vec<String>,
    pub(crate) producers: BTreeSet<Producer>,
    pub(crate) core_modules: usize,
    pub(crate) core_instances: usize,
    functions: usize,
    /// Of the function with most of it.
    function_bytes: usize,
    variables: usize,
    /// Whether some code waits on several things at once, by `waitable-set` built-ins.
    pub(crate) waits_on_sets: bool,
    /// Whether an export is more than a type.
    exports_code: bool,
}

impl Scan {
    /// Walks a component and all that is nested in it.
    ///
    /// # Errors
    /// Only when a limit of `options` is exceeded.
    pub(crate) fn of(bytes: &[u8], options: &Options) -> Result<Self, Refusal> {
        let mut scan = Self::default();
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            let Ok(payload) = payload else { break };
            scan.note_any(&payload, bytes, options.max_nesting)?;
            match &payload {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                    depth += 1;
                    scan.core_modules += usize::from(matches!(payload, Payload::ModuleSection { .. }));
                }
                Payload::End(_) => depth = depth.saturating_sub(1),
                _ if depth == 0 => scan.note_outer(&payload, options),
                _ => {}
            }
            scan.check(depth, options)?;
        }
        Ok(scan)
    }

    /// Whether there are only types: no core module and no export that could be called.
    pub(crate) fn is_wit_package(&self) -> bool {
        self.core_modules == 0 && !self.exports_code && !(self.exports.is_empty() && self.plain_exports.is_empty())
    }

    /// Notes what counts only on the outermost level: imports and exports, no more than shows that there are too many.
    fn note_outer(&mut self, payload: &Payload<'_>, options: &Options) {
        match payload {
            Payload::ComponentImportSection(section) => {
                let imports = section.clone().into_iter().map_while(Result::ok);
                imports.take(options.max_imports.saturating_add(1)).for_each(|import| self.note_import(&import));
            }
            Payload::ComponentExportSection(section) => {
                let exports = section.clone().into_iter().map_while(Result::ok);
                exports.take(options.max_exports.saturating_add(1)).for_each(|export| self.note_export(&export));
            }
            _ => {}
        }
    }

    fn note_import(&mut self, import: &ComponentImport<'_>) {
        match Interface::parse(import.name.name) {
            Some(interface) => self.imports.push(interface),
            None => self.plain_imports.push(quotable(import.name.name, MAX_NAME)),
        }
    }

    fn note_export(&mut self, export: &ComponentExport<'_>) {
        self.exports_code |= !matches!(export.kind, ComponentExternalKind::Type | ComponentExternalKind::Component);
        match Interface::parse(export.name.name) {
            Some(interface) => self.exports.push(interface),
            None => self.plain_exports.push(quotable(export.name.name, MAX_NAME)),
        }
    }

    /// Notes what counts on each level.
    fn note_any(&mut self, payload: &Payload<'_>, bytes: &[u8], max_nesting: usize) -> Result<(), Refusal> {
        if let Payload::ComponentTypeSection(section) = payload {
            let contents = bytes.get(section.range()).unwrap_or_default();
            if nesting::exceeds(contents, max_nesting) {
                return Err(Refusal::TooDeep { what: "types", limit: max_nesting });
            }
        }
        if let Some(name) = names::broken(payload) {
            let reason = format!("`{}` is no name of an interface", quotable(name, MAX_NAME));
            let offset = payload.as_section().map_or(0, |(_, range)| range.start) as u64;
            return Err(Refusal::Damaged { cut_short: false, reason, offset, size: bytes.len() as u64 });
        }
        match payload {
            Payload::InstanceSection(section) => {
                let instances = section.clone().into_iter().map_while(Result::ok);
                self.core_instances += instances.filter(|i| matches!(i, Instance::Instantiate { .. })).count();
            }
            Payload::ComponentCanonicalSection(section) => {
                let mut functions = section.clone().into_iter().map_while(Result::ok);
                self.waits_on_sets |= functions.any(|f| matches!(f, CanonicalFunction::WaitableSetNew));
            }
            Payload::CodeSectionEntry(body) => {
                let variables = body.get_locals_reader().into_iter().flatten().map_while(Result::ok);
                let variables = variables.fold(0_usize, |sum, (count, _)| sum.saturating_add(count as usize));
                self.functions += 1;
                self.function_bytes = self.function_bytes.max(body.range().len());
                self.variables = self.variables.max(variables);
            }
            Payload::CustomSection(custom) => {
                if let KnownCustom::Producers(section) = custom.as_known() {
                    self.note_producers(section);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn note_producers(&mut self, section: ProducersSectionReader<'_>) {
        for field in section.into_iter().map_while(Result::ok) {
            for value in field.values.into_iter().map_while(Result::ok) {
                if self.producers.len() >= MAX_PRODUCERS {
                    return;
                }
                self.producers.insert(Producer {
                    field: quotable(field.name, MAX_NAME),
                    name: quotable(value.name, MAX_NAME),
                    version: quotable(value.version, MAX_NAME),
                });
            }
        }
    }

    fn check(&self, depth: usize, options: &Options) -> Result<(), Refusal> {
        if depth > options.max_nesting {
            return Err(Refusal::TooDeep { what: "components", limit: options.max_nesting });
        }
        let counts = [
            ("imports", self.imports.len() + self.plain_imports.len(), options.max_imports),
            ("exports", self.exports.len() + self.plain_exports.len(), options.max_exports),
            ("core modules", self.core_modules, options.max_core_modules),
            ("core instances", self.core_instances, options.max_core_instances),
            ("functions", self.functions, options.max_functions),
            ("bytes in one function", self.function_bytes, options.max_function_bytes),
            ("variables in one function", self.variables, options.max_variables),
        ];
        match counts.into_iter().find(|(_, count, limit)| count > limit) {
            Some((what, count, limit)) => Err(Refusal::TooMany { what, count, limit }),
            None => Ok(()),
        }
    }
}

/// What a core module was made for, by the modules it imports from.
pub(crate) fn core_module(bytes: &[u8]) -> CoreModule {
    for payload in Parser::new(0).parse_all(bytes).map_while(Result::ok) {
        let Payload::ImportSection(section) = payload else {
            continue;
        };
        for import in section.into_imports().map_while(Result::ok) {
            match import.module {
                module if module.starts_with("wasi_") => return CoreModule::Preview1,
                module if module == "wbg" || module.starts_with("__wbindgen") => {
                    return CoreModule::WasmBindgen;
                }
                "go" | "gojs" => return CoreModule::GoJs,
                "env" if import.name.starts_with("emscripten_") => return CoreModule::Emscripten,
                _ => {}
            }
        }
    }
    CoreModule::Plain
}
