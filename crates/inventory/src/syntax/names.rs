//! What the names of a file stand for: an import, a function of the file, or something made by one of the two.
//! Filled while the file is walked; asked at the end, because a function may be used above the place where it stands.

use crate::facts::{Imported, Target};
use oxc::semantic::SymbolId;
use rustc_hash::FxHashMap;

/// Steps from a variable to what made it, and on to what made that.
const STEPS: usize = 16;

/// An expression in terms of names, not yet looked up.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// A function, class or arrow that begins at this offset.
    At(u32),
    Name(SymbolId, Reading),
    Import(u32, Reading),
    Unknown(String),
}

/// What is read from a name.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    /// Joined by dots; empty for the thing itself.
    pub member: String,
    pub called: bool,
}

/// What a declaration said about a name.
#[derive(Clone, Debug, Default)]
pub(super) struct Binding {
    pub node: Option<u32>,
    /// Import and exported name; `*` for the module.
    pub import: Option<(u32, String)>,
    pub made: Option<Origin>,
}

#[derive(Default)]
pub(super) struct Names {
    pub bindings: FxHashMap<SymbolId, Binding>,
    /// Functions and classes by the offset where they begin.
    pub starts: FxHashMap<u32, u32>,
}

impl Names {
    pub(super) fn node(&self, symbol: SymbolId) -> Option<u32> {
        self.bindings.get(&symbol)?.node
    }

    /// The import behind a name and what is read from it.
    pub(super) fn import(&self, symbol: SymbolId, reading: &Reading) -> Option<Imported> {
        self.import_in(symbol, reading, STEPS)
    }

    fn import_in(&self, symbol: SymbolId, reading: &Reading, steps: usize) -> Option<Imported> {
        let binding = self.bindings.get(&symbol)?;
        if let Some((import, name)) = &binding.import {
            let (import, name, member) = (*import, name.clone(), reading.member.clone());
            return Some(Imported { import, name, member, called: reading.called });
        }
        let mut imported = self.made_by(binding.made.as_ref()?, steps.checked_sub(1)?)?;
        if imported.called && !imported.member.contains('#') {
            imported.member.push('#');
        }
        if !reading.member.is_empty() {
            if !imported.member.is_empty() && !imported.member.ends_with('#') {
                imported.member.push('.');
            }
            imported.member.push_str(&reading.member);
        }
        imported.called |= reading.called;
        Some(imported)
    }

    fn made_by(&self, origin: &Origin, steps: usize) -> Option<Imported> {
        match origin {
            Origin::Name(symbol, reading) => self.import_in(*symbol, reading, steps),
            Origin::Import(import, reading) => Some(Imported {
                import: *import,
                name: "*".to_owned(),
                member: reading.member.clone(),
                called: reading.called,
            }),
            Origin::At(_) | Origin::Unknown(_) => None,
        }
    }

    /// What an expression stands for: a variable of this file rather than what it was made from.
    pub(super) fn target(&self, origin: &Origin) -> Target {
        if let Origin::Name(symbol, reading) = origin
            && let Some(node) = self.node(*symbol).filter(|_| !reading.called)
        {
            return Target::Node(node);
        }
        self.source(origin)
    }

    /// What an expression was made from: an import rather than the variable that holds what it gave.
    pub(super) fn source(&self, origin: &Origin) -> Target {
        match origin {
            Origin::At(start) => match self.starts.get(start) {
                Some(node) => Target::Node(*node),
                None => Target::Unknown(String::new()),
            },
            Origin::Name(symbol, reading) => match (self.import(*symbol, reading), self.node(*symbol)) {
                (Some(imported), _) => Target::Import(imported),
                (None, Some(node)) => Target::Node(node),
                (None, None) => Target::Unknown(reading.member.clone()),
            },
            Origin::Import(..) => self.made_by(origin, STEPS).map_or(Target::Unknown(String::new()), Target::Import),
            Origin::Unknown(name) => Target::Unknown(name.clone()),
        }
    }
}
