//! Functions and lines behind offsets in a component, from its debug information (DWARF), when it has any.
//!
//! The runtime could do this itself, but would read the debug information for each frame of each trap, on the shard. Here it
//! is read by the scribe (`trap`), for traps that are written down. Whatever is wrong with it makes fewer lines, never an error.

use addr2line::gimli::{Dwarf, EndianSlice, LittleEndian, SectionId};
use std::borrow::Cow;
use std::ops::Range;
use wasmparser::{Parser, Payload};

/// A function, or one that was inlined into it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: Option<String>,
    /// File and line.
    pub(crate) place: Option<String>,
}

/// Functions inlined at one place that are told.
const MOST_INLINED: usize = 8;

/// Whether a component has debug information.
pub(crate) fn has_lines(component: &[u8]) -> bool {
    modules(component).iter().any(|module| !module.section(".debug_line").is_empty())
}

/// For each offset of an instruction its functions, the innermost first; none where nothing is known.
pub(crate) fn functions(component: &[u8], offsets: &[usize]) -> Vec<Vec<Function>> {
    let modules = modules(component);
    let mut found: Vec<Vec<Function>> = offsets.iter().map(|_| Vec::new()).collect();
    for module in &modules {
        let inside = |offset: &usize| module.range.contains(offset);
        if !offsets.iter().any(inside) {
            continue;
        }
        let Some(lines) = module.lines() else { continue };
        for (offset, functions) in offsets.iter().zip(&mut found).filter(|(offset, _)| inside(offset)) {
            // Debug information counts from the beginning of the code.
            *functions = at(&lines, offset.saturating_sub(module.code) as u64);
        }
    }
    found
}

/// A name as its source spells it.
pub(crate) fn demangle(name: &str) -> String {
    rustc_demangle::try_demangle(name).map_or_else(|_| name.to_owned(), |name| format!("{name:#}"))
}

/// A file's name without the place of a package cache, or of the toolchain's own sources.
fn short(file: &str) -> &str {
    let package = file.split_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/'));
    let own = file.strip_prefix("/rustc/").and_then(|rest| rest.split_once('/'));
    package.or(own).map_or(file, |(_, rest)| rest)
}

type Lines<'a> = addr2line::Context<EndianSlice<'a, LittleEndian>>;

struct Module<'a> {
    range: Range<usize>,
    /// Where its code begins.
    code: usize,
    sections: Vec<(&'a str, &'a [u8])>,
}

impl<'a> Module<'a> {
    fn section(&self, name: &str) -> &'a [u8] {
        self.sections.iter().find(|(other, _)| *other == name).map_or(&[], |(_, data)| data)
    }

    fn lines(&self) -> Option<Lines<'a>> {
        let load = |id: SectionId| Ok::<_, ()>(EndianSlice::new(self.section(id.name()), LittleEndian));
        Dwarf::load(load).ok().and_then(|dwarf| Lines::from_dwarf(dwarf).ok())
    }
}

fn modules(component: &[u8]) -> Vec<Module<'_>> {
    let mut modules: Vec<Module<'_>> = Vec::new();
    for payload in Parser::new(0).parse_all(component).map_while(Result::ok) {
        match payload {
            Payload::ModuleSection { unchecked_range: range, .. } => {
                modules.push(Module { range, code: 0, sections: Vec::new() })
            }
            Payload::CodeSectionStart { range, .. } => {
                if let Some(module) = modules.last_mut() {
                    module.code = range.start;
                }
            }
            Payload::CustomSection(section) if section.name().starts_with(".debug_") => {
                if let Some(module) = modules.last_mut().filter(|module| module.range.contains(&section.data_offset()))
                {
                    module.sections.push((section.name(), section.data()));
                }
            }
            _ => {}
        }
    }
    modules
}

fn at(lines: &Lines<'_>, offset: u64) -> Vec<Function> {
    let mut functions = Vec::new();
    let Ok(mut frames) = lines.find_frames(offset).skip_all_loads() else { return functions };
    while functions.len() < MOST_INLINED
        && let Ok(Some(frame)) = frames.next()
    {
        let name = frame.function.as_ref().and_then(|function| function.raw_name().ok().map(Cow::into_owned));
        let place = frame.location.and_then(|location| Some((location.file?, location.line)));
        functions.push(Function {
            name: name.map(|name| demangle(&name)),
            place: place.map(|(file, line)| match line {
                Some(line) => format!("{}:{line}", short(file)),
                None => short(file).to_owned(),
            }),
        });
    }
    functions
}

#[cfg(test)]
mod tests {
    use super::{demangle, functions, has_lines, short};

    #[test]
    fn names_are_told_as_their_source_spells_them() {
        assert_eq!(demangle("_ZN4shop5price17h05af221e174051e9E"), "shop::price");
        assert_eq!(demangle("_RNvCskwGfYPst2Cb_3foo16example_function"), "foo::example_function");
        assert_eq!(demangle("main.handle"), "main.handle");
    }

    #[test]
    fn files_of_packages_are_named_from_the_package_on() {
        assert_eq!(short("/cargo/registry/src/index.crates.io-1949/http-1.3.1/src/uri.rs"), "http-1.3.1/src/uri.rs");
        assert_eq!(short("/rustc/59807616/library/std/src/process.rs"), "library/std/src/process.rs");
        assert_eq!(short("/work/shop/src/lib.rs"), "/work/shop/src/lib.rs");
    }

    #[test]
    fn what_is_no_component_has_no_lines() {
        for bytes in [&b""[..], b"\0asm\x0d\0\x01\0", b"\0asm\x01\0\0\0\x00\x0e\x0b.debug_linexx"] {
            assert!(!has_lines(bytes));
            assert_eq!(functions(bytes, &[0, 3]), [vec![], vec![]]);
        }
    }
}
