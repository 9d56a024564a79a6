//! TOML text to a spanned `Node`, with every syntax error the parser can recover from.
//! With `syntax.rs`, which words the errors, the only place that names the `toml` crate. It never looks at what the
//! keys mean.

use crate::syntax::{self, MAX_DEPTH, too_deep};
use crate::value::{Entry, Node, Table, Value};
use crate::{Diagnostic, Diagnostics, Source, Span, codes};
use std::borrow::Cow;
use toml::de::{DeTable, DeValue};

/// How many lines with syntax errors are shown: after some, they only repeat that the text is something else.
const MAX_SYNTAX_ERRORS: usize = 20;

/// A manifest as far as it could be read.
pub(crate) struct Document {
    /// Always a table.
    pub root: Node,
    /// True when a header couldn't be read or the parser lost its way, so that keys may stand in the wrong table.
    pub lost: bool,
}

/// Parses a whole manifest.
///
/// Where the parser finds an error, that line is blanked out and the rest is parsed again: it reports one error a line, and as
/// many lines as are wrong. An array or table that isn't closed ends that, for what follows is inside it.
pub(crate) fn document(source: &Source, diags: &mut Diagnostics) -> Document {
    let whole = Span::new(0, source.text.len());
    let empty = Document { root: Node::new(whole, Value::Table(Table::default())), lost: true };
    if let Some(damage) = source.damage() {
        diags.push(damage.clone());
        return empty;
    }
    if let Some(at) = source.text.find('\0') {
        let nul = Diagnostic::error(codes::FILE, "the manifest contains a NUL byte").at(Span::new(at, at + 1));
        diags.push(nul.help("it seems to be a binary file; a manifest is plain text"));
        return empty;
    }
    let mut lost = false;
    let mut text = Cow::Borrowed(source.text.as_str());
    for _ in 0..MAX_SYNTAX_ERRORS {
        let (document, errors) = DeTable::parse_recoverable(&text);
        let root = match table(document.get_ref(), 0, MAX_DEPTH) {
            Ok(table) => Node::new(whole, Value::Table(table)),
            Err(span) => {
                diags.push(too_deep().at(span).label("this is nested too deeply"));
                return empty;
            }
        };
        let Some(found) = syntax::first(&text, &root, &errors) else { return Document { root, lost } };
        let line = found.diagnostic.span.filter(|_| !found.ends_parsing).map(|span| line_of(&text, span.start));
        diags.push(found.diagnostic);
        let Some(line) = line else { return Document { root, lost: true } };
        let written = text.get(line.clone()).unwrap_or_default();
        lost |= written.trim_start().starts_with('[');
        let blank = " ".repeat(written.len());
        text.to_mut().replace_range(line, &blank);
    }
    empty
}

/// The range of the line at `at`, without its end.
fn line_of(text: &str, at: usize) -> std::ops::Range<usize> {
    let start = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |found| found + 1);
    let end = text.get(at..).and_then(|after| after.find(['\n', '\r'])).map_or(text.len(), |found| at + found);
    start..end
}

/// Parses one TOML value that begins at byte `offset` of the text diagnostics point into.
pub(crate) fn value(text: &str, offset: usize, diags: &mut Diagnostics) -> Option<Node> {
    let (parsed, errors) = DeValue::parse_recoverable(text);
    let whole = Node::new(Span::default(), Value::Table(Table::default()));
    if let Some(mut found) = syntax::first(text, &whole, &errors) {
        found.diagnostic.span = found.diagnostic.span.map(|span| Span::new(span.start + offset, span.end + offset));
        diags.push(found.diagnostic);
        return None;
    }
    let span = Span::new(parsed.span().start + offset, parsed.span().end + offset);
    match convert(parsed.get_ref(), span, offset, MAX_DEPTH) {
        Ok(value) => Some(Node::new(span, value)),
        Err(span) => {
            diags.push(too_deep().at(span));
            None
        }
    }
}

/// The entries in the order of the text. `Err` is the place of what is nested too deeply.
fn table(parsed: &DeTable<'_>, offset: usize, depth: usize) -> Result<Table, Span> {
    let mut entries = Vec::with_capacity(parsed.len());
    for (key, value) in parsed.iter() {
        let span = shifted(value.span(), offset);
        entries.push(Entry {
            key: key.get_ref().to_string(),
            key_span: shifted(key.span(), offset),
            node: Node::new(span, convert(value.get_ref(), span, offset, depth)?),
        });
    }
    entries.sort_by_key(|entry| entry.key_span);
    Ok(Table { entries })
}

fn convert(parsed: &DeValue<'_>, span: Span, offset: usize, depth: usize) -> Result<Value, Span> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(span);
    };
    Ok(match parsed {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number),
            // Larger than any limit means; as a float it is refused where an integer is asked for.
            Err(_) => Value::Float(number.as_str().parse().unwrap_or(f64::INFINITY)),
        },
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(truth) => Value::Boolean(*truth),
        DeValue::Datetime(datetime) => Value::Datetime(datetime.to_string()),
        DeValue::Array(items) => {
            let nodes = items.iter().map(|item| {
                let span = shifted(item.span(), offset);
                Ok(Node::new(span, convert(item.get_ref(), span, offset, depth)?))
            });
            Value::Array(nodes.collect::<Result<_, Span>>()?)
        }
        DeValue::Table(entries) => Value::Table(table(entries, offset, depth)?),
    })
}

fn shifted(range: std::ops::Range<usize>, offset: usize) -> Span {
    Span::new(range.start + offset, range.end + offset)
}
