//! What an inventory could not do, said so that a person knows what is missing from its result.
//!
//! Nothing in this crate fails because of the code it reads: it notes, and goes on.

use serde::Serialize;

/// Why a part of the project is not, or not fully, in the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteKind {
    /// A file that can't be read.
    Unreadable,
    /// A file the parser understands in part, or not at all.
    Syntax,
    /// An import that leads nowhere.
    Unresolved,
    /// A package.json, tsconfig.json or workspace file that makes no sense.
    Configuration,
    /// A limit of this tool was reached.
    Limit,
    /// A profile, coverage or heap file that is broken or does not fit the code.
    Measurement,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Note {
    pub kind: NoteKind,
    /// The file, relative to the project where it is inside.
    pub file: String,
    /// From 1; 0 when the whole file is meant.
    pub line: u32,
    /// A sentence without its full stop.
    pub text: String,
}

impl Note {
    #[must_use]
    pub fn new(kind: NoteKind, file: impl Into<String>, line: u32, text: impl Into<String>) -> Self {
        Self { kind, file: file.into(), line, text: text.into() }
    }
}
