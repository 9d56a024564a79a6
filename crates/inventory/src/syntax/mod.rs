//! From source text to [`Facts`], by oxc's parser and scope analysis. One file at a time, no file system, no memory of
//! other files.
//!
//! Any text gives facts: a file with syntax errors gives those of the parts that were understood, with the errors beside
//! them. What would exhaust the stack of oxc's recursive parser is refused beforehand (`depth`); what makes it panic is
//! caught. Called by `graph`, on threads with [`STACK`] bytes of stack.

mod chain;
mod collect;
mod depth;
mod modules;
mod names;
mod visit;

use crate::facts::Facts;
use oxc::allocator::Allocator;
use oxc::parser::{ParseOptions, Parser};
use oxc::semantic::SemanticBuilder;
use oxc::span::{SourceType, Span};
use std::cell::Cell;
use std::path::Path;

/// The stack that [`read`] may need: mapped, and touched only by deeply nested sources.
pub const STACK: usize = 512 << 20;

/// The largest source that is parsed, in bytes.
pub const LARGEST: usize = 64 << 20;

/// Where lines begin.
pub(crate) struct Lines(Vec<u32>);

impl Lines {
    pub(crate) fn of(source: &str) -> Self {
        let breaks = source.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(std::iter::once(0).chain(breaks.map(|(at, _)| u32::try_from(at + 1).unwrap_or(u32::MAX))).collect())
    }

    /// The line of a byte offset, from 1.
    pub(crate) fn line(&self, offset: u32) -> u32 {
        u32::try_from(self.0.partition_point(|start| *start <= offset)).unwrap_or(u32::MAX).max(1)
    }

    /// The offset at which a line (from 1) begins.
    pub(crate) fn start(&self, line: u32) -> Option<u32> {
        self.0.get(usize::try_from(line).ok()?.checked_sub(1)?).copied()
    }

    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }
}

/// The facts of a source. `path` only tells the language, by its extension.
#[must_use]
pub fn read(path: &Path, source: &str) -> Facts {
    let lines = Lines::of(source);
    let refused =
        |line: u32, why: String| Facts { lines: lines.count(), errors: vec![(line, why)], ..Facts::default() };
    if source.len() > LARGEST {
        return refused(0, format!("{} MiB are more than the {} MiB that are read", source.len() >> 20, LARGEST >> 20));
    }
    if let Some(offset) = depth::too_deep(source) {
        return refused(lines.line(offset), "nested too deeply to be read".to_owned());
    }
    let attempt = || parse(kind(path), source, &lines);
    survived(attempt).unwrap_or_else(|| refused(0, "the parser failed on this file".to_owned()))
}

thread_local! {
    static ATTEMPTING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is in code whose panic is caught and noted as one file's failure; a panic hook has nothing to say
/// about it then.
#[must_use]
pub fn panic_is_survived() -> bool {
    ATTEMPTING.get()
}

/// What `attempt` gives, or nothing when it panics. Nothing of ours is left half done: all is made inside.
fn survived<T>(attempt: impl FnOnce() -> T) -> Option<T> {
    ATTEMPTING.set(true);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(attempt));
    ATTEMPTING.set(false);
    outcome.ok()
}

/// The language of a file. `.js` may hold JSX and either module system; so may anything unknown.
fn kind(path: &Path) -> SourceType {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension {
        "ts" | "mts" | "cts" => SourceType::ts(),
        "tsx" => SourceType::tsx(),
        "mjs" => SourceType::mjs().with_jsx(true),
        "cjs" => SourceType::cjs().with_jsx(true),
        _ => SourceType::unambiguous().with_jsx(true),
    }
}

fn parse(kind: SourceType, source: &str, lines: &Lines) -> Facts {
    let allocator = Allocator::default();
    let options = ParseOptions { allow_return_outside_function: true, ..ParseOptions::default() };
    let parsed = Parser::new(&allocator, source, kind).with_options(options).parse();
    let errors = parsed.diagnostics.iter().take(3).map(|error| {
        let at = error.labels.iter().next().map_or(0, |label| label.offset());
        (lines.line(at), error.message.to_string())
    });
    let errors: Vec<_> = errors.collect();
    let semantic = SemanticBuilder::new().with_build_nodes(true).build(&parsed.program).semantic;
    let mut facts = collect::Collector::new(source, lines, &semantic).facts(&parsed.program);
    facts.esm = parsed.module_record.has_module_syntax;
    facts.lines = lines.count();
    facts.errors = errors;
    if parsed.panicked && facts.errors.is_empty() {
        facts.errors.push((0, "the parser gave up".to_owned()));
    }
    facts
}

/// The text of a span, shortened to `most` bytes at a character's border.
fn text(source: &str, span: Span, most: usize) -> String {
    let text = source.get(span.start as usize..span.end as usize).unwrap_or_default();
    let end = (0..=text.len().min(most)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
