//! An app without a manifest: `coracle up component.wasm --grant http='…'`. The flags become the same tree of values
//! that a manifest becomes and are read by the same code; spans point into a text that shows the command line, one flag
//! a line. Variables and variants don't exist here: the shell has its own.

use crate::value::{Entry, Node, Table, Value};
use crate::{App, CheckOptions, Diagnostic, Diagnostics, Source, Span, codes, parse, read};
use std::path::{Component as PathPart, Path, PathBuf};
use std::sync::Arc;

/// The flags of a command that runs one component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// The file of the component.
    pub component: PathBuf,
    /// `--env NAME=VALUE`.
    pub env: Vec<String>,
    /// `--config NAME=VALUE`, for `wasi:config`.
    pub config: Vec<String>,
    /// `--grant NAME=VALUE`, such as `http=GET https://api.example.com/**`, `http=*` or `keyvalue={ store = "cache" }`.
    /// The same name several times makes a list.
    pub grants: Vec<String>,
    /// `--dir HOST::GUEST[:ro]`: a `files` grant, writable unless it ends in `:ro`. `HOST` alone is the same path for the guest.
    pub dirs: Vec<String>,
    /// `--store NAME=TYPE`, or `NAME={ type = "keyvalue", backend = "sqlite" }`.
    pub stores: Vec<String>,
    /// `--reuse requests=128,concurrency=16,idle=10s`.
    pub reuse: Option<String>,
    /// `--limit memory=64MiB`, several at once by commas.
    pub limits: Vec<String>,
    /// `--strict`.
    pub strict: bool,
}

impl App {
    /// The app that serves one component on every path. Of the options only the known names and `base_dir`, which is the
    /// working directory here, are used. The source is what the spans of the diagnostics, also those of plugins, point into.
    pub fn single(flags: &Flags, options: &CheckOptions<'_>) -> (Option<Self>, Diagnostics, Arc<Source>) {
        let mut line = CommandLine::default();
        let root = line.root(flags);
        let CommandLine { text, mut diags } = line;
        let source = Arc::new(Source::new("command line", text));
        let app = read::app(&root, &source, options, &mut diags);
        let app = (!diags.has_errors()).then_some(app);
        (app, diags, source)
    }
}

/// The text under construction.
#[derive(Default)]
struct CommandLine {
    text: String,
    diags: Diagnostics,
}

/// One `NAME=VALUE` of the command line.
struct Pair<'a> {
    name: &'a str,
    name_span: Span,
    value: &'a str,
    value_span: Span,
}

impl CommandLine {
    fn root(&mut self, flags: &Flags) -> Table {
        let path = flags.component.to_string_lossy();
        let (start, end) = self.line("", &path);
        let span = Span::new(start, end);
        let name = name_from(&flags.component);
        let string = |text: &str| Node::new(span, Value::String(text.to_owned()));
        let mut component = Table::default();
        component.set("source", span, string(&path));
        component.set("env", span, self.pairs("--env", &flags.env, |_, pair| text_of(pair)));
        component.set("grants", span, self.grants(flags));
        component.set("limits", span, self.limits(&flags.limits));
        if let Some(reuse) = &flags.reuse {
            let node = self.settings("--reuse", reuse);
            component.set("reuse", span, Node::new(span, Value::Table(node)));
        }
        if flags.strict {
            let (start, end) = self.line("--strict", "");
            component.set("strict", Span::new(start, end), Node::new(Span::new(start, end), Value::Boolean(true)));
        }
        let mut route = Table::default();
        route.set("path", span, string("/*"));
        route.set("to", span, string(&name));
        let table = |key: &str, node: Node| {
            let mut table = Table::default();
            table.set(key, span, node);
            Node::new(span, Value::Table(table))
        };
        let mut root = Table::default();
        root.set("name", span, string(&name));
        root.set("component", span, table(&name, Node::new(span, Value::Table(component))));
        root.set("route", span, Node::new(span, Value::Array(vec![Node::new(span, Value::Table(route))])));
        root.set("store", span, self.pairs("--store", &flags.stores, Self::store));
        root.set("config", span, self.pairs("--config", &flags.config, |_, pair| text_of(pair)));
        root
    }

    /// Adds a line; gives the range of the value.
    fn line(&mut self, flag: &str, value: &str) -> (usize, usize) {
        if !flag.is_empty() {
            self.text.push_str(flag);
            if !value.is_empty() {
                self.text.push(' ');
            }
        }
        let start = self.text.len();
        self.text.extend(value.chars().map(|letter| if letter.is_control() { '\u{FFFD}' } else { letter }));
        let end = self.text.len();
        self.text.push('\n');
        (start, end)
    }

    /// Splits `NAME=VALUE` and writes it as a shell would take it. A note, and `None`, when there is no `=`.
    fn pair<'a>(&mut self, flag: &str, typed: &'a str) -> Option<Pair<'a>> {
        let Some((name, value)) = typed.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            let (start, end) = self.line(flag, typed);
            let message = format!("`{flag}` takes NAME=VALUE, but `{typed}` has no name and `=`");
            let diagnostic = Diagnostic::error(codes::INVALID_VALUE, message).at(Span::new(start, end));
            self.diags.push(diagnostic.help(format!("write {flag} NAME=VALUE")));
            return None;
        };
        let plain = |letter: char| letter.is_alphanumeric() || "-_./:=@%+,".contains(letter);
        let quote = if value.chars().all(plain) { "" } else { "'" };
        let (start, _) = self.line(flag, &format!("{name}={quote}{value}{quote}"));
        let name_span = Span::new(start, start + name.len());
        let value_start = name_span.end + 1 + quote.len();
        Some(Pair { name, name_span, value, value_span: Span::new(value_start, value_start + value.len()) })
    }

    /// A table of all `NAME=VALUE`; the last of a name wins, as in a shell.
    fn pairs(&mut self, flag: &str, typed: &[String], node: fn(&mut Self, &Pair<'_>) -> Option<Node>) -> Node {
        let mut table = Table::default();
        for typed in typed {
            let Some(pair) = self.pair(flag, typed) else { continue };
            if let Some(node) = node(self, &pair) {
                table.set(pair.name, pair.name_span, node);
            }
        }
        Node::new(Span::default(), Value::Table(table))
    }

    fn store(&mut self, pair: &Pair<'_>) -> Option<Node> {
        if pair.value.starts_with('{') {
            return parse::value(pair.value, pair.value_span.start, &mut self.diags);
        }
        let mut table = Table::default();
        table.set("type", pair.value_span, text_of(pair)?);
        Some(Node::new(pair.value_span, Value::Table(table)))
    }

    fn limits(&mut self, typed: &[String]) -> Node {
        let mut table = Table::default();
        for typed in typed {
            for entry in self.settings("--limit", typed).entries {
                table.set(&entry.key, entry.key_span, entry.node);
            }
        }
        Node::new(Span::default(), Value::Table(table))
    }

    /// `requests=128,concurrency=16` as a table; what looks like an integer is one.
    fn settings(&mut self, flag: &str, typed: &str) -> Table {
        let (mut at, end) = self.line(flag, typed);
        let mut table = Table::default();
        for part in typed.split(',') {
            let span = Span::new(at, (at + part.len()).min(end));
            at += part.len() + 1;
            let Some((name, value)) = part.split_once('=').filter(|(name, _)| !name.is_empty()) else {
                let message = format!("`{flag}` takes NAME=VALUE, but `{part}` has no name and `=`");
                let help = format!("write {flag} NAME=VALUE, several joined by commas");
                self.diags.push(Diagnostic::error(codes::INVALID_VALUE, message).at(span).help(help));
                continue;
            };
            let value_span = Span::new(span.start + name.len() + 1, span.end);
            let value = match value.parse::<i64>() {
                Ok(number) => Value::Integer(number),
                Err(_) => Value::String(value.to_owned()),
            };
            table.set(name, Span::new(span.start, span.start + name.len()), Node::new(value_span, value));
        }
        table
    }

    /// Each grant is a list of what all flags of its name say.
    fn grants(&mut self, flags: &Flags) -> Node {
        let mut table = Table::default();
        for typed in &flags.grants {
            let Some(pair) = self.pair("--grant", typed) else { continue };
            let node = match pair.value.chars().next() {
                Some('{' | '[') => parse::value(pair.value, pair.value_span.start, &mut self.diags),
                _ => text_of(&pair),
            };
            if let Some(node) = node {
                table.extend_list(pair.name, pair.name_span, node);
            }
        }
        for typed in &flags.dirs {
            let (start, end) = self.line("--dir", typed);
            if let Some(node) = self.dir(typed, Span::new(start, end)) {
                table.extend_list("files", Span::new(start, end), node);
            }
        }
        Node::new(Span::default(), Value::Table(table))
    }

    fn dir(&mut self, typed: &str, span: Span) -> Option<Node> {
        let (paths, write) = match typed.strip_suffix(":ro") {
            Some(paths) => (paths, false),
            None => (typed, true),
        };
        let (host, guest) = paths.split_once("::").unwrap_or((paths, paths));
        if host.is_empty() || guest.is_empty() {
            let message = format!("`--dir` takes HOST::GUEST, but in `{typed}` one of them is empty");
            let help = "write --dir ./data::/data, or ./data::/data:ro for reading only";
            self.diags.push(Diagnostic::error(codes::INVALID_VALUE, message).at(span).help(help));
            return None;
        }
        let mut table = Table::default();
        table.set("from", span, Node::new(span, Value::String(host.to_owned())));
        table.set("to", span, Node::new(span, Value::String(guest_path(guest))));
        table.set("write", span, Node::new(span, Value::Boolean(write)));
        Some(Node::new(span, Value::Table(table)))
    }
}

/// The absolute path a guest sees: `./data` is `/data`.
fn guest_path(text: &str) -> String {
    let parts = Path::new(text).components().filter_map(|part| match part {
        PathPart::Normal(name) => Some(name.to_string_lossy()),
        PathPart::ParentDir | PathPart::CurDir | PathPart::RootDir | PathPart::Prefix(_) => None,
    });
    parts.fold(String::new(), |path, part| path + "/" + &part) + if text == "/" || text == "." { "/" } else { "" }
}

fn text_of(pair: &Pair<'_>) -> Option<Node> {
    Some(Node::new(pair.value_span, Value::String(pair.value.to_owned())))
}

/// A name for the app: that of the file, with what a name can't hold replaced.
fn name_from(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let good = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let name: String =
        stem.chars().map(|letter| if good(letter) || letter == '_' { letter } else { '-' }).take(63).collect();
    let name = name.trim_start_matches(['-', '_']);
    if name.is_empty() { "app".to_owned() } else { name.to_owned() }
}

impl Table {
    /// Sets a key, in place of what it had.
    fn set(&mut self, key: &str, key_span: Span, node: Node) {
        self.entries.retain(|entry| entry.key != key);
        self.entries.push(Entry { key: key.to_owned(), key_span, node });
    }

    /// Adds a value, or the items of a list, to the list a key has.
    fn extend_list(&mut self, key: &str, key_span: Span, node: Node) {
        let span = node.span;
        let new = if let Value::Array(items) = node.value { items } else { vec![node] };
        match self.entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.node.value) {
            Some(Value::Array(items)) => items.extend(new),
            _ => self.set(key, key_span, Node::new(span, Value::Array(new))),
        }
    }
}
