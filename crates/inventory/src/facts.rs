//! What one source file says, found without looking at any other file: its imports, exports, functions, what each of
//! them uses, and what it registers with a web framework.
//!
//! `syntax` makes these from source text, `cache` keeps them between runs, `graph` joins them. They hold no path and no
//! resolved import, so that they stay true for as long as the text does.

use serde::{Deserialize, Serialize};

/// The facts of one file. Node 0 is the module's body.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    pub lines: u32,
    /// Written as an ES module: an import, an export or `import.meta` stands in it.
    pub esm: bool,
    pub imports: Vec<Import>,
    pub nodes: Vec<Node>,
    pub exports: Vec<Export>,
    pub registrations: Vec<Registration>,
    /// What the parser could not read: line (from 1) and message, the first few.
    pub errors: Vec<(u32, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImportKind {
    /// `import … from` and `export … from`.
    Static,
    /// `require("…")`.
    Require,
    /// `import("…")`.
    Dynamic,
}

/// A request for another module by a name that stands in the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    pub specifier: String,
    pub kind: ImportKind,
    /// From 1.
    pub line: u32,
    /// It stands in a `try` block: the program goes on when it fails.
    pub guarded: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeKind {
    /// The statements of the module that belong to no declaration.
    Body,
    Function,
    Method,
    Class,
    /// A module-level variable with its initial value.
    Value,
}

/// A part of a file that can be reached by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Empty for a function without a name.
    pub name: String,
    pub kind: NodeKind,
    /// The node that encloses it; 0 for the body itself.
    pub parent: u32,
    /// Byte offsets in the source.
    pub start: u32,
    pub end: u32,
    /// From 1.
    pub line: u32,
    pub end_line: u32,
    pub is_async: bool,
    pub params: Vec<Param>,
    /// The type it says it returns, as written.
    pub returns: Option<String>,
    pub signals: Signals,
    pub uses: Vec<Use>,
    /// Variables declared outside of it.
    pub outer: Vec<Outer>,
}

/// A variable that a node shares with its surroundings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Outer {
    /// Where it is declared, as a byte offset.
    pub declared: u32,
    pub name: String,
    /// It, or what it holds, is changed.
    pub written: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Param {
    pub name: String,
    /// The TypeScript type as written, at most 80 characters of it.
    pub kind: Option<String>,
}

/// How often things stand in the code of a node, its nested functions left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signals {
    pub loops: u16,
    pub loop_depth: u16,
    pub arithmetic: u16,
    pub bitwise: u16,
    pub regex: u16,
    pub strings: u16,
    pub json: u16,
    pub bytes: u16,
    pub awaits: u16,
    pub calls: u16,
}

impl Signals {
    /// The sum of two; loops nest no deeper by standing beside each other.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            loops: self.loops.saturating_add(other.loops),
            loop_depth: self.loop_depth.max(other.loop_depth),
            arithmetic: self.arithmetic.saturating_add(other.arithmetic),
            bitwise: self.bitwise.saturating_add(other.bitwise),
            regex: self.regex.saturating_add(other.regex),
            strings: self.strings.saturating_add(other.strings),
            json: self.json.saturating_add(other.json),
            bytes: self.bytes.saturating_add(other.bytes),
            awaits: self.awaits.saturating_add(other.awaits),
            calls: self.calls.saturating_add(other.calls),
        }
    }
}

/// Something outside a node that the node needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    pub line: u32,
    pub what: Used,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Used {
    /// Another node of the same file.
    Node(u32),
    /// Something of an imported module.
    Import(Imported),
    /// A name that no scope declares, with the members read from it: `process.env`, `fetch`.
    Global(String),
    Hazard(Hazard),
}

/// What of an import is used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Imported {
    /// Into [`Facts::imports`].
    pub import: u32,
    /// The exported name: `default`, `sign`; `*` for the module as a whole (a namespace, or what `require` gives).
    pub name: String,
    /// Members read from it, joined by dots; those of something it made stand behind a `#`: `#parse`.
    pub member: String,
    pub called: bool,
}

/// Code that can't be followed by reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Hazard {
    Eval,
    NewFunction,
    ComputedRequire,
    ComputedImport,
    With,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// `default`, a name, or `*` for all of another module.
    pub name: String,
    pub target: Target,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    Node(u32),
    Import(Imported),
    /// Nothing that can be followed; the name as written.
    Unknown(String),
}

/// A call or decorator that hands functions to a framework: `app.get("/x", check, show)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// The node in which it stands.
    pub node: u32,
    pub line: u32,
    /// What it is called on; [`Target::Unknown`] for a parameter, by its name.
    pub receiver: Target,
    /// The variable of this file that holds it.
    pub receiver_node: Option<u32>,
    pub verb: String,
    pub path: Option<String>,
    pub handlers: Vec<Target>,
}
