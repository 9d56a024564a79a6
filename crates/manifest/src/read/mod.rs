//! The table of a manifest to an `App`: the root and its names here, the parts in the files beside.
//! Names are collected first, so that a component with an error is still there for the routes that name it.
//! `check.rs` calls it for manifests, `flags.rs` for command lines.

mod component;
pub(crate) mod limits;
mod rollout;
mod route;
mod state;
mod upstream;

use crate::value::{Table, Value};
use crate::{App, CheckOptions, Component, Diagnostic, Diagnostics, Route, Source, Span, TableReader, Target, codes};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// What the readers share.
struct Reading<'a> {
    options: &'a CheckOptions<'a>,
    diags: &'a mut Diagnostics,
    components: BTreeMap<&'a str, Span>,
    upstreams: BTreeMap<&'a str, Span>,
}

/// Reads the root table: the app as far as it could be read, and in the diagnostics what could not.
pub(crate) fn app(root: &Table, source: &Arc<Source>, options: &CheckOptions<'_>, diags: &mut Diagnostics) -> App {
    let mut reader = TableReader::new(root, Span::default(), "the manifest");
    let name = app_name(&mut reader, diags);
    let mut reading =
        Reading { options, diags, components: keys(root, "component"), upstreams: keys(root, "upstream") };
    let components = reading.named(&mut reader, "component", Reading::component);
    let upstreams = reading.named(&mut reader, "upstream", Reading::upstream);
    let stores = reading.named(&mut reader, "store", Reading::store);
    reading.ambiguous();
    let routes = reading.routes(&mut reader);
    let config = reading.config(&mut reader);
    reading.unused(&routes, &components);
    // A variant is taken out before; asking makes `env` a known key.
    reader.get("env");
    reader.finish(diags);
    App {
        // Only an app without errors is handed out, and that has a name.
        name: name.unwrap_or_default(),
        base_dir: options.base_dir.to_path_buf(),
        components,
        routes,
        upstreams,
        stores,
        config,
        source: source.clone(),
    }
}

fn app_name(reader: &mut TableReader<'_>, diags: &mut Diagnostics) -> Option<String> {
    let node = reader.get("name");
    if node.is_none() {
        let missing = Diagnostic::error(codes::MISSING_KEY, "the manifest has no `name`");
        diags.push(missing.help("begin it with a line such as: name = \"storefront\""));
    }
    let node = node?;
    let name = node.string(diags, "`name`")?;
    match good_name(name) {
        true => Some(name.to_owned()),
        false => node.invalid(diags, format!("`{name}` is no name for an app"), NAME_HELP),
    }
}

const NAME_HELP: &str = "use lower-case letters, digits, `-` and `_`, at most 63, beginning with a letter or digit";

fn good_name(name: &str) -> bool {
    let letter = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    name.len() <= 63 && name.starts_with(letter) && name.chars().all(|one| letter(one) || one == '-' || one == '_')
}

/// The names of `[key.NAME]` tables, with their places.
fn keys<'a>(root: &'a Table, key: &str) -> BTreeMap<&'a str, Span> {
    match root.get(key).map(|node| &node.value) {
        Some(Value::Table(table)) => table.entries.iter().map(|entry| (entry.key.as_str(), entry.key_span)).collect(),
        _ => BTreeMap::new(),
    }
}

impl<'a> Reading<'a> {
    /// Reads `[what.NAME]` tables by name.
    fn named<T>(
        &mut self,
        reader: &mut TableReader<'_>,
        what: &'static str,
        read: fn(&mut Self, &crate::value::Entry) -> Option<T>,
    ) -> BTreeMap<String, T> {
        let Some(node) = reader.get(what) else {
            return BTreeMap::new();
        };
        let Value::Table(table) = &node.value else {
            let found = node.value.type_name();
            let message = format!("`{what}` must be tables by name, not {found}");
            self.diags
                .push(Diagnostic::error(codes::WRONG_TYPE, message).at(node.span).help(format!("write [{what}.NAME]")));
            return BTreeMap::new();
        };
        let mut found = BTreeMap::new();
        for entry in &table.entries {
            if !good_name(&entry.key) {
                let message = format!("`{}` is no name for a {what}", entry.key);
                self.diags.push(Diagnostic::error(codes::INVALID_VALUE, message).at(entry.key_span).help(NAME_HELP));
            }
            if let Some(value) = read(self, entry) {
                found.insert(entry.key.clone(), value);
            }
        }
        found
    }

    /// Notes each name that is both a component and an upstream: `to = "name"` couldn't tell them apart.
    fn ambiguous(&mut self) {
        for (name, component) in &self.components {
            let Some(upstream) = self.upstreams.get(name) else { continue };
            let message = format!("`{name}` is both a component and an upstream, so a route to it has two meanings");
            let diagnostic = Diagnostic::error(codes::AMBIGUOUS_NAME, message).at(*upstream).label("an upstream");
            self.diags.push(diagnostic.also(*component, "a component").help("rename one of them"));
        }
    }

    /// The component or upstream of a name; a note with the nearest one otherwise.
    fn target(&mut self, name: &str, span: Span) -> Option<Target> {
        if self.components.contains_key(name) {
            return Some(Target::Component(name.to_owned()));
        }
        if self.upstreams.contains_key(name) {
            return Some(Target::Upstream(name.to_owned()));
        }
        let diagnostic =
            Diagnostic::error(codes::UNKNOWN_NAME, format!("there is no component or upstream named `{name}`"));
        let known: Vec<_> = self.components.keys().chain(self.upstreams.keys()).copied().collect();
        let help = if name.contains("://") {
            format!("declare it as an upstream and use its name: [upstream.node] url = \"{name}\"")
        } else if known.is_empty() {
            format!("declare it: [component.{name}] with a `source`, or [upstream.{name}] with a `url`")
        } else {
            crate::diagnostic::nearest_help("component or upstream", name, &known)
        };
        self.diags.push(diagnostic.at(span).label("not declared").help(help));
        None
    }

    /// Warns of components and upstreams that no route leads to. With a wrong route nobody can say: it may have been meant.
    fn unused(&mut self, routes: &[Route], components: &BTreeMap<String, Component>) {
        if self.diags.has_errors() {
            return;
        }
        let from = |route: &Route| route.rollout.as_ref().map(|rollout| rollout.from.clone());
        let places = routes.iter().flat_map(|route| [route.to.target(), route.fallback.clone(), from(route)]).flatten();
        let mut reached: BTreeSet<_> = places.map(|target| target.name().to_owned()).collect();
        reached.extend(routes.iter().flat_map(|route| route.middleware.clone()));
        reached.extend(components.values().flat_map(|component| &component.uses).map(|used| used.component.clone()));
        // Others may call it by its name inside the app.
        let called = |name: &str| components.values().any(|component| component.names_in_grants(name));
        reached.extend(self.components.keys().filter(|name| called(name)).map(|name| (*name).to_owned()));
        for (kind, names) in [("component", &self.components), ("upstream", &self.upstreams)] {
            for (name, span) in names.iter().filter(|(name, _)| !reached.contains(**name)) {
                let message = format!("no route leads to the {kind} `{name}`");
                let help = format!("add a route to it:\n[[route]]\npath = \"/{name}/*\"\nto = \"{name}\"");
                self.diags.push(Diagnostic::warning(codes::UNUSED, message).at(*span).label("never used").help(help));
            }
        }
    }

    /// A path, joined to the manifest's directory.
    fn path(&self, text: &str) -> PathBuf {
        self.options.base_dir.join(text)
    }
}
