//! The walk over what joins modules: imports, exports, `require`; and the small counters of the walk.

use super::collect::Collector;
use super::names::{Binding, Origin, Reading};
use crate::facts::{Hazard, ImportKind, Imported, Signals, Used};
use oxc::ast::ast::{
    Argument, CallExpression, Declaration, ExportAllDeclaration, ExportFromDeclaration, ExportNamedDeclaration,
    Expression, ImportDeclaration, ImportDeclarationSpecifier, ModuleExportName,
};
use oxc::span::GetSpan as _;

impl<'a> Collector<'a, '_> {
    pub(super) fn count(&mut self, count: impl FnOnce(&mut Signals)) {
        if let Some(signals) = self.signals() {
            count(signals);
        }
    }

    pub(super) fn count_operator(&mut self, bitwise: bool) {
        self.count(|signals| {
            let counter = if bitwise { &mut signals.bitwise } else { &mut signals.arithmetic };
            *counter = counter.saturating_add(1);
        });
    }

    /// A `require` call: a request, or a hazard when what it asks for is computed.
    pub(super) fn require(&mut self, call: &CallExpression<'a>) {
        let Expression::Identifier(name) = &call.callee else { return };
        if let Some(symbol) = self.symbol(name) {
            // A parameter named so belongs to a bundle; `createRequire` gives Node's.
            if !self.names.bindings.contains_key(&symbol) {
                return;
            }
        }
        match call.arguments.first().and_then(Argument::as_expression) {
            Some(Expression::StringLiteral(specifier)) => {
                let import = self.request(&specifier.value, ImportKind::Require, call.span.start);
                self.request_used(import, call.node_id.get(), call.span);
            }
            Some(Expression::TemplateLiteral(template)) if template.expressions.is_empty() => {
                let specifier = template.quasis.first().and_then(|quasi| quasi.value.cooked);
                let specifier = specifier.map(|text| text.to_string()).unwrap_or_default();
                let import = self.request(&specifier, ImportKind::Require, call.span.start);
                self.request_used(import, call.node_id.get(), call.span);
            }
            Some(_) => self.hazard(call.span.start, Hazard::ComputedRequire),
            None => {}
        }
    }

    pub(super) fn import_declaration(&mut self, it: &ImportDeclaration<'a>) {
        if it.import_kind.is_type() {
            return;
        }
        let specifiers: Vec<_> = it
            .specifiers
            .iter()
            .flatten()
            .filter(|specifier| match specifier {
                ImportDeclarationSpecifier::ImportSpecifier(named) => !named.import_kind.is_type(),
                _ => true,
            })
            .collect();
        let typescript = self.semantic.source_type().is_typescript();
        let valued = |specifier: &&ImportDeclarationSpecifier<'a>| {
            let symbol = specifier.local().symbol_id.get();
            symbol.is_some_and(|symbol| {
                self.semantic.scoping().get_resolved_references(symbol).any(|reference| !reference.is_type())
            })
        };
        // TypeScript leaves out an import of which no value is used.
        if typescript && it.specifiers.is_some() && !specifiers.iter().any(valued) {
            return;
        }
        let import = self.request(&it.source.value, ImportKind::Static, it.span.start);
        let evaluated = Imported { import, name: String::new(), member: String::new(), called: false };
        self.uses(it.span.start, Used::Import(evaluated));
        for specifier in specifiers {
            let name = match specifier {
                ImportDeclarationSpecifier::ImportSpecifier(named) => named.imported.name().to_string(),
                ImportDeclarationSpecifier::ImportDefaultSpecifier(_) => "default".to_owned(),
                ImportDeclarationSpecifier::ImportNamespaceSpecifier(_) => "*".to_owned(),
            };
            if let Some(symbol) = specifier.local().symbol_id.get() {
                let binding = Binding { import: Some((import, name)), ..Binding::default() };
                self.names.bindings.insert(symbol, binding);
            }
        }
    }

    /// `export const a = …`, `export function b…`
    pub(super) fn exported_declaration(&mut self, declaration: &Declaration<'a>) {
        match declaration {
            Declaration::VariableDeclaration(variables) => {
                for declarator in &variables.declarations {
                    for name in declarator.id.get_binding_identifiers() {
                        if let Some(symbol) = name.symbol_id.get() {
                            self.export(&name.name, Origin::Name(symbol, Reading::default()));
                        }
                    }
                }
            }
            Declaration::FunctionDeclaration(function) => {
                if let Some(id) = &function.id {
                    self.export(&id.name, Origin::At(function.span.start));
                }
            }
            Declaration::ClassDeclaration(class) => {
                if let Some(id) = &class.id {
                    self.export(&id.name, Origin::At(class.span.start));
                }
            }
            _ => {}
        }
    }

    /// `export { a, b as c }`
    pub(super) fn exported_names(&mut self, it: &ExportNamedDeclaration<'a>) {
        if it.export_kind.is_type() {
            return;
        }
        for specifier in it.specifiers.iter().filter(|specifier| !specifier.export_kind.is_type()) {
            if let ModuleExportName::IdentifierReference(local) = &specifier.local
                && let Some(symbol) = self.symbol(local)
            {
                self.export(&specifier.exported.name(), Origin::Name(symbol, Reading::default()));
            }
        }
    }

    /// `export { a as b } from "x"`
    pub(super) fn exported_from(&mut self, it: &ExportFromDeclaration<'a>) {
        if it.export_kind.is_type() {
            return;
        }
        let import = self.request(&it.source.value, ImportKind::Static, it.span.start);
        let evaluated = Imported { import, name: String::new(), member: String::new(), called: false };
        self.uses(it.span.start, Used::Import(evaluated));
        for specifier in it.specifiers.iter().filter(|specifier| !specifier.export_kind.is_type()) {
            let reading = Reading { member: specifier.local.name().to_string(), called: false };
            self.export(&specifier.exported.name(), Origin::Import(import, reading));
        }
    }

    /// `export * from "x"`, `export * as y from "x"`
    pub(super) fn exported_all(&mut self, it: &ExportAllDeclaration<'a>) {
        if it.export_kind.is_type() {
            return;
        }
        let import = self.request(&it.source.value, ImportKind::Static, it.source.span().start);
        let evaluated = Imported { import, name: String::new(), member: String::new(), called: false };
        self.uses(it.span.start, Used::Import(evaluated));
        let name = it.exported.as_ref().map_or("*".to_owned(), |name| name.name().to_string());
        self.export(&name, Origin::Import(import, Reading::default()));
    }
}
