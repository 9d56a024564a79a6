//! `check`: the whole way from a text to an `App`, with everything that is wrong on the way.
//! Each step notes what it finds and goes on; an `App` comes out only when there is no error.

use crate::value::{Node, Table, Value};
use crate::{App, CheckOptions, Diagnostic, Diagnostics, Source, Span, codes, parse, read, variables, variant};
use std::sync::Arc;

/// How many variants that aren't chosen are checked along.
const MAX_VARIANTS: usize = 16;

/// Checks a manifest. The app is there exactly when the diagnostics hold no error.
///
/// Variants that aren't chosen are checked too, as far as that needs no variables.
pub fn check(source: Arc<Source>, options: &CheckOptions<'_>) -> (Option<App>, Diagnostics) {
    check_with(source, options, &mut |_, _| {})
}

/// Checks a manifest together with those who know more of it, such as plugins: `look` is shown the app as far as it could
/// be read, also when there are errors, so that one report holds everything that is wrong.
pub fn check_with(
    source: Arc<Source>,
    options: &CheckOptions<'_>,
    look: &mut dyn FnMut(&App, &mut Diagnostics),
) -> (Option<App>, Diagnostics) {
    let mut diags = Diagnostics::new();
    let mut document = parse::document(&source, &mut diags);
    let broken = !diags.is_empty();
    let Value::Table(base) = &mut document.root.value else { return (None, diags) };
    let variants = variant::take(base, &mut diags);
    let mut chosen = base.clone();
    if let Some(name) = options.env {
        match variants.get(name).map(|node| &node.value) {
            Some(Value::Table(over)) => variant::merge(&mut chosen, over),
            _ => variant::unknown(name, &variants, &mut diags),
        }
    }
    let mut found = Diagnostics::new();
    let app = read_variant(&source, chosen, options, &mut found, look);
    if broken {
        if !document.lost {
            keep_certain(&found, &source, &mut diags);
        }
        return (None, diags);
    }
    diags.append(found);
    check_others(&source, base, &variants, options, &mut diags);
    let app = if diags.has_errors() { None } else { app };
    (app, diags)
}

/// What a value says that a variable without value stands in isn't judged.
fn read_variant(
    source: &Arc<Source>,
    table: Table,
    options: &CheckOptions<'_>,
    diags: &mut Diagnostics,
    look: &mut dyn FnMut(&App, &mut Diagnostics),
) -> Option<App> {
    let mut root = Node::new(Span::new(0, 0), Value::Table(table));
    let unfilled = variables::substitute(&mut root, source, options.variables, diags);
    let Value::Table(table) = &root.value else { return None };
    let mut found = Diagnostics::new();
    let app = read::app(table, source, options, &mut found);
    look(&app, &mut found);
    for item in found.iter().filter(|item| !item.span.is_some_and(|span| unfilled.contains(&span))) {
        diags.push(item.clone());
    }
    Some(app)
}

/// After syntax errors: keeps what is wrong for certain, which is what other lines say themselves. What seems to be
/// missing may stand in the part that couldn't be read.
fn keep_certain(found: &Diagnostics, source: &Source, diags: &mut Diagnostics) {
    let lines = source.lines();
    let line = |span: Span| lines.position(span.start).line;
    let broken: Vec<_> = diags.iter().filter_map(|item| item.span).map(line).collect();
    let certain = [codes::UNKNOWN_KEY, codes::WRONG_TYPE, codes::INVALID_VALUE];
    for item in found.iter() {
        let Some(span) = item.span else { continue };
        if certain.contains(&item.code) && !broken.contains(&line(span)) {
            diags.push(item.clone());
        }
    }
}

/// Checks the manifest under each variant that isn't chosen. What depends on the value of a variable isn't judged.
fn check_others(
    source: &Arc<Source>,
    base: &Table,
    variants: &Table,
    options: &CheckOptions<'_>,
    diags: &mut Diagnostics,
) {
    let unset = |_: &str| None;
    let lenient = CheckOptions { variables: &unset, ..*options };
    let judged = [
        codes::UNKNOWN_KEY,
        codes::MISSING_KEY,
        codes::WRONG_TYPE,
        codes::INVALID_VALUE,
        codes::UNKNOWN_NAME,
        codes::ROUTE_CONFLICT,
    ];
    for entry in variants.entries.iter().filter(|entry| options.env != Some(&entry.key)).take(MAX_VARIANTS) {
        let Value::Table(over) = &entry.node.value else {
            continue;
        };
        let mut table = base.clone();
        variant::merge(&mut table, over);
        let mut found = Diagnostics::new();
        read_variant(source, table, &lenient, &mut found, &mut |_, _| {});
        for item in found.iter().filter(|item| judged.contains(&item.code)) {
            if !already(diags, item) {
                let label = if item.label.is_empty() { String::new() } else { format!("{} ", item.label) };
                diags.push(Diagnostic { label: format!("{label}(in the variant `{}`)", entry.key), ..item.clone() });
            }
        }
    }
}

fn already(diags: &Diagnostics, item: &Diagnostic) -> bool {
    diags.iter().any(|old| old.code == item.code && old.span == item.span && old.message == item.message)
}
