//! What a Node project is: its root, its workspaces, what its package.json files say, and where execution begins.
//!
//! Reads configuration files only. Whatever makes no sense in them becomes a note, and the rest is used.

use crate::notes::{Note, NoteKind};
use globset::{Glob, GlobSetBuilder};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// A package.json, as far as it matters.
#[derive(Clone, Debug, Default)]
pub struct Package {
    pub name: String,
    pub version: String,
    pub dir: PathBuf,
    /// It compiles or downloads machine code when it is installed; what says so.
    pub native: Option<String>,
    pub dependencies: BTreeSet<String>,
    json: Value,
}

/// A project and where its execution begins.
#[derive(Clone, Debug)]
pub struct Project {
    pub root: PathBuf,
    /// The root's package and those of its workspaces.
    pub packages: Vec<Package>,
    pub entries: Vec<PathBuf>,
    pub notes: Vec<Note>,
}

/// The largest configuration file that is read, in bytes.
const LARGEST: u64 = 8 << 20;
/// Directories below the root in which workspaces and routes are looked for.
const DEEPEST: usize = 8;
const EXTENSIONS: [&str; 8] = ["ts", "tsx", "mts", "cts", "js", "jsx", "mjs", "cjs"];

impl Project {
    /// Reads the project at `root`. `entries` are taken as they are; none means to look for them.
    #[must_use]
    pub fn open(root: &Path, entries: &[PathBuf]) -> Self {
        let root = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
        let mut project = Self { root: root.clone(), packages: Vec::new(), entries: Vec::new(), notes: Vec::new() };
        let own = project.package(&root).unwrap_or_else(|| Package { dir: root.clone(), ..Package::default() });
        let workspaces = project.workspaces(&own);
        project.packages.push(own);
        for dir in workspaces {
            if let Some(package) = project.package(&dir) {
                project.packages.push(package);
            }
        }
        let mut found: Vec<PathBuf> = Vec::new();
        if entries.is_empty() {
            for package in &project.packages {
                found.extend(entries_of(package));
            }
        }
        for entry in entries {
            let entry = if entry.is_absolute() { entry.clone() } else { project.root.join(entry) };
            match entry.canonicalize() {
                Ok(entry) => found.push(entry),
                Err(error) => {
                    let text = format!("this entry point can't be read: {error}");
                    project.note(NoteKind::Unreadable, &entry, text);
                }
            }
        }
        let mut seen = BTreeSet::new();
        found.retain(|path| seen.insert(path.clone()));
        if found.is_empty() {
            let text = "no entry point was found; name one with --entry";
            project.note(NoteKind::Configuration, &root.join("package.json"), text.to_owned());
        }
        project.entries = found;
        project
    }

    fn note(&mut self, kind: NoteKind, file: &Path, text: String) {
        let shown = file.strip_prefix(&self.root).unwrap_or(file).display().to_string();
        self.notes.push(Note::new(kind, shown, 0, text));
    }

    /// Whether some package of the project depends on `name`.
    #[must_use]
    pub fn depends_on(&self, name: &str) -> bool {
        self.packages.iter().any(|package| package.dependencies.contains(name))
    }

    fn package(&mut self, dir: &Path) -> Option<Package> {
        let file = dir.join("package.json");
        match Package::read(dir) {
            Ok(package) => Some(package),
            Err(why) => {
                self.note(NoteKind::Configuration, &file, why);
                None
            }
        }
    }

    fn workspaces(&mut self, own: &Package) -> Vec<PathBuf> {
        let listed = own.json.get("workspaces");
        let listed = listed.and_then(|value| value.as_array().or_else(|| value.get("packages")?.as_array()));
        let listed = listed.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        let mut patterns: Vec<String> = listed.collect();
        let pnpm = self.root.join("pnpm-workspace.yaml");
        if let Ok(text) = read_text(&pnpm) {
            patterns.extend(pnpm_packages(&text));
        }
        if patterns.is_empty() {
            return Vec::new();
        }
        let (mut wanted, mut unwanted) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        for pattern in &patterns {
            let (set, glob) = match pattern.strip_prefix('!') {
                Some(glob) => (&mut unwanted, glob),
                None => (&mut wanted, pattern.as_str()),
            };
            match Glob::new(glob.trim_start_matches("./").trim_end_matches('/')) {
                Ok(glob) => drop(set.add(glob)),
                Err(error) => {
                    let file = self.root.join("package.json");
                    self.note(
                        NoteKind::Configuration,
                        &file,
                        format!("the workspace \"{pattern}\" makes no sense: {error}"),
                    );
                }
            }
        }
        let (Ok(wanted), Ok(unwanted)) = (wanted.build(), unwanted.build()) else { return Vec::new() };
        let root = self.root.clone();
        let inside = |path: &Path| path.strip_prefix(&root).map(Path::to_path_buf).unwrap_or_default();
        directories(&self.root)
            .filter(|dir| dir.join("package.json").is_file())
            .filter(|dir| wanted.is_match(inside(dir)) && !unwanted.is_match(inside(dir)))
            .collect()
    }
}

impl Package {
    /// Reads the package.json of a directory.
    ///
    /// # Errors
    /// A sentence that says why it can't be used.
    pub fn read(dir: &Path) -> Result<Self, String> {
        let text = read_text(&dir.join("package.json"))?;
        let json: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
            .map_err(|error| format!("this is not a package.json: {error}"))?;
        if !json.is_object() {
            return Err("this is not a package.json: it holds no object".to_owned());
        }
        let word = |key: &str| json.get(key).and_then(Value::as_str).unwrap_or_default().chars().take(214).collect();
        let fields = ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"];
        let dependencies = fields.iter().filter_map(|field| json.get(*field)?.as_object());
        let dependencies: BTreeSet<String> = dependencies.flat_map(|object| object.keys().cloned()).collect();
        let (name, version, native) = (word("name"), word("version"), native(dir, &json, &dependencies));
        Ok(Self { name, version, dir: dir.to_path_buf(), native, dependencies, json })
    }
}

/// What says that a package holds or makes machine code.
fn native(dir: &Path, json: &Value, dependencies: &BTreeSet<String>) -> Option<String> {
    const INSTALLERS: [&str; 9] = [
        "node-gyp-build",
        "node-gyp-build-optional-packages",
        "prebuild-install",
        "bindings",
        "@mapbox/node-pre-gyp",
        "node-pre-gyp",
        "node-addon-api",
        "nan",
        "@napi-rs/triples",
    ];
    if json.get("gypfile").and_then(Value::as_bool) == Some(true) || dir.join("binding.gyp").is_file() {
        return Some("it has a binding.gyp".to_owned());
    }
    if json.get("napi").is_some_and(Value::is_object) {
        return Some("its package.json has a \"napi\" section".to_owned());
    }
    let installer = INSTALLERS.iter().find(|name| dependencies.contains(**name));
    installer.map(|name| format!("it depends on {name}"))
}

/// The text of a small file.
fn read_text(path: &Path) -> Result<String, String> {
    let length = path.metadata().map_err(|error| format!("this file can't be read: {error}"))?.len();
    if length > LARGEST {
        return Err(format!("{} MiB are too much for a configuration file", length >> 20));
    }
    let bytes = std::fs::read(path).map_err(|error| format!("this file can't be read: {error}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The entries of `packages:` in a pnpm-workspace.yaml: a list of plain or quoted strings.
fn pnpm_packages(text: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|line| !line.trim_end().starts_with("packages:")).skip(1);
    let items = lines.take_while(|line| line.trim().is_empty() || line.trim_start().starts_with(['-', '#']));
    let items = items.filter_map(|line| line.trim_start().strip_prefix('-'));
    items.map(|item| item.trim().trim_matches(['"', '\'']).to_owned()).collect()
}

/// The project's own directories, the dependencies and hidden ones left out.
fn directories(root: &Path) -> impl Iterator<Item = PathBuf> {
    let own = |name: &str| name != "node_modules" && !name.starts_with('.');
    let entries = WalkDir::new(root).max_depth(DEEPEST).sort_by_file_name().into_iter();
    let entries = entries.filter_entry(move |entry| {
        entry.depth() == 0 || !entry.file_type().is_dir() || entry.file_name().to_str().is_some_and(own)
    });
    entries.filter_map(Result::ok).filter(|entry| entry.file_type().is_dir()).map(walkdir::DirEntry::into_path)
}

/// Where the execution of a package begins, as far as its files tell.
fn entries_of(package: &Package) -> Vec<PathBuf> {
    let mut names: Vec<String> = Vec::new();
    let scripts = package.json.get("scripts").and_then(Value::as_object);
    for key in ["start", "start:prod", "serve", "dev"] {
        let script = scripts.and_then(|scripts| scripts.get(key)).and_then(Value::as_str);
        names.extend(script.into_iter().flat_map(script_files));
    }
    names.extend(package.json.get("main").and_then(Value::as_str).map(str::to_owned));
    match package.json.get("bin") {
        Some(Value::String(file)) => names.push(file.clone()),
        Some(Value::Object(files)) => names.extend(files.values().filter_map(Value::as_str).map(str::to_owned)),
        _ => {}
    }
    let mut found: Vec<PathBuf> = names.iter().take(64).filter_map(|name| source_of(&package.dir, name)).collect();
    if found.is_empty() {
        for stem in ["src/main", "src/server", "src/index", "src/app", "server/index", "server", "app", "index", "main"]
        {
            found.extend(source_of(&package.dir, stem));
            if !found.is_empty() {
                break;
            }
        }
    }
    if package.dependencies.contains("next") {
        found.extend(next_routes(&package.dir));
    }
    found
}

/// The files that a script hands to Node or a runner of TypeScript.
fn script_files(script: &str) -> Vec<String> {
    let words = script.split(|c: char| c.is_whitespace() || c == '&' || c == ';').take(64);
    let words = words.map(|word| word.trim_matches(['"', '\'']));
    let files = words.filter(|word| {
        let path = Path::new(word);
        let source =
            path.extension().and_then(|extension| extension.to_str()).is_some_and(|it| EXTENSIONS.contains(&it));
        !word.starts_with('-') && source && !word.contains("config")
    });
    files.map(str::to_owned).collect()
}

/// The source behind a name: the file, the file with an extension, a directory's index, or the TypeScript that becomes it.
fn source_of(dir: &Path, name: &str) -> Option<PathBuf> {
    let plain = dir.join(name.trim_start_matches("./"));
    let unbuilt = ["dist/", "build/", "lib/", "out/"].iter().find_map(|built| {
        let rest = name.trim_start_matches("./").strip_prefix(built)?;
        Some(dir.join("src").join(Path::new(rest).with_extension("")))
    });
    let stems = unbuilt.into_iter().chain([plain.clone(), plain.join("index")]);
    let with_extensions = stems.flat_map(|stem| {
        EXTENSIONS.iter().map(move |extension| {
            let mut name = stem.clone().into_os_string();
            name.push(".");
            name.push(extension);
            PathBuf::from(name)
        })
    });
    let found = with_extensions.chain([plain]).find(|path| path.is_file())?;
    found.canonicalize().ok().filter(|path| path.starts_with(dir.canonicalize().unwrap_or_default()))
}

/// Route handlers, API routes and middleware of Next.js, which are found by their place.
fn next_routes(dir: &Path) -> Vec<PathBuf> {
    let files = directories(dir).flat_map(|dir| std::fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok));
    let mut found: Vec<PathBuf> = files
        .map(|entry| entry.path())
        .filter(|path| next_kind(path.strip_prefix(dir).unwrap_or(path)).is_some())
        .take(10_000)
        .collect();
    found.sort();
    found
}

/// What a file of a Next.js project answers, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextKind {
    /// `pages/api/**`: the default export.
    Api,
    /// `app/**/route.*`: exports by method.
    Handlers,
    /// `middleware.*`
    Middleware,
}

/// What Next.js takes a file for; `path` is relative to its package.
#[must_use]
pub fn next_kind(path: &Path) -> Option<NextKind> {
    let text = path.to_string_lossy().replace('\\', "/");
    let text = text.strip_prefix("src/").unwrap_or(&text);
    let (stem, extension) = text.rsplit_once('.')?;
    if !matches!(extension, "js" | "ts" | "jsx" | "tsx" | "mjs") {
        return None;
    }
    if stem.starts_with("pages/api/") {
        return Some(NextKind::Api);
    }
    if stem.starts_with("app/") && stem.ends_with("/route") {
        return Some(NextKind::Handlers);
    }
    (stem == "middleware" || stem == "proxy").then_some(NextKind::Middleware)
}
