//! All files as one graph: which part of which file needs which other part, and which of them reach out of the program.
//!
//! A dependency written as CommonJS counts as a whole, because what it exports can't be told part by part; ES modules and
//! the project's own files are followed export by export. What is reached is never less than what runs, as far as names
//! tell; what names don't tell is a hazard of its own.

use crate::facts::{Hazard, Imported, Target, Used};
use crate::walk::{Resolved, Sources};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

/// A part of a file: `node` counts as in its facts; one more than the last stands for the whole file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    pub file: u32,
    pub node: u32,
}

/// Something outside the program, by its key in the portability table.
#[derive(Clone, Debug)]
struct Exit {
    api: u32,
    from: u32,
    line: u32,
}

/// One step of a chain: this place, at this line, needs the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub place: Place,
    pub line: u32,
}

/// Something a place reaches, and how.
#[derive(Clone, Debug)]
pub struct Reached {
    pub api: String,
    pub chain: Vec<Step>,
}

#[derive(Debug)]
pub struct Graph<'s> {
    sources: &'s Sources,
    /// The number of the first node of each file, and one past the last.
    bases: Vec<u32>,
    /// For each node, who needs it, and at which line.
    needed_by: Vec<Vec<(u32, u32)>>,
    needs: Vec<Vec<u32>>,
    apis: Vec<String>,
    exits: Vec<Exit>,
}

/// Re-exports that are followed before a name counts as not found.
const HOPS: usize = 32;

impl<'s> Graph<'s> {
    #[must_use]
    pub fn new(sources: &'s Sources) -> Self {
        let mut bases = vec![0_u32];
        for file in &sources.files {
            let last = bases.last().copied().unwrap_or(0);
            let nodes = u32::try_from(file.facts.nodes.len()).unwrap_or(u32::MAX);
            bases.push(last.saturating_add(nodes).saturating_add(1));
        }
        let count = bases.last().copied().unwrap_or(0) as usize;
        let (needed_by, needs) = (vec![Vec::new(); count], vec![Vec::new(); count]);
        let mut graph = Self { sources, bases, needed_by, needs, apis: Vec::new(), exits: Vec::new() };
        graph.join();
        graph
    }

    #[must_use]
    pub fn sources(&self) -> &'s Sources {
        self.sources
    }

    fn number(&self, place: Place) -> u32 {
        self.bases.get(place.file as usize).copied().unwrap_or(0) + place.node
    }

    fn place(&self, number: u32) -> Place {
        let file = self.bases.partition_point(|base| *base <= number).saturating_sub(1);
        let base = self.bases.get(file).copied().unwrap_or(0);
        Place { file: u32::try_from(file).unwrap_or(0), node: number.saturating_sub(base) }
    }

    /// The place that stands for a whole file.
    fn whole(&self, file: u32) -> Place {
        let nodes = self.sources.files.get(file as usize).map_or(0, |file| file.facts.nodes.len());
        Place { file, node: u32::try_from(nodes).unwrap_or(0) }
    }

    fn join(&mut self) {
        let mut keys: FxHashMap<String, u32> = FxHashMap::default();
        for (at, file) in self.sources.files.iter().enumerate() {
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            let whole = self.whole(at);
            if !file.facts.errors.is_empty() {
                let line = file.facts.errors.first().map_or(0, |(line, _)| *line);
                for place in [Place { file: at, node: 0 }, whole] {
                    self.exit(&mut keys, "unparsed code".to_owned(), place, line);
                }
            }
            for (index, node) in file.facts.nodes.iter().enumerate() {
                let place = Place { file: at, node: u32::try_from(index).unwrap_or(0) };
                self.edge(whole, place, node.line);
                for used in &node.uses {
                    self.used(&mut keys, place, used.line, &used.what);
                }
            }
        }
        for list in &mut self.needed_by {
            list.sort_unstable();
            list.dedup_by_key(|(from, _)| *from);
            list.shrink_to_fit();
        }
        for (to, list) in self.needed_by.iter().enumerate() {
            for (from, _) in list {
                if let Some(needs) = self.needs.get_mut(*from as usize) {
                    needs.push(u32::try_from(to).unwrap_or(u32::MAX));
                }
            }
        }
    }

    /// The parts of the project's own files that a place needs, itself included, and the first places of dependencies
    /// behind them.
    #[must_use]
    pub fn closure(&self, place: Place) -> (Vec<Place>, Vec<Place>) {
        let start = self.number(place);
        let mut seen = rustc_hash::FxHashSet::from_iter([start]);
        let (mut own, mut foreign, mut open) = (Vec::new(), Vec::new(), vec![start]);
        while let Some(number) = open.pop() {
            let place = self.place(number);
            let file = self.sources.files.get(place.file as usize);
            if !file.is_some_and(|file| self.sources.is_own(file)) {
                foreign.push(place);
                continue;
            }
            own.push(place);
            let needs = self.needs.get(number as usize).into_iter().flatten();
            open.extend(needs.copied().filter(|next| seen.insert(*next)));
        }
        own.sort();
        foreign.sort();
        (own, foreign)
    }

    fn used(&mut self, keys: &mut FxHashMap<String, u32>, place: Place, line: u32, what: &Used) {
        match what {
            Used::Node(node) => self.edge(place, Place { file: place.file, node: *node }, line),
            Used::Global(name) => {
                if !crate::portability::is_language(name) {
                    self.exit(keys, name.clone(), place, line);
                }
            }
            Used::Hazard(hazard) => self.exit(keys, hazard_key(*hazard).to_owned(), place, line),
            Used::Import(imported) => self.import(keys, place, line, imported),
        }
    }

    fn import(&mut self, keys: &mut FxHashMap<String, u32>, place: Place, line: u32, imported: &Imported) {
        let sources = self.sources;
        let Some(file) = sources.files.get(place.file as usize) else { return };
        let request = file.facts.imports.get(imported.import as usize);
        match file.resolved.get(imported.import as usize) {
            Some(Resolved::File(target)) => {
                for found in self.targets(*target, imported) {
                    self.edge(place, found, line);
                }
            }
            Some(Resolved::Builtin(name)) => {
                // That a module is imported says nothing yet; what is read from it does.
                if !imported.name.is_empty() {
                    let key = builtin_key(name, imported);
                    self.exit(keys, key, place, line);
                }
            }
            Some(Resolved::Native(_)) => {
                let owner = sources.owner(file).map_or("", |owner| owner.name.as_str());
                self.exit(keys, format!("native addon {owner}"), place, line);
            }
            // An optional dependency that is not there is not reached.
            Some(Resolved::Missing(_)) if request.is_some_and(|request| request.guarded) => {}
            Some(Resolved::Missing(_)) | None => {
                let name = request.map_or("", |request| request.specifier.as_str());
                self.exit(keys, format!("missing module {name}"), place, line);
            }
            Some(Resolved::Data) => {}
        }
        // A package that loads machine code does so in ways that names don't show.
        if let Some(Resolved::File(target)) = file.resolved.get(imported.import as usize) {
            let owner = sources.files.get(*target as usize).and_then(|file| sources.owner(file));
            if let Some(owner) = owner.filter(|owner| !owner.own && owner.native.is_some()) {
                self.exit(keys, format!("native addon {}", owner.name), place, line);
            }
        }
    }

    /// The parts of a file that an import of it needs.
    fn targets(&self, target: u32, imported: &Imported) -> Vec<Place> {
        let sources = self.sources;
        let Some(file) = sources.files.get(target as usize) else { return Vec::new() };
        let body = Place { file: target, node: 0 };
        if imported.name.is_empty() {
            return vec![body];
        }
        let own = sources.is_own(file);
        if !file.facts.esm && !own {
            return vec![self.whole(target)];
        }
        let name = exported_name(imported);
        let found = name.and_then(|name| self.export(target, name, HOPS)).or_else(|| {
            // `import x from` a CommonJS file gives what it exports as a whole.
            if imported.name == "default" { self.export(target, "default", HOPS) } else { None }
        });
        match found {
            Some(place) if own => vec![place],
            Some(place) => vec![place, body],
            None => vec![self.whole(target)],
        }
    }

    /// The place behind an exported name.
    #[must_use]
    pub fn export(&self, file: u32, name: &str, hops: usize) -> Option<Place> {
        let hops = hops.checked_sub(1)?;
        let facts = &self.sources.files.get(file as usize)?.facts;
        if let Some(export) = facts.exports.iter().find(|export| export.name == name) {
            return self.target(file, &export.target, hops);
        }
        let stars = facts.exports.iter().filter(|export| export.name == "*");
        stars
            .filter_map(|export| match &export.target {
                Target::Import(imported) => self.resolved_file(file, imported),
                Target::Node(_) | Target::Unknown(_) => None,
            })
            .find_map(|file| self.export(file, name, hops))
    }

    fn resolved_file(&self, file: u32, imported: &Imported) -> Option<u32> {
        match self.sources.files.get(file as usize)?.resolved.get(imported.import as usize)? {
            Resolved::File(file) => Some(*file),
            _ => None,
        }
    }

    /// The place that a target stands for, in whichever file.
    #[must_use]
    pub fn target(&self, file: u32, target: &Target, hops: usize) -> Option<Place> {
        match target {
            Target::Node(node) => Some(Place { file, node: *node }),
            Target::Import(imported) => {
                let to = self.resolved_file(file, imported)?;
                self.export(to, exported_name(imported)?, hops).or_else(|| {
                    let whole = imported.member.is_empty() && !imported.name.is_empty();
                    whole.then(|| self.whole(to))
                })
            }
            Target::Unknown(_) => None,
        }
    }

    fn edge(&mut self, from: Place, to: Place, line: u32) {
        let (from, to) = (self.number(from), self.number(to));
        if from != to
            && let Some(list) = self.needed_by.get_mut(to as usize)
        {
            list.push((from, line));
        }
    }

    fn exit(&mut self, keys: &mut FxHashMap<String, u32>, key: String, from: Place, line: u32) {
        let next = u32::try_from(self.apis.len()).unwrap_or(u32::MAX);
        let api = *keys.entry(key).or_insert_with_key(|key| {
            self.apis.push(key.clone());
            next
        });
        let from = self.number(from);
        self.exits.push(Exit { api, from, line });
    }

    /// What each of some places reaches, with the shortest chain to it; in the order of `places`.
    #[must_use]
    pub fn reach(&self, places: &[Place]) -> Vec<Vec<Reached>> {
        use rayon::prelude::*;
        let numbers: Vec<u32> = places.iter().map(|place| self.number(*place)).collect();
        let mut exits: Vec<Vec<&Exit>> = vec![Vec::new(); self.apis.len()];
        for exit in &self.exits {
            if let Some(list) = exits.get_mut(exit.api as usize) {
                list.push(exit);
            }
        }
        let by_api: Vec<Vec<(usize, Reached)>> =
            exits.par_iter().zip(&self.apis).map(|(exits, api)| self.reach_api(exits, api, &numbers)).collect();
        let mut all = vec![Vec::new(); places.len()];
        for (place, reached) in by_api.into_iter().flatten() {
            if let Some(list) = all.get_mut(place) {
                list.push(reached);
            }
        }
        all
    }

    /// Which of `numbers` reach an API: from its users back to everything that needs them.
    fn reach_api(&self, exits: &[&Exit], api: &str, numbers: &[u32]) -> Vec<(usize, Reached)> {
        const NONE: u32 = u32::MAX;
        // For each node on the way: the next node, and the line at which it is needed.
        let mut next = vec![(NONE, 0_u32); self.needed_by.len()];
        let mut queue = VecDeque::new();
        for exit in exits {
            if let Some(slot) = next.get_mut(exit.from as usize).filter(|slot| slot.0 == NONE) {
                *slot = (exit.from, exit.line);
                queue.push_back(exit.from);
            }
        }
        while let Some(node) = queue.pop_front() {
            for (from, line) in self.needed_by.get(node as usize).into_iter().flatten() {
                if let Some(slot) = next.get_mut(*from as usize).filter(|slot| slot.0 == NONE) {
                    *slot = (node, *line);
                    queue.push_back(*from);
                }
            }
        }
        let chain = |start: u32| {
            let mut chain = Vec::new();
            let mut at = start;
            while let Some((to, line)) = next.get(at as usize).copied() {
                chain.push(Step { place: self.place(at), line });
                if to == at || chain.len() > 200 {
                    break;
                }
                at = to;
            }
            chain
        };
        let reaching = numbers
            .iter()
            .enumerate()
            .filter(|(_, number)| next.get(**number as usize).is_some_and(|(to, _)| *to != NONE));
        reaching.map(|(at, number)| (at, Reached { api: api.to_owned(), chain: chain(*number) })).collect()
    }
}

/// The name that is exported: `sign`, whether it was imported by name or read from the module.
#[must_use]
pub fn exported_name(imported: &Imported) -> Option<&str> {
    match imported.name.as_str() {
        "" => None,
        "*" => {
            let first = imported.member.split(['.', '#']).next().unwrap_or_default();
            if first.is_empty() { Some("default").filter(|_| imported.called) } else { Some(first) }
        }
        name => Some(name),
    }
}

/// `node:fs.readFile`; of something a module made, only what made it: `node:http.createServer`.
fn builtin_key(module: &str, imported: &Imported) -> String {
    let made_by = imported.member.split('#').next().unwrap_or_default();
    let name = if matches!(imported.name.as_str(), "*" | "default") { "" } else { imported.name.as_str() };
    let mut path = vec![name, made_by];
    path.retain(|part| !part.is_empty());
    let path = path.join(".");
    let path = path.strip_prefix("default.").unwrap_or(&path);
    let path: Vec<&str> = path.split('.').filter(|part| !part.is_empty()).take(2).collect();
    // `fs.promises.readFile` is `fs/promises.readFile`.
    match path.as_slice() {
        [] => format!("node:{module}"),
        ["promises", member] => format!("node:{module}/promises.{member}"),
        [member, ..] => format!("node:{module}.{member}"),
    }
}

fn hazard_key(hazard: Hazard) -> &'static str {
    match hazard {
        Hazard::Eval => "eval()",
        Hazard::NewFunction => "new Function()",
        Hazard::ComputedRequire => "require(computed)",
        Hazard::ComputedImport => "import(computed)",
        Hazard::With => "with statement",
    }
}
