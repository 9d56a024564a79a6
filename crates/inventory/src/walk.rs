//! From the entry points to every file they reach: reads, parses (or takes from the cache) and resolves, in waves, on all
//! cores. What can't be read, parsed or found becomes a note and the walk goes on.

use crate::cache::Cache;
use crate::facts::{Facts, ImportKind};
use crate::notes::{Note, NoteKind};
use crate::project::{Package, Project};
use crate::syntax;
use oxc_resolver::{ResolveError, ResolveOptions, Resolver, TsconfigDiscovery};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use std::path::{Path, PathBuf};

/// Where an import leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// Into [`Sources::files`].
    File(u32),
    /// A module of Node, without `node:`.
    Builtin(String),
    /// Machine code; where it is, or the package that loads it.
    Native(String),
    /// JSON, styles, text: no code.
    Data,
    /// Nowhere; why.
    Missing(String),
}

/// A file that is reached.
#[derive(Debug)]
pub struct File {
    pub path: PathBuf,
    /// Relative to the project's root where it is inside, with forward slashes.
    pub shown: String,
    /// Into [`Sources::packages`].
    pub package: u32,
    pub facts: Facts,
    /// One for each of the facts' imports.
    pub resolved: Vec<Resolved>,
    pub bytes: usize,
}

/// A package that some file belongs to.
#[derive(Clone, Debug)]
pub struct Owner {
    pub name: String,
    pub version: String,
    /// One of the project's own.
    pub own: bool,
    pub native: Option<String>,
}

#[derive(Debug, Default)]
pub struct Sources {
    pub files: Vec<File>,
    pub packages: Vec<Owner>,
    pub notes: Vec<Note>,
    /// Files whose facts came from the cache.
    pub cached: usize,
}

impl Sources {
    #[must_use]
    pub fn owner(&self, file: &File) -> Option<&Owner> {
        self.packages.get(file.package as usize)
    }

    #[must_use]
    pub fn is_own(&self, file: &File) -> bool {
        self.owner(file).is_some_and(|owner| owner.own)
    }

    #[must_use]
    pub fn lines(&self) -> u64 {
        self.files.iter().map(|file| u64::from(file.facts.lines)).sum()
    }
}

/// How far the walk is; told from time to time.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    pub files: usize,
    pub waiting: usize,
    pub lines: u64,
}

/// More files than any project has.
const MOST_FILES: usize = 300_000;
/// Notes about imports that lead nowhere; further ones are counted.
const MOST_NOTES: usize = 500;

struct Finder {
    import: Resolver,
    require: Resolver,
}

/// Reads all that is reached from the project's entry points.
pub fn walk(project: &Project, cache: &mut Cache, progress: &(dyn Fn(Progress) + Sync)) -> Sources {
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(16);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).stack_size(syntax::STACK).build();
    let mut walk = Walk::new(project);
    match pool {
        Ok(pool) => pool.install(|| walk.run(project, cache, progress)),
        Err(error) => {
            let text = format!("no threads could be started to read the project: {error}");
            walk.sources.notes.push(Note::new(NoteKind::Limit, "", 0, text));
        }
    }
    walk.sources
}

struct Walk {
    root: PathBuf,
    finder: Finder,
    sources: Sources,
    index: FxHashMap<PathBuf, u32>,
    /// Packages by their directory.
    dirs: FxHashMap<PathBuf, u32>,
    unresolved: usize,
}

/// A file that was read, its imports resolved to paths.
struct ReadFile {
    path: PathBuf,
    facts: Facts,
    resolved: Vec<Found>,
    bytes: usize,
    hash: [u8; 16],
    cached: bool,
    failed: Option<String>,
}

/// Where an import leads, before files have numbers.
enum Found {
    File(PathBuf),
    Other(Resolved),
}

impl Walk {
    fn new(project: &Project) -> Self {
        let finder = Finder { import: resolver(&["node", "import"]), require: resolver(&["node", "require"]) };
        let mut dirs = FxHashMap::default();
        let mut packages = Vec::new();
        for package in &project.packages {
            dirs.insert(package.dir.clone(), u32::try_from(packages.len()).unwrap_or(u32::MAX));
            let (name, version) = (package.name.clone(), package.version.clone());
            packages.push(Owner { name, version, own: true, native: package.native.clone() });
        }
        let sources = Sources { packages, notes: project.notes.clone(), ..Sources::default() };
        Self { root: project.root.clone(), finder, sources, index: FxHashMap::default(), dirs, unresolved: 0 }
    }

    fn run(&mut self, project: &Project, cache: &mut Cache, progress: &(dyn Fn(Progress) + Sync)) {
        let mut wave: Vec<PathBuf> = project.entries.clone();
        let mut seen: rustc_hash::FxHashSet<PathBuf> = wave.iter().cloned().collect();
        let mut lines = 0;
        while !wave.is_empty() {
            let known: &Cache = cache;
            let finder = &self.finder;
            let read: Vec<ReadFile> = wave.par_iter().map(|path| read(path, finder, known)).collect();
            let mut next = Vec::new();
            for file in read {
                let targets = file.resolved.iter().filter_map(|found| match found {
                    Found::File(path) => Some(path),
                    Found::Other(_) => None,
                });
                for path in targets {
                    if seen.len() < MOST_FILES && seen.insert(path.clone()) {
                        next.push(path.clone());
                    }
                }
                lines += u64::from(file.facts.lines);
                if !file.cached && file.failed.is_none() {
                    cache.put(file.hash, &file.facts);
                }
                self.take(file);
            }
            progress(Progress { files: self.sources.files.len(), waiting: next.len(), lines });
            wave = next;
        }
        self.link();
        if seen.len() >= MOST_FILES {
            let text = format!("only the first {MOST_FILES} files were read");
            self.sources.notes.push(Note::new(NoteKind::Limit, "", 0, text));
        }
        if self.unresolved > MOST_NOTES {
            let text = format!("{} further imports lead nowhere", self.unresolved - MOST_NOTES);
            self.sources.notes.push(Note::new(NoteKind::Unresolved, "", 0, text));
        }
    }

    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().replace('\\', "/")
    }

    fn take(&mut self, read: ReadFile) {
        let shown = self.shown(&read.path);
        let package = self.package_of(&read.path);
        let own = self.sources.packages.get(package as usize).is_some_and(|owner| owner.own);
        if let Some(why) = read.failed {
            self.sources.notes.push(Note::new(NoteKind::Unreadable, shown.clone(), 0, why));
        }
        for (line, message) in &read.facts.errors {
            // A file of which not even its body is known was refused, or broke the parser.
            let kind = if read.facts.nodes.is_empty() { NoteKind::Unreadable } else { NoteKind::Syntax };
            self.sources.notes.push(Note::new(kind, shown.clone(), *line, message.clone()));
        }
        for (import, found) in read.facts.imports.iter().zip(&read.resolved) {
            let Found::Other(Resolved::Missing(why)) = found else { continue };
            // A dependency's optional import that is not installed is how such imports work.
            if import.guarded && !own {
                continue;
            }
            self.unresolved += 1;
            if self.unresolved <= MOST_NOTES {
                let text = format!("\"{}\" was not found: {why}", import.specifier);
                self.sources.notes.push(Note::new(NoteKind::Unresolved, shown.clone(), import.line, text));
            }
        }
        self.sources.cached += usize::from(read.cached);
        let number = u32::try_from(self.sources.files.len()).unwrap_or(u32::MAX);
        self.index.insert(read.path.clone(), number);
        // Files get their numbers in `link`, when all are known.
        let resolved = read.resolved.into_iter().map(|found| match found {
            Found::File(path) => Resolved::Missing(path.to_string_lossy().into_owned()),
            Found::Other(resolved) => match resolved {
                Resolved::Missing(why) => Resolved::Missing(format!("\0{why}")),
                other => other,
            },
        });
        let resolved = resolved.collect();
        self.sources.files.push(File {
            path: read.path,
            shown,
            package,
            facts: read.facts,
            resolved,
            bytes: read.bytes,
        });
    }

    /// Puts numbers in place of paths.
    fn link(&mut self) {
        for file in &mut self.sources.files {
            for resolved in &mut file.resolved {
                let Resolved::Missing(text) = resolved else { continue };
                *resolved = match text.strip_prefix('\0') {
                    Some(why) => Resolved::Missing(why.to_owned()),
                    None => match self.index.get(Path::new(text)) {
                        Some(number) => Resolved::File(*number),
                        None => Resolved::Missing("it was not read".to_owned()),
                    },
                };
            }
        }
    }

    /// The package of a file: the nearest directory of the project's own packages, or what stands below `node_modules`.
    fn package_of(&mut self, path: &Path) -> u32 {
        let dir = package_dir(path).unwrap_or_else(|| {
            let own = path.ancestors().skip(1).find(|dir| self.dirs.contains_key(*dir));
            own.unwrap_or(&self.root).to_path_buf()
        });
        if let Some(package) = self.dirs.get(&dir) {
            return *package;
        }
        let number = u32::try_from(self.sources.packages.len()).unwrap_or(u32::MAX);
        let by_place = dir.components().rev().take(2).map(|part| part.as_os_str().to_string_lossy().into_owned());
        let by_place: Vec<_> = by_place.collect();
        let name = match by_place.as_slice() {
            [name, scope] if scope.starts_with('@') => format!("{scope}/{name}"),
            [name, ..] => name.clone(),
            [] => String::new(),
        };
        let inside = dir.to_string_lossy().contains("node_modules");
        let owner = match Package::read(&dir) {
            Ok(package) => Owner {
                name: if package.name.is_empty() { name } else { package.name },
                version: package.version,
                own: !inside,
                native: package.native,
            },
            Err(_) => Owner { name, version: String::new(), own: !inside, native: None },
        };
        self.sources.packages.push(owner);
        self.dirs.insert(dir, number);
        number
    }
}

/// The directory of the package below the last `node_modules` of a path.
fn package_dir(path: &Path) -> Option<PathBuf> {
    let parts: Vec<_> = path.components().collect();
    let at = parts.iter().rposition(|part| part.as_os_str() == "node_modules")?;
    let scoped = parts.get(at + 1)?.as_os_str().to_string_lossy().starts_with('@');
    Some(parts.iter().take(at + if scoped { 3 } else { 2 }).collect())
}

fn resolver(conditions: &[&str]) -> Resolver {
    let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    Resolver::new(ResolveOptions {
        condition_names: names(&[conditions, &["module-sync", "default"]].concat()),
        extensions: names(&[".js", ".ts", ".tsx", ".jsx", ".mjs", ".cjs", ".mts", ".cts", ".json", ".node"]),
        extension_alias: vec![
            (".js".to_owned(), names(&[".js", ".ts", ".tsx", ".jsx"])),
            (".mjs".to_owned(), names(&[".mjs", ".mts"])),
            (".cjs".to_owned(), names(&[".cjs", ".cts"])),
            (".jsx".to_owned(), names(&[".jsx", ".tsx"])),
        ],
        main_fields: names(&["main", "module"]),
        builtin_modules: true,
        node_path: false,
        tsconfig: Some(TsconfigDiscovery::Auto),
        ..ResolveOptions::default()
    })
}

fn read(path: &Path, finder: &Finder, cache: &Cache) -> ReadFile {
    let empty = |failed: String| ReadFile {
        path: path.to_path_buf(),
        facts: Facts::default(),
        resolved: Vec::new(),
        bytes: 0,
        hash: [0; 16],
        cached: false,
        failed: Some(failed),
    };
    let bytes = match std::fs::metadata(path) {
        Ok(data) if !data.is_file() => return empty("this is no file".to_owned()),
        Ok(data) if data.len() > syntax::LARGEST as u64 => {
            return empty(format!("{} MiB are more than is read of one file", data.len() >> 20));
        }
        Ok(_) => std::fs::read(path),
        Err(error) => Err(error),
    };
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(error) => return empty(format!("this file can't be read: {error}")),
    };
    let hash = Cache::hash(path, &bytes);
    let (facts, cached) = match cache.get(&hash) {
        Some(facts) => (facts, true),
        None => (syntax::read(path, &String::from_utf8_lossy(&bytes)), false),
    };
    let resolve = |import: &crate::facts::Import| finder.find(path, &import.specifier, import.kind);
    let resolved = facts.imports.iter().map(resolve).collect();
    ReadFile { path: path.to_path_buf(), facts, resolved, bytes: bytes.len(), hash, cached, failed: None }
}

impl Finder {
    fn find(&self, from: &Path, specifier: &str, kind: ImportKind) -> Found {
        if let Some(name) = specifier.strip_prefix("node:") {
            return Found::Other(Resolved::Builtin(name.to_owned()));
        }
        if specifier.len() > 4096 || specifier.contains('\0') {
            return Found::Other(Resolved::Missing("this is no name of a module".to_owned()));
        }
        if specifier.starts_with("data:") || specifier.starts_with("http:") || specifier.starts_with("https:") {
            return Found::Other(Resolved::Missing("modules behind a URL are not read".to_owned()));
        }
        let resolver = if kind == ImportKind::Require { &self.require } else { &self.import };
        match resolver.resolve_file(from, specifier) {
            Ok(resolution) => classify(resolution.path()),
            Err(ResolveError::Builtin { resolved, .. }) => {
                Found::Other(Resolved::Builtin(resolved.trim_start_matches("node:").to_owned()))
            }
            Err(ResolveError::Ignored(_)) => Found::Other(Resolved::Data),
            Err(error) => Found::Other(Resolved::Missing(first_line(&error.to_string()))),
        }
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(200).collect()
}

fn classify(path: &Path) -> Found {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension {
        "node" => Found::Other(Resolved::Native(path.to_string_lossy().into_owned())),
        "js" | "mjs" | "cjs" | "jsx" | "ts" | "mts" | "cts" | "tsx" | "" => {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.ends_with(".d.ts") || name.ends_with(".d.mts") || name.ends_with(".d.cts") {
                return Found::Other(Resolved::Data);
            }
            Found::File(path.to_path_buf())
        }
        _ => Found::Other(Resolved::Data),
    }
}
