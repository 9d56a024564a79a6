//! `[env.NAME]`: a variant laid over the manifest. Tables merge key by key; everything else, lists of routes
//! included, is replaced whole. Spans stay those of the text each part came from.

use crate::diagnostic::nearest;
use crate::value::{Entry, Table, Value};
use crate::{Diagnostic, Diagnostics, codes};
use std::collections::HashMap;

/// Takes the table of variants out of a manifest.
pub(crate) fn take(root: &mut Table, diags: &mut Diagnostics) -> Table {
    let Some(at) = root.entries.iter().position(|entry| entry.key == "env") else {
        return Table::default();
    };
    let node = root.entries.remove(at).node;
    let Some(variants) = node.table(diags, "`env`") else {
        return Table::default();
    };
    let mut good = Table::default();
    for entry in &variants.entries {
        match &entry.node.value {
            Value::Table(_) => good.entries.push(entry.clone()),
            _ => {
                let found = entry.node.value.type_name();
                let message = format!("the variant `env.{}` must be a table, not {found}", entry.key);
                let help = format!(
                    "`[env.NAME]` changes the manifest for one environment; a guest's variables are `[component.NAME.env] {} = …`",
                    entry.key
                );
                diags.push(Diagnostic::error(codes::WRONG_TYPE, message).at(entry.key_span).help(help));
            }
        }
    }
    good
}

/// Notes that the variant `name` doesn't exist, with those that do.
pub(crate) fn unknown(name: &str, variants: &Table, diags: &mut Diagnostics) {
    let names: Vec<_> = variants.entries.iter().map(|entry| entry.key.as_str()).collect();
    let list: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    let help = match (nearest(name, &names), list.as_slice()) {
        (_, []) => format!("this manifest has no variants; add one as [env.{name}]"),
        (Some(near), _) => format!("did you mean `{near}`? It has {}", list.join(", ")),
        (None, _) => format!("it has {}", list.join(", ")),
    };
    let message = format!("the manifest has no variant `{name}`");
    diags.push(Diagnostic::error(codes::UNKNOWN_NAME, message).help(help));
}

/// Lays `over` over `base`.
pub(crate) fn merge(base: &mut Table, over: &Table) {
    let places: HashMap<_, _> = base.entries.iter().enumerate().map(|(at, entry)| (entry.key.clone(), at)).collect();
    for entry in &over.entries {
        match places.get(&entry.key).and_then(|at| base.entries.get_mut(*at)) {
            Some(old) => merge_entry(old, entry),
            None => base.entries.push(entry.clone()),
        }
    }
}

fn merge_entry(old: &mut Entry, new: &Entry) {
    match (&mut old.node.value, &new.node.value) {
        (Value::Table(old), Value::Table(new)) => merge(old, new),
        _ => *old = new.clone(),
    }
}
