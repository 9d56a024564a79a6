//! `[component.NAME]`. Grants are only matched against the known names; their plugins parse what they hold.

use super::{Reading, limits};
use crate::value::{Entry, Node, Table, Value};
use crate::{Build, Component, ComponentSource, Diagnostic, Diagnostics, GrantEntry, TableReader, Target, Use, codes};
use std::collections::BTreeMap;

impl Reading<'_> {
    pub(super) fn component(&mut self, entry: &Entry) -> Option<Component> {
        let owner = &entry.key;
        let what = format!("component `{owner}`");
        let mut reader = entry.node.reader(self.diags, &what)?;
        let source = self.source(&mut reader);
        let build = reader.get("build").and_then(|node| self.build(node, &what));
        let env =
            reader.get("env").map(|node| texts(node, &format!("`env` of {what}"), self.diags)).unwrap_or_default();
        let grants = reader.get("grants").map(|node| self.grants(node, &what)).unwrap_or_default();
        let limits = reader.get("limits").map(|node| limits::limits(node, &format!("`limits` of {what}"), self.diags));
        let reuse = reader.get("reuse").map(|node| limits::reuse(node, &format!("`reuse` of {what}"), self.diags));
        let strict = reader.boolean("strict", self.diags).unwrap_or_default();
        let uses = reader.get("uses").map(|node| self.uses(node, owner)).unwrap_or_default();
        for key in limits::LIMIT_KEYS {
            let Some(entry) = reader.misplaced(key.name) else { continue };
            let message = format!("`{}` is a limit, and stands under `limits`", key.name);
            let help = format!("move it below [component.{}.limits]", owner);
            self.diags.push(Diagnostic::error(codes::UNKNOWN_KEY, message).at(entry.key_span).help(help));
        }
        reader.finish(self.diags);
        let (source, source_span) = source?;
        Some(Component {
            name: entry.key.clone(),
            source,
            source_span,
            build,
            env,
            grants,
            limits: limits.unwrap_or_default(),
            reuse: reuse.unwrap_or_default(),
            strict,
            uses,
            span: entry.node.span,
        })
    }

    fn uses(&mut self, node: &Node, owner: &str) -> Vec<Use> {
        let Some(table) = node.table(self.diags, &format!("`uses` of component `{owner}`")) else {
            return Vec::new();
        };
        let mut uses = Vec::new();
        for entry in &table.entries {
            let interface = &entry.key;
            let bare = interface.split_once('@').map_or(interface.as_str(), |(bare, _)| bare);
            if bare.split_once(':').is_none_or(|(_, rest)| rest.split_once('/').is_none()) {
                let message = format!("`{interface}` is no name of an interface");
                let help = "write it as the component imports it: uses = { \"acme:codec/resize\" = \"codec\" }";
                self.diags.push(Diagnostic::error(codes::INVALID_VALUE, message).at(entry.key_span).help(help));
                continue;
            }
            let Some(name) = entry.node.string(self.diags, &format!("`{interface}`")) else { continue };
            if name == owner {
                let help = "name the component that exports it";
                entry.node.invalid::<()>(self.diags, "a component can't use itself", help);
                continue;
            }
            match self.target(name, entry.node.span) {
                Some(Target::Component(component)) => {
                    uses.push(Use { interface: interface.clone(), component, span: entry.node.span });
                }
                Some(Target::Upstream(_)) => {
                    let help = "an upstream is reached over HTTP, with a `http` grant";
                    entry.node.invalid::<()>(self.diags, format!("`{name}` is an upstream and exports nothing"), help);
                }
                None => {}
            }
        }
        uses
    }

    fn source(&mut self, reader: &mut TableReader<'_>) -> Option<(ComponentSource, crate::Span)> {
        let node = reader.required("source", self.diags, "source = \"path/to/component.wasm\"")?;
        match &node.value {
            Value::String(text) if text.trim().is_empty() => node.invalid(
                self.diags,
                "`source` is empty",
                "write the path of a component: \"path/to/component.wasm\"",
            ),
            Value::String(text) if text.contains("://") => self.remote_source(node, "a URL"),
            Value::String(text) => Some((ComponentSource::Path(self.path(text)), node.span)),
            Value::Table(table) if table.get("oci").is_some() => self.remote_source(node, "a registry"),
            Value::Table(table) if table.get("url").is_some() => self.remote_source(node, "a URL"),
            Value::Table(_) => {
                let help = "write the path of a component: source = \"path/to/component.wasm\"";
                node.invalid(self.diags, "`source` doesn't say where the component is", help)
            }
            _ => node.wrong_type(self.diags, "`source`", "a string with the path of a component"),
        }
    }

    fn remote_source<T>(&mut self, node: &Node, from: &str) -> Option<T> {
        let message = format!("components can't be fetched from {from} yet");
        let help = "download the file and write its path: source = \"path/to/component.wasm\"";
        self.diags.push(Diagnostic::error(codes::NOT_YET, message).at(node.span).help(help));
        None
    }

    fn build(&mut self, node: &Node, what: &str) -> Option<Build> {
        let what = format!("`build` of {what}");
        if let Value::String(command) = &node.value {
            return Some(Build { command: command.clone(), watch: Vec::new() });
        }
        let mut reader = match &node.value {
            Value::Table(table) => TableReader::new(table, node.span, &what),
            _ => return node.wrong_type(self.diags, &what, "a string with a command, or a table"),
        };
        let command =
            reader.required_string("command", self.diags, "command = \"cargo build --release --target wasm32-wasip2\"");
        let watch = reader.strings("watch", self.diags).unwrap_or_default();
        reader.finish(self.diags);
        Some(Build { command: command?.to_owned(), watch })
    }

    fn grants(&mut self, node: &Node, what: &str) -> Vec<GrantEntry> {
        let Some(table) = node.table(self.diags, &format!("`grants` of {what}")) else {
            return Vec::new();
        };
        let mut grants = Vec::new();
        for entry in &table.entries {
            if !self.options.known_grants.contains(&entry.key.as_str()) {
                self.diags.unknown_name(entry.key_span, "grant", &entry.key, self.options.known_grants);
                continue;
            }
            grants.push(GrantEntry { name: entry.key.clone(), name_span: entry.key_span, value: entry.node.clone() });
        }
        grants
    }
}

/// A table of variables for a process or a guest. Numbers and booleans are taken as they are written.
pub(super) fn texts(node: &Node, what: &str, diags: &mut Diagnostics) -> BTreeMap<String, String> {
    let empty = Table::default();
    let table = node.table(diags, what).unwrap_or(&empty);
    let mut texts = BTreeMap::new();
    for entry in &table.entries {
        let key = &entry.key;
        if key.is_empty() || key.contains(['=', '\0']) {
            let message = format!("`{key}` in {what} is no name of a variable");
            diags.push(
                Diagnostic::error(codes::INVALID_VALUE, message)
                    .at(entry.key_span)
                    .help("a name has no `=` and isn't empty"),
            );
            continue;
        }
        match scalar(&entry.node) {
            Some(text) if text.contains('\0') => {
                let message = format!("`{key}` in {what} contains a NUL character");
                entry.node.invalid::<()>(diags, message, "remove it");
            }
            Some(text) => {
                texts.insert(key.clone(), text);
            }
            None => {
                entry.node.wrong_type::<()>(diags, &format!("`{key}` in {what}"), "a string");
            }
        }
    }
    texts
}

/// The text of a string, number or boolean.
pub(super) fn scalar(node: &Node) -> Option<String> {
    match &node.value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(truth) => Some(truth.to_string()),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}
