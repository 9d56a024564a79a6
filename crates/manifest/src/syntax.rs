//! Errors of the TOML parser in the words of somebody who writes a manifest: what the parser calls "expected literal
//! string" is a string without quotes. Chooses the error to show first, too. `parse.rs` calls it.

use crate::value::{Node, Value};
use crate::{Diagnostic, Span, codes};

/// How deep tables and arrays may nest. A real manifest needs six.
pub(crate) const MAX_DEPTH: usize = 32;

/// One syntax error, worded.
pub(crate) struct Found {
    pub diagnostic: Diagnostic,
    /// True when nothing after it can be judged.
    pub ends_parsing: bool,
}

/// The first error in the text. `root` is what the parser could read; it shows where an unclosed bracket was opened.
pub(crate) fn first(text: &str, root: &Node, errors: &[toml::de::Error]) -> Option<Found> {
    let error = errors.iter().min_by_key(|error| error.span().map_or(0, |range| range.start))?;
    let start = error.span().map_or(0, |range| range.start);
    let unclosed = |error: &&toml::de::Error| {
        ["unclosed array", "unclosed inline"].iter().any(|what| error.message().starts_with(what))
    };
    if let Some(end) = errors.iter().find(unclosed) {
        let closed_at = end.span().map_or(0, |range| range.start);
        if let Some(opened) = opened(text, root, closed_at).filter(|at| *at <= start) {
            let closer = if text.get(opened..).is_some_and(|rest| rest.starts_with('{')) { "}" } else { "]" };
            let what = if closer == "]" { "the array isn't closed" } else { "the table isn't closed" };
            let diagnostic =
                Diagnostic::error(codes::SYNTAX, what).at(Span::new(opened, opened + 1)).label("opened here");
            return Some(Found {
                diagnostic: diagnostic.help(format!("put `{closer}` at its end")),
                ends_parsing: true,
            });
        }
    }
    let ends_parsing = error.span().is_none() || unclosed(&error);
    Some(Found { diagnostic: worded(text, error), ends_parsing })
}

/// Where the outermost array or inline table begins that was still open at `end`.
fn opened(text: &str, node: &Node, end: usize) -> Option<usize> {
    let written = text.get(node.span.start..node.span.end).unwrap_or_default();
    let (opener, closer) = match &node.value {
        Value::Array(_) => ('[', ']'),
        Value::Table(_) => ('{', '}'),
        _ => return None,
    };
    if written.starts_with(opener) && (node.span.end == end || !written.ends_with(closer)) {
        return Some(node.span.start);
    }
    match &node.value {
        Value::Array(items) => items.iter().filter_map(|item| opened(text, item, end)).min(),
        Value::Table(table) => table.entries.iter().filter_map(|entry| opened(text, &entry.node, end)).min(),
        _ => None,
    }
}

fn worded(text: &str, error: &toml::de::Error) -> Diagnostic {
    let said = error.message();
    if said.contains("recursion limit") || said.contains("cannot recurse further") {
        return match error.span() {
            Some(range) => too_deep().at(range.into()),
            None => too_deep(),
        };
    }
    let range = error.span().unwrap_or_default();
    let found = text.get(range.clone()).unwrap_or_default();
    let (message, help) = explain(said.lines().next().unwrap_or_default(), found);
    let mut diagnostic = Diagnostic::error(codes::SYNTAX, message).at(range.clone().into());
    if let Some(first) = (said == "duplicate key").then(|| earlier_header(text, range.start)).flatten() {
        diagnostic = diagnostic.label("the second").also(first, "the first");
    }
    match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// Nested above [`MAX_DEPTH`], or above what the parser itself can do.
pub(crate) fn too_deep() -> Diagnostic {
    let message = format!("the manifest nests tables or arrays more than {MAX_DEPTH} deep");
    Diagnostic::error(codes::FILE, message).help("no key of a manifest needs that; look for a missing `]` or `}`")
}

/// The header with the same text before the line at `at`, if that is a header.
fn earlier_header(text: &str, at: usize) -> Option<Span> {
    let start = text.get(..at)?.rfind('\n').map_or(0, |found| found + 1);
    let line = text.get(start..)?.lines().next()?.trim();
    let mut from = 0;
    for earlier in text.get(..start)?.split_inclusive('\n') {
        if line.starts_with('[') && earlier.trim() == line {
            return Some(Span::new(from, from + line.len()));
        }
        from += earlier.len();
    }
    None
}

/// What is wrong, and what to write instead.
fn explain(said: &str, found: &str) -> (String, Option<String>) {
    let (what, expected) = said.split_once(", expected ").unwrap_or((said, "what it began with"));
    let (message, help) = match what {
        "string values must be quoted" if found.is_empty() => {
            ("the value is missing".to_owned(), "write one after the `=`".to_owned())
        }
        "string values must be quoted" if ["yes", "no", "on", "off"].contains(&found) => (
            format!("`{found}` is neither a string nor `true` or `false`"),
            "write `true` or `false`, or quotes around a string".to_owned(),
        ),
        "string values must be quoted" => {
            let bare = found.trim_matches(|letter| "\"“”‘’„«»".contains(letter));
            (format!("the string {found} is not in quotes"), format!("write it in straight quotes: \"{bare}\""))
        }
        "invalid boolean" | "invalid float" => {
            (format!("`{found}` is no value"), "put quotes around a string; a truth is `true` or `false`".to_owned())
        }
        "duplicate key" => {
            (format!("`{found}` is given twice"), "keep one of them, or move what both say into one".to_owned())
        }
        "invalid unquoted key" if found.starts_with(':') => {
            ("TOML puts `=` between key and value, not `:`".to_owned(), "write key = \"value\"".to_owned())
        }
        "key with no value" => {
            ("the key has no value".to_owned(), "write key = \"value\"; a header is [key]".to_owned())
        }
        "unexpected key or value" => {
            ("something follows the value on the same line".to_owned(), "begin a new line after each value".to_owned())
        }
        "missing comma between array elements" => {
            ("a comma is missing in the array".to_owned(), "put `,` between two items, or `]` at the end".to_owned())
        }
        "missing comma between key-value pairs" => {
            ("a comma is missing in the table".to_owned(), "put `,` between two entries, or `}` at the end".to_owned())
        }
        "unclosed array" => ("the array isn't closed".to_owned(), "put `]` at its end".to_owned()),
        "unclosed inline table" => ("the table isn't closed".to_owned(), "put `}` at its end".to_owned()),
        "unclosed table" => {
            ("the header isn't closed".to_owned(), "write `[name]`, or `[[name]]` for one more of a list".to_owned())
        }
        "invalid literal string"
        | "invalid basic string"
        | "invalid multi-line basic string"
        | "invalid multi-line literal string" => {
            ("the string isn't closed".to_owned(), format!("put {expected} at its end"))
        }
        "missing escaped value" => (
            "a backslash begins an escape that TOML doesn't have".to_owned(),
            "write `\\\\` for a backslash, or put the string in single quotes".to_owned(),
        ),
        _ => return (said.to_owned(), None),
    };
    (message, Some(help))
}
