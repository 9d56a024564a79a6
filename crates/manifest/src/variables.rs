//! `{{ NAME }}` and `{{ NAME | default }}` in any string value of a manifest. Values come from a function the
//! caller passes in, never from the environment of the process. What a variable holds is taken as it is: braces in
//! it mean nothing. `{{{{` stands for a literal `{{`; `}}` needs no escape. Keys are left alone.

use crate::value::{Node, Value};
use crate::{Diagnostic, Diagnostics, Source, Span, codes};
use std::collections::HashSet;

/// Replaces the variables in each string below `node`. Gives the places of the strings that keep a variable without value.
pub(crate) fn substitute(
    node: &mut Node,
    source: &Source,
    lookup: &dyn Fn(&str) -> Option<String>,
    diags: &mut Diagnostics,
) -> HashSet<Span> {
    let mut unfilled = HashSet::new();
    visit(node, &mut |span, text| {
        let mut scan = Scan { source, span, lookup, diags };
        match scan.fill(text) {
            Some(filled) => *text = filled,
            None => {
                unfilled.insert(span);
            }
        }
    });
    unfilled
}

/// Calls `fill` for each string with a variable.
fn visit(node: &mut Node, fill: &mut dyn FnMut(Span, &mut String)) {
    match &mut node.value {
        Value::String(text) if text.contains("{{") => fill(node.span, text),
        Value::Array(items) => items.iter_mut().for_each(|item| visit(item, fill)),
        Value::Table(table) => table.entries.iter_mut().for_each(|entry| visit(&mut entry.node, fill)),
        Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}

struct Scan<'a> {
    source: &'a Source,
    span: Span,
    lookup: &'a dyn Fn(&str) -> Option<String>,
    diags: &'a mut Diagnostics,
}

impl Scan<'_> {
    /// The text with its variables replaced; `None` when one of them can't be.
    fn fill(&mut self, text: &str) -> Option<String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        let mut good = true;
        while let Some((before, after)) = rest.split_once("{{") {
            filled.push_str(before);
            if let Some(after) = after.strip_prefix("{{") {
                filled.push_str("{{");
                rest = after;
                continue;
            }
            let Some((inside, after)) = after.split_once("}}") else {
                let unclosed =
                    Diagnostic::error(codes::VARIABLE, "`{{` begins a variable that isn't closed").at(self.place("{{"));
                self.diags.push(unclosed.help("close it as `{{ NAME }}`, or write `{{{{` for a literal `{{`"));
                return None;
            };
            match self.variable(inside) {
                Some(value) => filled.push_str(&value),
                None => good = false,
            }
            rest = after;
        }
        filled.push_str(rest);
        good.then_some(filled)
    }

    fn variable(&mut self, inside: &str) -> Option<String> {
        let (name, default) = match inside.split_once('|') {
            Some((name, default)) => (name.trim(), Some(default.trim())),
            None => (inside.trim(), None),
        };
        let span = self.place(&format!("{{{{{inside}}}}}"));
        let first_good = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
        if !first_good || !name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
            let message = match name {
                "" => "`{{ }}` names no variable".to_owned(),
                _ => format!("`{name}` is no name of a variable"),
            };
            let help = "a name has letters, digits and `_`, as in `{{ REDIS_URL }}`; write `{{{{` for a literal `{{`";
            self.diags.push(Diagnostic::error(codes::VARIABLE, message).at(span).help(help));
            return None;
        }
        let value = (self.lookup)(name).or_else(|| default.map(str::to_owned));
        if value.is_none() {
            let help = format!(
                "set it before you start, as in `{name}=… coracle up`, or give a default: `{{{{ {name} | default }}}}`"
            );
            let unset = Diagnostic::error(codes::VARIABLE, format!("the variable `{name}` is not set"));
            self.diags.push(unset.at(span).label("needed here").help(help));
        }
        value
    }

    /// Where `part` stands within the string; the whole string when escapes hide it.
    fn place(&self, part: &str) -> Span {
        let written = self.source.text.get(self.span.start..self.span.end).unwrap_or_default();
        match written.find(part) {
            Some(at) => Span::new(self.span.start + at, self.span.start + at + part.len()),
            None => self.span,
        }
    }
}
