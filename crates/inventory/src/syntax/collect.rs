//! The state of one walk over a file, and how it becomes facts at the end. The walk itself is in `visit`.

use super::chain::{self, Root, fate};
use super::names::{Binding, Names, Origin, Reading};
use super::{Lines, text};
use crate::facts::{
    Export, Facts, Hazard, Import, ImportKind, Node, NodeKind, Outer, Param, Registration, Signals, Target, Use, Used,
};
use oxc::ast::ast::{BindingPattern, Expression, FormalParameters, IdentifierReference, Program, TSTypeAnnotation};
use oxc::ast_visit::Visit as _;
use oxc::semantic::{NodeId, Semantic, SymbolId};
use oxc::span::{GetSpan as _, Span};
use rustc_hash::FxHashMap;

/// A use whose name is not looked up yet.
struct Raw {
    node: u32,
    line: u32,
    symbol: SymbolId,
    reading: Reading,
}

/// A registration whose names are not looked up yet.
pub(super) struct RawRegistration {
    pub node: u32,
    pub line: u32,
    pub receiver: Origin,
    pub receiver_name: Option<String>,
    pub verb: String,
    pub path: Option<String>,
    pub handlers: Vec<Origin>,
}

pub(super) struct Collector<'a, 's> {
    pub source: &'a str,
    pub lines: &'s Lines,
    pub semantic: &'s Semantic<'a>,
    pub facts: Facts,
    pub names: Names,
    /// The nodes that enclose the place of the walk, the body first.
    pub stack: Vec<u32>,
    pub loop_depth: u16,
    pub tries: u32,
    /// What the next function or class is called, from where it stands.
    pub pending: Option<String>,
    /// `require` and `import()` calls by their place.
    pub requests: FxHashMap<u32, u32>,
    pub registrations: Vec<RawRegistration>,
    pub exports: Vec<(String, Origin)>,
    /// Functions put on something that has a name.
    pub attachments: Vec<(SymbolId, u32)>,
    /// The next function is what a variable is declared to be.
    pub declaring: bool,
    raw: Vec<Raw>,
}

/// What a new node is.
pub(super) struct NewNode<'n> {
    pub name: String,
    pub kind: NodeKind,
    pub span: Span,
    pub is_async: bool,
    pub params: Option<&'n FormalParameters<'n>>,
    pub returns: Option<&'n TSTypeAnnotation<'n>>,
}

impl<'a, 's> Collector<'a, 's> {
    pub(super) fn new(source: &'a str, lines: &'s Lines, semantic: &'s Semantic<'a>) -> Self {
        Self {
            source,
            lines,
            semantic,
            facts: Facts::default(),
            names: Names::default(),
            stack: Vec::new(),
            loop_depth: 0,
            tries: 0,
            pending: None,
            requests: FxHashMap::default(),
            registrations: Vec::new(),
            exports: Vec::new(),
            attachments: Vec::new(),
            declaring: false,
            raw: Vec::new(),
        }
    }

    pub(super) fn facts(mut self, program: &Program<'a>) -> Facts {
        let span = Span::new(0, u32::try_from(self.source.len()).unwrap_or(u32::MAX));
        let body =
            NewNode { name: String::new(), kind: NodeKind::Body, span, is_async: false, params: None, returns: None };
        let body = self.push(&body);
        self.visit_program(program);
        self.pop(body);
        self.finish()
    }

    fn finish(mut self) -> Facts {
        for raw in std::mem::take(&mut self.raw) {
            if let Some(node) = self.names.node(raw.symbol) {
                self.add(raw.node, raw.line, Used::Node(node));
            }
            if let Some(imported) = self.names.import(raw.symbol, &raw.reading) {
                self.add(raw.node, raw.line, Used::Import(imported));
            }
        }
        for (symbol, start) in std::mem::take(&mut self.attachments) {
            let (owner, attached) = (self.names.node(symbol), self.names.starts.get(&start).copied());
            if let (Some(owner), Some(attached)) = (owner, attached) {
                self.add(owner, self.lines.line(start), Used::Node(attached));
            }
        }
        let names = &self.names;
        let exports = self.exports.iter();
        self.facts.exports =
            exports.map(|(name, origin)| Export { name: name.clone(), target: names.target(origin) }).collect();
        let registrations = self.registrations.into_iter().map(|raw| Registration {
            node: raw.node,
            line: raw.line,
            receiver: named(names.source(&raw.receiver), raw.receiver_name),
            receiver_node: match &raw.receiver {
                Origin::Name(symbol, _) => names.node(*symbol),
                Origin::At(_) | Origin::Import(..) | Origin::Unknown(_) => None,
            },
            verb: raw.verb,
            path: raw.path,
            handlers: raw.handlers.iter().map(|origin| names.target(origin)).collect(),
        });
        self.facts.registrations = registrations.collect();
        for node in &mut self.facts.nodes {
            node.uses.sort_by(|a, b| (&a.what, a.line).cmp(&(&b.what, b.line)));
            node.uses.dedup_by(|a, b| a.what == b.what);
            node.outer.sort();
            node.outer.dedup();
        }
        self.facts
    }

    /// The innermost node around the place of the walk.
    pub(super) fn here(&self) -> u32 {
        self.stack.last().copied().unwrap_or(0)
    }

    pub(super) fn at_module_level(&self) -> bool {
        self.stack.len() <= 1
    }

    pub(super) fn signals(&mut self) -> Option<&mut Signals> {
        let here = self.here() as usize;
        self.facts.nodes.get_mut(here).map(|node| &mut node.signals)
    }

    /// Adds a node and makes it the place of the walk.
    pub(super) fn push(&mut self, new: &NewNode<'_>) -> u32 {
        let index = u32::try_from(self.facts.nodes.len()).unwrap_or(u32::MAX);
        let parent = self.here();
        self.facts.nodes.push(Node {
            name: new.name.clone(),
            kind: new.kind,
            parent,
            start: new.span.start,
            end: new.span.end,
            line: self.lines.line(new.span.start),
            end_line: self.lines.line(new.span.end.saturating_sub(1)),
            is_async: new.is_async,
            params: new.params.map_or_else(Vec::new, |params| self.params(params)),
            returns: new.returns.map(|kind| text(self.source, kind.type_annotation.span(), 80)),
            signals: Signals::default(),
            uses: Vec::new(),
            outer: Vec::new(),
        });
        if new.kind != NodeKind::Body {
            self.names.starts.insert(new.span.start, index);
        }
        self.stack.push(index);
        index
    }

    pub(super) fn pop(&mut self, index: u32) {
        debug_assert_eq!(self.stack.last(), Some(&index), "nodes are left in the order they were entered");
        self.stack.pop();
    }

    fn params(&self, params: &FormalParameters<'_>) -> Vec<Param> {
        let items = params.items.iter().map(|item| Param {
            name: match &item.pattern {
                BindingPattern::BindingIdentifier(name) => name.name.to_string(),
                pattern => text(self.source, pattern.span(), 40),
            },
            kind: item.type_annotation.as_ref().map(|kind| text(self.source, kind.type_annotation.span(), 80)),
        });
        let rest = params.rest.iter().map(|rest| Param { name: text(self.source, rest.span, 40), kind: None });
        items.chain(rest).collect()
    }

    pub(super) fn add(&mut self, node: u32, line: u32, what: Used) {
        if let Some(node) = self.facts.nodes.get_mut(node as usize) {
            node.uses.push(Use { line, what });
        }
    }

    /// Notes that the innermost node needs something.
    pub(super) fn uses(&mut self, offset: u32, what: Used) {
        let (here, line) = (self.here(), self.lines.line(offset));
        self.add(here, line, what);
    }

    pub(super) fn hazard(&mut self, offset: u32, hazard: Hazard) {
        self.uses(offset, Used::Hazard(hazard));
    }

    /// The symbol that a name refers to.
    pub(super) fn symbol(&self, name: &IdentifierReference<'_>) -> Option<SymbolId> {
        self.semantic.scoping().get_reference(name.reference_id.get()?).symbol_id()
    }

    /// A request for a module; asking twice about the same place gives the same import.
    pub(super) fn request(&mut self, specifier: &str, kind: ImportKind, offset: u32) -> u32 {
        if let Some(import) = self.requests.get(&offset) {
            return *import;
        }
        let import = u32::try_from(self.facts.imports.len()).unwrap_or(u32::MAX);
        let line = self.lines.line(offset);
        self.facts.imports.push(Import { specifier: specifier.to_owned(), kind, line, guarded: self.tries > 0 });
        self.requests.insert(offset, import);
        import
    }

    /// A name is read: notes what becomes of it.
    pub(super) fn name(&mut self, name: &IdentifierReference<'a>) {
        let fate = fate(self.semantic, name.node_id.get(), name.span);
        let Some(symbol) = self.symbol(name) else {
            if !fate.typeof_only {
                self.global(name, &fate);
            }
            return;
        };
        self.outer(symbol, &fate);
        let (node, line) = (self.here(), self.lines.line(name.span.start));
        let reading = Reading { member: joined(&fate.members), called: fate.called };
        self.raw.push(Raw { node, line, symbol, reading });
    }

    fn global(&mut self, name: &IdentifierReference<'a>, fate: &chain::Fate<'a>) {
        let called = fate.called && fate.members.is_empty();
        match name.name.as_str() {
            "require" | "module" | "exports" | "undefined" | "arguments" => {
                if fate.members.first() == Some(&"resolve") && name.name == "require" {
                    self.uses(name.span.start, Used::Global("require.resolve".to_owned()));
                }
            }
            "eval" if called => self.hazard(name.span.start, Hazard::Eval),
            "Function" if called => self.hazard(name.span.start, Hazard::NewFunction),
            known => {
                let first = fate.members.first().filter(|member| **member != "[]");
                let path = first.map_or_else(|| known.to_owned(), |member| format!("{known}.{member}"));
                self.count_global(&path);
                self.uses(name.span.start, Used::Global(path));
            }
        }
    }

    fn count_global(&mut self, path: &str) {
        let Some(signals) = self.signals() else { return };
        let (root, _) = path.split_once('.').unwrap_or((path, ""));
        match root {
            "JSON" => signals.json = signals.json.saturating_add(1),
            "RegExp" => signals.regex = signals.regex.saturating_add(1),
            "Math" => signals.arithmetic = signals.arithmetic.saturating_add(1),
            "Buffer" | "DataView" | "ArrayBuffer" | "TextEncoder" | "TextDecoder" => {
                signals.bytes = signals.bytes.saturating_add(1);
            }
            typed if typed.ends_with("Array") && typed != "Array" => signals.bytes = signals.bytes.saturating_add(1),
            _ => {}
        }
    }

    /// Notes a variable of the surroundings, and whether it is written to.
    fn outer(&mut self, symbol: SymbolId, fate: &chain::Fate<'a>) {
        const MUTATING: [&str; 9] = ["set", "add", "delete", "clear", "push", "pop", "shift", "unshift", "splice"];
        let written = fate.written || fate.called && fate.members.last().is_some_and(|last| MUTATING.contains(last));
        let scoping = self.semantic.scoping();
        let declared = scoping.symbol_span(symbol).start;
        let imported = self.names.bindings.get(&symbol).is_some_and(|binding| binding.import.is_some());
        let of_module = scoping.symbol_scope_id(symbol) == scoping.root_scope_id();
        let here = self.here() as usize;
        let Some(node) = self.facts.nodes.get_mut(here) else { return };
        let inside = (node.start..node.end).contains(&declared);
        // What only is read of the module's own names is followed as a use.
        if inside || imported || node.kind == NodeKind::Body || of_module && !written {
            return;
        }
        let name = scoping.symbol_name(symbol).to_owned();
        node.outer.push(Outer { declared, name, written });
    }

    /// Notes what a request, a `require` or `import()` in the middle of an expression, is used for.
    pub(super) fn request_used(&mut self, import: u32, node: NodeId, span: Span) {
        let fate = fate(self.semantic, node, span);
        let member = joined(&fate.members);
        let imported = crate::facts::Imported { import, name: "*".to_owned(), member, called: fate.called };
        self.uses(span.start, Used::Import(imported));
    }

    /// Binds every name of a pattern.
    pub(super) fn bind(&mut self, pattern: &BindingPattern<'a>, binding: &Binding) {
        for name in pattern.get_binding_identifiers() {
            if let Some(symbol) = name.symbol_id.get() {
                let known = self.names.bindings.entry(symbol).or_default();
                known.node = binding.node.or(known.node);
                known.import = binding.import.clone().or(known.import.take());
                known.made = binding.made.clone().or(known.made.take());
            }
        }
    }

    /// An expression in terms of names.
    pub(super) fn origin(&self, expression: &Expression<'a>) -> Origin {
        let inner = expression.get_inner_expression();
        if matches!(
            inner,
            Expression::FunctionExpression(_) | Expression::ArrowFunctionExpression(_) | Expression::ClassExpression(_)
        ) {
            return Origin::At(inner.span().start);
        }
        // A wrapper around a function, such as `asyncRoute(async (request, response) => …)`.
        if let Expression::CallExpression(call) = inner {
            let function = call.arguments.iter().filter_map(|argument| argument.as_expression()).find(|argument| {
                matches!(argument, Expression::FunctionExpression(_) | Expression::ArrowFunctionExpression(_))
            });
            if let Some(function) = function {
                return Origin::At(function.span().start);
            }
        }
        self.chained(inner)
    }

    /// An expression by the name at its root.
    pub(super) fn chained(&self, inner: &Expression<'a>) -> Origin {
        let Some(found) = chain::chain(inner) else {
            return Origin::Unknown(text(self.source, inner.span(), 60));
        };
        let reading = Reading { member: joined(&found.members), called: found.called };
        match found.root {
            Root::Name(name) => match self.symbol(name) {
                Some(symbol) => Origin::Name(symbol, reading),
                None => Origin::Unknown(text(self.source, inner.span(), 60)),
            },
            Root::Require(start) | Root::Import(start) => match self.requests.get(&start) {
                Some(import) => Origin::Import(*import, reading),
                None => Origin::Unknown(text(self.source, inner.span(), 60)),
            },
        }
    }

    /// Whether a target is a parameter or other local name, and which.
    pub(super) fn local_name(&self, expression: &Expression<'a>) -> Option<String> {
        let found = chain::chain(expression)?;
        match found.root {
            Root::Name(name) => Some(name.name.to_string()),
            Root::Require(_) | Root::Import(_) => None,
        }
    }

    pub(super) fn export(&mut self, name: &str, origin: Origin) {
        self.exports.push((name.to_owned(), origin));
    }
}

pub(super) fn joined(members: &[&str]) -> String {
    members.iter().filter(|member| **member != "[]").copied().collect::<Vec<_>>().join(".")
}

/// A target that leads nowhere says at least its name.
fn named(target: Target, name: Option<String>) -> Target {
    match (target, name) {
        (Target::Unknown(_), Some(name)) => Target::Unknown(name),
        (target, _) => target,
    }
}
