//! TOML text to a spanned `Node`, with every syntax error the parser can recover from.
//! The one place that names the `toml` crate. What the parser calls "expected literal string" is said here in
//! the words of somebody who writes a manifest. It never looks at what the keys mean.

use crate::value::{Entry, Node, Table, Value};
use crate::{Diagnostic, Diagnostics, Source, Span, codes};
use toml::de::{DeTable, DeValue};

/// How deep tables and arrays may nest. A real manifest needs six.
const MAX_DEPTH: usize = 32;

/// How many syntax errors are shown: after some, they only repeat that the text is something else.
const MAX_SYNTAX_ERRORS: usize = 20;

/// Parses a whole manifest. The node is always a table: of what could be read.
pub(crate) fn document(source: &Source, diags: &mut Diagnostics) -> Node {
    let whole = Span::new(0, source.text.len());
    let empty = Node::new(whole, Value::Table(Table::default()));
    if let Some(damage) = source.damage() {
        diags.push(damage.clone());
        return empty;
    }
    if let Some(at) = source.text.find('\0') {
        let nul = Diagnostic::error(codes::FILE, "the manifest contains a NUL byte").at(Span::new(at, at + 1));
        diags.push(nul.help("it seems to be a binary file; a manifest is plain text"));
        return empty;
    }
    let (document, errors) = DeTable::parse_recoverable(&source.text);
    for error in errors.iter().take(MAX_SYNTAX_ERRORS) {
        diags.push(syntax(&source.text, error));
    }
    match table(document.get_ref(), 0, MAX_DEPTH) {
        Ok(table) => Node::new(whole, Value::Table(table)),
        Err(span) => {
            diags.push(too_deep().at(span).label("this is nested too deeply"));
            empty
        }
    }
}

/// Parses one TOML value that begins at byte `offset` of the text diagnostics point into.
pub(crate) fn value(text: &str, offset: usize, diags: &mut Diagnostics) -> Option<Node> {
    let (parsed, errors) = DeValue::parse_recoverable(text);
    for error in errors.iter().take(MAX_SYNTAX_ERRORS) {
        let mut diagnostic = syntax(text, error);
        diagnostic.span = diagnostic.span.map(|span| Span::new(span.start + offset, span.end + offset));
        diags.push(diagnostic);
    }
    if !errors.is_empty() {
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

fn too_deep() -> Diagnostic {
    let message = format!("the manifest nests tables or arrays more than {MAX_DEPTH} deep");
    Diagnostic::error(codes::FILE, message).help("no key of a manifest needs that; look for a missing `]` or `}`")
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

/// The parser's error in the words of a manifest.
fn syntax(text: &str, error: &toml::de::Error) -> Diagnostic {
    let said = error.message();
    if said.contains("recursion limit") || said.contains("cannot recurse further") {
        let diagnostic = too_deep();
        return match error.span() {
            Some(range) => diagnostic.at(range.into()),
            None => diagnostic,
        };
    }
    let range = error.span().unwrap_or_default();
    let found = text.get(range.clone()).unwrap_or_default();
    let (message, help) = explain(said, found, rest_of_line(text, range.start));
    let mut diagnostic = Diagnostic::error(codes::SYNTAX, message).at(range.into());
    if let Some(help) = help {
        diagnostic = diagnostic.help(help);
    }
    diagnostic
}

fn rest_of_line(text: &str, at: usize) -> &str {
    text.get(at..).and_then(|rest| rest.lines().next()).unwrap_or_default()
}

fn explain(said: &str, found: &str, line: &str) -> (String, Option<String>) {
    let first = said.lines().next().unwrap_or_default();
    let (what, expected) = match first.split_once(", expected ") {
        Some((what, expected)) => (what, Some(expected)),
        None => (first, None),
    };
    let message = |text: &str| text.to_owned();
    match what {
        "string values must be quoted" if found.is_empty() => {
            (message("the value is missing"), Some(message("write one after the `=`")))
        }
        "string values must be quoted" => {
            let bare = found.trim_matches(|letter| "“”‘’„«»".contains(letter));
            (format!("the string {found} is not in quotes"), Some(format!("write it in straight quotes: \"{bare}\"")))
        }
        "duplicate key" => (format!("`{found}` is given twice"), Some(message("keep one of them"))),
        "key with no value" if line.trim_start().starts_with(':') => {
            (message("TOML separates key and value by `=`"), Some(message("write `=` instead of `:`")))
        }
        "key with no value" => (message("the key has no value"), Some(message("write `key = value`"))),
        "unexpected key or value" => (
            message("something follows the value on the same line"),
            Some(message("begin a new line after each value")),
        ),
        "missing comma between array elements" => (
            message("the array goes on without a comma"),
            Some(message("put `,` between two items, or `]` at the end of the array")),
        ),
        "unclosed array" => (message("the array isn't closed"), Some(message("put `]` at its end"))),
        "unclosed table" => (
            message("the table header isn't closed"),
            Some(message("write `[name]`, or `[[name]]` for one more of a list")),
        ),
        "unclosed inline table" => (message("the table isn't closed"), Some(message("put `}` at its end"))),
        "invalid literal string" | "invalid basic string" => {
            let quote = expected.map_or("the quote it began with", |quote| quote);
            (message("the string isn't closed"), Some(format!("put {quote} at its end")))
        }
        "invalid boolean" => (format!("`{found}` is neither `true` nor `false`"), None),
        _ => (first.to_owned(), None),
    }
}
