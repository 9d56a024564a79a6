//! The walk over one file: where nodes begin and end, which names are bound to what, what is counted.

use super::chain::{self, Root, is_require};
use super::collect::{Collector, NewNode, RawRegistration, joined};
use super::names::{Binding, Origin, Reading};
use crate::facts::{Hazard, ImportKind, NodeKind, Used};
use oxc::ast::ast::*;
use oxc::ast_visit::{Visit, walk};
use oxc::semantic::ScopeFlags;
use oxc::span::GetSpan as _;

/// Methods by which routers, servers and apps take functions.
const VERBS: [&str; 22] = [
    "use",
    "get",
    "post",
    "put",
    "delete",
    "del",
    "patch",
    "head",
    "options",
    "all",
    "any",
    "route",
    "register",
    "addHook",
    "createServer",
    "on",
    "onRequest",
    "preHandler",
    "mount",
    "routes",
    "notFound",
    "setErrorHandler",
];

const STRING_METHODS: [&str; 22] = [
    "charCodeAt",
    "codePointAt",
    "charAt",
    "slice",
    "substring",
    "substr",
    "indexOf",
    "lastIndexOf",
    "split",
    "replace",
    "replaceAll",
    "padStart",
    "padEnd",
    "toLowerCase",
    "toUpperCase",
    "trim",
    "normalize",
    "match",
    "matchAll",
    "test",
    "exec",
    "fromCharCode",
];

impl<'a> Collector<'a, '_> {
    /// Walks a function's inside as a node of its own.
    /// A declaration of the module is reached by its name only; anything else also by whoever encloses it.
    fn inside(&mut self, new: &NewNode<'_>, declared: bool, walk: impl FnOnce(&mut Self)) -> u32 {
        self.declaring = false;
        let (depth, tries) = (std::mem::take(&mut self.loop_depth), std::mem::take(&mut self.tries));
        let parent = self.here();
        let index = self.push(new);
        walk(self);
        self.pop(index);
        (self.loop_depth, self.tries) = (depth, tries);
        if !(declared && parent == 0) {
            let line = self.lines.line(new.span.start);
            self.add(parent, line, Used::Node(index));
        }
        index
    }

    fn function_node(&mut self, it: &Function<'a>, flags: ScopeFlags) -> u32 {
        let pending = self.pending.take();
        let name = it.id.as_ref().map(|id| id.name.to_string()).or(pending).unwrap_or_default();
        let method = self.stack.last().and_then(|index| self.facts.nodes.get(*index as usize));
        let kind = match method {
            Some(node) if node.kind == NodeKind::Class => NodeKind::Method,
            _ => NodeKind::Function,
        };
        let new = NewNode {
            name,
            kind,
            span: it.span,
            is_async: it.r#async,
            params: Some(&it.params),
            returns: it.return_type.as_deref(),
        };
        let declared = it.is_declaration() || self.declaring;
        self.inside(&new, declared, |this| walk::walk_function(this, it, flags))
    }

    fn looped(&mut self, walk: impl FnOnce(&mut Self)) {
        self.loop_depth = self.loop_depth.saturating_add(1);
        let depth = self.loop_depth;
        if let Some(signals) = self.signals() {
            signals.loops = signals.loops.saturating_add(1);
            signals.loop_depth = signals.loop_depth.max(depth);
        }
        walk(self);
        self.loop_depth = self.loop_depth.saturating_sub(1);
    }

    /// `require("x")` or `import("x")`, with or without members: registers the request.
    fn requested(&mut self, init: &Expression<'a>) -> Option<(u32, Reading)> {
        let found = chain::chain(init)?;
        let reading = Reading { member: joined(&found.members), called: found.called };
        let import = match found.root {
            Root::Name(_) => return None,
            Root::Require(start) | Root::Import(start) => {
                let (kind, specifier) = self.request_at(init, start)?;
                self.request(&specifier, kind, start)
            }
        };
        Some((import, reading))
    }

    /// The request that begins at an offset inside an expression.
    fn request_at(&self, init: &Expression<'a>, start: u32) -> Option<(ImportKind, String)> {
        let mut at = init;
        for _ in 0..64 {
            at = at.get_inner_expression();
            at = match at {
                Expression::CallExpression(call) if call.span.start == start && is_require(call) => {
                    return Some((ImportKind::Require, self.required(call)?));
                }
                Expression::ImportExpression(import) => {
                    return Some((ImportKind::Dynamic, literal(&import.source)?));
                }
                Expression::CallExpression(call) => &call.callee,
                Expression::NewExpression(new) => &new.callee,
                Expression::StaticMemberExpression(member) => &member.object,
                Expression::ComputedMemberExpression(member) => &member.object,
                Expression::AwaitExpression(wait) => &wait.argument,
                _ => return None,
            };
        }
        None
    }

    /// The specifier of a `require` that is Node's.
    fn required(&self, call: &CallExpression<'a>) -> Option<String> {
        let Expression::Identifier(name) = &call.callee else { return None };
        let symbol = self.symbol(name);
        // `createRequire` gives the same function under the same name.
        if symbol.is_some() && !self.names.bindings.contains_key(&symbol?) {
            return None;
        }
        literal(call.arguments.first()?.as_expression()?)
    }

    fn binding_of(&mut self, init: &Expression<'a>) -> Binding {
        if let Some((import, reading)) = self.requested(init) {
            if reading.called {
                return Binding { made: Some(Origin::Import(import, reading)), ..Binding::default() };
            }
            let name = if reading.member.is_empty() { "*".to_owned() } else { reading.member };
            return Binding { import: Some((import, name)), ..Binding::default() };
        }
        match self.origin(init) {
            made @ (Origin::Name(..) | Origin::Import(..)) => Binding { made: Some(made), ..Binding::default() },
            Origin::At(_) | Origin::Unknown(_) => Binding::default(),
        }
    }

    /// Binds the names of a declaration. `const { sign } = require("x")` binds `sign` to that export.
    fn declare(&mut self, pattern: &BindingPattern<'a>, binding: &Binding) {
        let BindingPattern::ObjectPattern(object) = pattern else {
            return self.bind(pattern, binding);
        };
        for property in &object.properties {
            let mut of_property = binding.clone();
            if let Some(key) = property.key.static_name() {
                if let Some((_, name)) = &mut of_property.import {
                    *name = if name == "*" { key.to_string() } else { format!("{name}.{key}") };
                }
                if let Some(Origin::Name(_, reading) | Origin::Import(_, reading)) = &mut of_property.made {
                    let dot = if reading.member.is_empty() { "" } else { "." };
                    reading.member = format!("{}{dot}{key}", reading.member);
                }
            }
            self.bind(&property.value, &of_property);
        }
        if let Some(rest) = &object.rest {
            self.bind(&rest.argument, binding);
        }
    }

    fn registration(&mut self, call: &CallExpression<'a>) {
        let member = match &call.callee {
            Expression::StaticMemberExpression(member) => member,
            _ => return self.bare_registration(call),
        };
        let verb = member.property.name.as_str();
        if !VERBS.contains(&verb) || call.arguments.is_empty() {
            return;
        }
        let receiver = self.chained(&member.object);
        let receiver_name = self.local_name(&member.object);
        self.register(call, receiver, receiver_name, verb);
    }

    /// `createServer(handler)` by its bare name.
    fn bare_registration(&mut self, call: &CallExpression<'a>) {
        if let Expression::Identifier(name) = &call.callee
            && (name.name.ends_with("createServer") || name.name == "serve")
        {
            let receiver = self.origin(&call.callee);
            self.register(call, receiver, None, name.name.as_str());
        }
    }

    fn register(&mut self, call: &CallExpression<'a>, receiver: Origin, receiver_name: Option<String>, verb: &str) {
        let mut path = None;
        let mut handlers = Vec::new();
        for argument in call.arguments.iter().filter_map(Argument::as_expression) {
            match argument.get_inner_expression() {
                Expression::ArrayExpression(list) => {
                    for item in list.elements.iter().filter_map(ArrayExpressionElement::as_expression) {
                        match literal(item) {
                            // Of several paths, the first names the route.
                            Some(text) if path.is_none() && handlers.is_empty() => path = Some(text),
                            Some(_) => {}
                            None => handlers.push(self.origin(item)),
                        }
                    }
                }
                Expression::ObjectExpression(options) => self.options(options, &mut path, &mut handlers),
                Expression::RegExpLiteral(it) if path.is_none() && handlers.is_empty() => {
                    path = it.raw.as_ref().map(ToString::to_string);
                }
                other => match literal(other) {
                    Some(text) if path.is_none() && handlers.is_empty() => path = Some(text),
                    Some(_) => {}
                    None if is_value(other) => {}
                    None => handlers.push(self.origin(other)),
                },
            }
        }
        let (node, line) = (self.here(), self.lines.line(call.span.end.saturating_sub(1).min(call.callee.span().end)));
        let verb = verb.to_owned();
        self.registrations.push(RawRegistration { node, line, receiver, receiver_name, verb, path, handlers });
    }

    /// `route({ method, url, handler })`
    fn options(&mut self, options: &ObjectExpression<'a>, path: &mut Option<String>, handlers: &mut Vec<Origin>) {
        for property in options.properties.iter().filter_map(|kind| kind.as_property()) {
            match property.key.static_name().as_deref() {
                Some("url" | "path") => *path = literal(&property.value).or(path.take()),
                Some("handler" | "preHandler" | "onRequest") => {
                    let origin = self.origin(&property.value);
                    handlers.push(origin);
                }
                _ => {}
            }
        }
    }

    /// `module.exports = …` and `exports.name = …`
    fn common_export(&mut self, it: &AssignmentExpression<'a>) -> Option<String> {
        let AssignmentTarget::StaticMemberExpression(member) = &it.left else { return None };
        let key = member.property.name.as_str();
        let name = match &member.object {
            Expression::Identifier(object) if object.name == "module" && key == "exports" => "default",
            Expression::Identifier(object) if object.name == "exports" => key,
            Expression::StaticMemberExpression(inner) => match &inner.object {
                Expression::Identifier(object) if object.name == "module" && inner.property.name == "exports" => key,
                _ => return None,
            },
            _ => return None,
        };
        if let Some((import, reading)) = self.requested(&it.right) {
            self.export(name, Origin::Import(import, reading));
        } else if let (Expression::ObjectExpression(object), "default") = (&it.right, name) {
            for property in object.properties.iter().filter_map(|kind| kind.as_property()) {
                if let Some(key) = property.key.static_name() {
                    let origin = self.origin(&property.value);
                    self.export(&key, origin);
                }
            }
        } else {
            let origin = self.origin(&it.right);
            self.export(name, origin);
        }
        Some(name.to_owned())
    }

    /// `Parser.prototype.parse = function …`, `app.handle = function …`: who has the one reaches the other.
    fn attached(&mut self, it: &AssignmentExpression<'a>) {
        let right = it.right.get_inner_expression();
        if !matches!(right, Expression::FunctionExpression(_) | Expression::ArrowFunctionExpression(_)) {
            return;
        }
        let mut at = match it.left.as_member_expression() {
            Some(member) => member.object(),
            None => return,
        };
        for _ in 0..4 {
            match at {
                Expression::Identifier(name) => {
                    if let Some(symbol) = self.symbol(name) {
                        self.attachments.push((symbol, right.span().start));
                    }
                    return;
                }
                Expression::StaticMemberExpression(member) => at = &member.object,
                _ => return,
            }
        }
    }

    /// `@Controller("path")` over a class.
    fn controller(&mut self, it: &Class<'a>) {
        for decorator in &it.decorators {
            let Expression::CallExpression(call) = &decorator.expression else { continue };
            let Expression::Identifier(name) = &call.callee else { continue };
            if name.name != "Controller" {
                continue;
            }
            let receiver = self.origin(&call.callee);
            let path = call.arguments.first().and_then(Argument::as_expression).and_then(literal);
            let (node, line) = (self.here(), self.lines.line(it.span.start));
            let handlers = vec![Origin::At(it.span.start)];
            let (verb, receiver_name) = ("@Controller".to_owned(), None);
            self.registrations.push(RawRegistration { node, line, receiver, receiver_name, verb, path, handlers });
        }
    }

    /// `@Get("path")` over a method of a class that a `@Controller` stands over.
    fn decorated(&mut self, it: &MethodDefinition<'a>) {
        for decorator in &it.decorators {
            let Expression::CallExpression(call) = &decorator.expression else { continue };
            let Expression::Identifier(name) = &call.callee else { continue };
            if !matches!(name.name.as_str(), "Get" | "Post" | "Put" | "Delete" | "Patch" | "All" | "Head" | "Options") {
                continue;
            }
            let receiver = self.origin(&call.callee);
            let path = call.arguments.first().and_then(Argument::as_expression).and_then(literal);
            let (node, line) = (self.here(), self.lines.line(it.span.start));
            let handlers = vec![Origin::At(it.value.span.start)];
            let verb = format!("@{}", name.name);
            let receiver_name = None;
            self.registrations.push(RawRegistration { node, line, receiver, receiver_name, verb, path, handlers });
        }
    }
}

fn is_value(expression: &Expression<'_>) -> bool {
    matches!(
        expression,
        Expression::NumericLiteral(_)
            | Expression::BooleanLiteral(_)
            | Expression::NullLiteral(_)
            | Expression::RegExpLiteral(_)
            | Expression::TemplateLiteral(_)
    )
}

/// A string that stands in the text.
fn literal(expression: &Expression<'_>) -> Option<String> {
    match expression.get_inner_expression() {
        Expression::StringLiteral(literal) => Some(literal.value.to_string()),
        Expression::TemplateLiteral(template) if template.expressions.is_empty() => {
            template.quasis.first()?.value.cooked.map(|text| text.to_string())
        }
        _ => None,
    }
}

impl<'a> Visit<'a> for Collector<'a, '_> {
    fn visit_function(&mut self, it: &Function<'a>, flags: ScopeFlags) {
        // An overload or a declaration for types only.
        if it.body.is_none() {
            return;
        }
        let node = self.function_node(it, flags);
        if let Some(symbol) = it.id.as_ref().and_then(|id| id.symbol_id.get()) {
            self.names.bindings.entry(symbol).or_default().node = Some(node);
        }
    }

    fn visit_arrow_function_expression(&mut self, it: &ArrowFunctionExpression<'a>) {
        let name = self.pending.take().unwrap_or_default();
        let new = NewNode {
            name,
            kind: NodeKind::Function,
            span: it.span,
            is_async: it.r#async,
            params: Some(&it.params),
            returns: it.return_type.as_deref(),
        };
        let declared = self.declaring;
        self.inside(&new, declared, |this| walk::walk_arrow_function_expression(this, it));
    }

    fn visit_class(&mut self, it: &Class<'a>) {
        let pending = self.pending.take();
        let name = it.id.as_ref().map(|id| id.name.to_string()).or(pending).unwrap_or_default();
        let new = NewNode { name, kind: NodeKind::Class, span: it.span, is_async: false, params: None, returns: None };
        let declared = it.is_declaration() || self.declaring;
        let node = self.inside(&new, declared, |this| walk::walk_class(this, it));
        self.controller(it);
        if let Some(symbol) = it.id.as_ref().and_then(|id| id.symbol_id.get()) {
            self.names.bindings.entry(symbol).or_default().node = Some(node);
        }
    }

    fn visit_method_definition(&mut self, it: &MethodDefinition<'a>) {
        self.decorated(it);
        self.pending = it.key.static_name().map(|name| name.to_string());
        walk::walk_method_definition(self, it);
        self.pending = None;
    }

    fn visit_property_definition(&mut self, it: &PropertyDefinition<'a>) {
        self.pending = it.key.static_name().map(|name| name.to_string());
        walk::walk_property_definition(self, it);
        self.pending = None;
    }

    fn visit_object_property(&mut self, it: &ObjectProperty<'a>) {
        self.pending = it.key.static_name().map(|name| name.to_string());
        walk::walk_object_property(self, it);
        self.pending = None;
    }

    fn visit_variable_declarator(&mut self, it: &VariableDeclarator<'a>) {
        let Some(init) = &it.init else {
            return walk::walk_variable_declarator(self, it);
        };
        let inner = init.get_inner_expression();
        let name = it.id.get_binding_identifier().map(|name| name.name.to_string());
        let is_function = matches!(
            inner,
            Expression::FunctionExpression(_) | Expression::ArrowFunctionExpression(_) | Expression::ClassExpression(_)
        );
        if is_function {
            self.pending = name;
            self.declaring = true;
            self.visit_expression(init);
            let node = self.names.starts.get(&inner.span().start).copied();
            self.declare(&it.id, &Binding { node, ..Binding::default() });
            return;
        }
        let mut binding = self.binding_of(init);
        if !self.at_module_level() || binding.import.is_some() {
            self.declare(&it.id, &binding);
            self.visit_binding_pattern(&it.id);
            self.visit_expression(init);
            return;
        }
        let name = name.unwrap_or_else(|| super::text(self.source, it.id.span(), 40));
        let new = NewNode { name, kind: NodeKind::Value, span: it.span, is_async: false, params: None, returns: None };
        self.inside(&new, false, |this| {
            binding.node = Some(this.here());
            this.declare(&it.id, &binding);
            this.visit_binding_pattern(&it.id);
            this.visit_expression(init);
        });
    }

    fn visit_assignment_expression(&mut self, it: &AssignmentExpression<'a>) {
        let exported = self.common_export(it);
        self.attached(it);
        let member = it.left.as_member_expression().and_then(|member| member.static_property_name());
        self.pending = exported.filter(|name| name != "default").or(member.map(str::to_owned));
        if !it.operator.is_assign() {
            self.count_operator(it.operator.is_bitwise());
        }
        walk::walk_assignment_expression(self, it);
        self.pending = None;
    }

    fn visit_call_expression(&mut self, it: &CallExpression<'a>) {
        if is_require(it) {
            self.require(it);
        }
        self.registration(it);
        if let Expression::StaticMemberExpression(member) = &it.callee
            && STRING_METHODS.contains(&member.property.name.as_str())
        {
            self.count(|signals| signals.strings = signals.strings.saturating_add(1));
        }
        self.count(|signals| signals.calls = signals.calls.saturating_add(1));
        self.pending = None;
        walk::walk_call_expression(self, it);
    }

    fn visit_import_expression(&mut self, it: &ImportExpression<'a>) {
        match literal(&it.source) {
            Some(specifier) => {
                let import = self.request(&specifier, ImportKind::Dynamic, it.span.start);
                self.request_used(import, it.node_id.get(), it.span);
            }
            None => self.hazard(it.span.start, Hazard::ComputedImport),
        }
        walk::walk_import_expression(self, it);
    }

    fn visit_identifier_reference(&mut self, it: &IdentifierReference<'a>) {
        self.name(it);
    }

    fn visit_import_declaration(&mut self, it: &ImportDeclaration<'a>) {
        self.import_declaration(it);
    }

    fn visit_export_declaration(&mut self, it: &ExportDeclaration<'a>) {
        walk::walk_export_declaration(self, it);
        self.exported_declaration(&it.declaration);
    }

    fn visit_export_named_declaration(&mut self, it: &ExportNamedDeclaration<'a>) {
        self.exported_names(it);
    }

    fn visit_export_from_declaration(&mut self, it: &ExportFromDeclaration<'a>) {
        self.exported_from(it);
    }

    fn visit_export_all_declaration(&mut self, it: &ExportAllDeclaration<'a>) {
        self.exported_all(it);
    }

    fn visit_export_default_declaration(&mut self, it: &ExportDefaultDeclaration<'a>) {
        self.pending = Some("default".to_owned());
        walk::walk_export_default_declaration(self, it);
        self.pending = None;
        let origin = match &it.declaration {
            ExportDefaultDeclarationKind::FunctionDeclaration(function) => Origin::At(function.span.start),
            ExportDefaultDeclarationKind::ClassDeclaration(class) => Origin::At(class.span.start),
            ExportDefaultDeclarationKind::TSInterfaceDeclaration(_) => return,
            other => match other.as_expression() {
                Some(expression) => self.origin(expression),
                None => return,
            },
        };
        self.export("default", origin);
    }

    fn visit_for_statement(&mut self, it: &ForStatement<'a>) {
        self.looped(|this| walk::walk_for_statement(this, it));
    }

    fn visit_for_in_statement(&mut self, it: &ForInStatement<'a>) {
        self.looped(|this| walk::walk_for_in_statement(this, it));
    }

    fn visit_for_of_statement(&mut self, it: &ForOfStatement<'a>) {
        self.looped(|this| walk::walk_for_of_statement(this, it));
    }

    fn visit_while_statement(&mut self, it: &WhileStatement<'a>) {
        self.looped(|this| walk::walk_while_statement(this, it));
    }

    fn visit_do_while_statement(&mut self, it: &DoWhileStatement<'a>) {
        self.looped(|this| walk::walk_do_while_statement(this, it));
    }

    fn visit_try_statement(&mut self, it: &TryStatement<'a>) {
        self.tries += 1;
        self.visit_block_statement(&it.block);
        self.tries = self.tries.saturating_sub(1);
        if let Some(handler) = &it.handler {
            self.visit_catch_clause(handler);
        }
        if let Some(finalizer) = &it.finalizer {
            self.visit_block_statement(finalizer);
        }
    }

    fn visit_with_statement(&mut self, it: &WithStatement<'a>) {
        self.hazard(it.span.start, Hazard::With);
        walk::walk_with_statement(self, it);
    }

    fn visit_binary_expression(&mut self, it: &BinaryExpression<'a>) {
        if it.operator.is_bitwise() || it.operator.is_arithmetic() {
            self.count_operator(it.operator.is_bitwise());
        }
        walk::walk_binary_expression(self, it);
    }

    fn visit_update_expression(&mut self, it: &UpdateExpression<'a>) {
        self.count_operator(false);
        walk::walk_update_expression(self, it);
    }

    fn visit_reg_exp_literal(&mut self, _it: &RegExpLiteral<'a>) {
        self.count(|signals| signals.regex = signals.regex.saturating_add(1));
    }

    fn visit_await_expression(&mut self, it: &AwaitExpression<'a>) {
        self.count(|signals| signals.awaits = signals.awaits.saturating_add(1));
        walk::walk_await_expression(self, it);
    }

    // Types cost nothing and reach nothing.
    fn visit_ts_type(&mut self, _it: &TSType<'a>) {}
    fn visit_ts_type_annotation(&mut self, _it: &TSTypeAnnotation<'a>) {}
    fn visit_ts_type_parameter_declaration(&mut self, _it: &TSTypeParameterDeclaration<'a>) {}
    fn visit_ts_type_parameter_instantiation(&mut self, _it: &TSTypeParameterInstantiation<'a>) {}
    fn visit_ts_interface_declaration(&mut self, _it: &TSInterfaceDeclaration<'a>) {}
    fn visit_ts_type_alias_declaration(&mut self, _it: &TSTypeAliasDeclaration<'a>) {}
}
