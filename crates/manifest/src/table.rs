//! Reads a table key by key and remembers which keys were asked for: at the end every other key is unknown
//! and reported with the nearest known one. Used by this crate and by each plugin for its grants and stores.

use crate::diagnostic::{listed, nearest};
use crate::value::{Entry, Node, Table};
use crate::{Diagnostic, Diagnostics, Span, codes};
use std::time::Duration;

/// A table being read. Call [`finish`](Self::finish) last.
#[derive(Debug)]
pub struct TableReader<'a> {
    table: &'a Table,
    span: Span,
    what: String,
    /// The keys asked for: those the table may have.
    asked: Vec<&'static str>,
    /// The keys that are reported already.
    reported: Vec<&'a str>,
}

impl Node {
    /// Reads this value as a table; a note that `what` ("a keyvalue grant") must be one otherwise.
    pub fn reader(&self, diags: &mut Diagnostics, what: &str) -> Option<TableReader<'_>> {
        self.table(diags, what).map(|table| TableReader::new(table, self.span, what))
    }
}

impl<'a> TableReader<'a> {
    /// A reader of `table`, which stands at `span` and is called `what` in messages.
    pub fn new(table: &'a Table, span: Span, what: &str) -> Self {
        Self { table, span, what: what.to_owned(), asked: Vec::new(), reported: Vec::new() }
    }

    /// Where the table stands.
    pub fn span(&self) -> Span {
        self.span
    }

    /// The key with its place and value, if it is there. The key counts as known from now on.
    pub fn entry(&mut self, key: &'static str) -> Option<&'a Entry> {
        self.asked.push(key);
        self.table.entry(key)
    }

    /// The value of a key, if it is there. The key counts as known from now on.
    pub fn get(&mut self, key: &'static str) -> Option<&'a Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// The value of a key, or a note that it is missing; `example` is a line to write.
    pub fn required(&mut self, key: &'static str, diags: &mut Diagnostics, example: &str) -> Option<&'a Node> {
        let node = self.get(key);
        if node.is_none() && !self.mistyped(key, diags) {
            let message = format!("{} lacks `{key}`", self.what);
            let diagnostic = Diagnostic::error(codes::MISSING_KEY, message).at(self.span);
            diags.push(diagnostic.label(format!("`{key}` is missing here")).help(format!("add: {example}")));
        }
        node
    }

    /// True when the missing key is there with a slip of the pen, which is reported as such.
    fn mistyped(&mut self, key: &'static str, diags: &mut Diagnostics) -> bool {
        let strange = |entry: &&Entry| !self.is_settled(entry) && nearest(&entry.key, &[key]).is_some();
        let Some(entry) = self.table.entries.iter().find(strange) else { return false };
        self.unknown(entry, format!("did you mean `{key}`?"), diags);
        self.reported.push(&entry.key);
        true
    }

    /// True when the key was asked for or is reported already.
    fn is_settled(&self, entry: &Entry) -> bool {
        let key = entry.key.as_str();
        self.asked.contains(&key) || self.reported.contains(&key)
    }

    /// A key that the table doesn't have and that the caller reports in words of its own, such as one that belongs elsewhere.
    pub fn misplaced(&mut self, key: &str) -> Option<&'a Entry> {
        let entry = self.table.entry(key)?;
        self.reported.push(&entry.key);
        Some(entry)
    }

    fn unknown(&self, entry: &Entry, help: String, diags: &mut Diagnostics) {
        let message = format!("{} has no key `{}`", self.what, entry.key);
        diags.push(Diagnostic::error(codes::UNKNOWN_KEY, message).at(entry.key_span).label("unknown key").help(help));
    }

    /// An optional string.
    pub fn string(&mut self, key: &'static str, diags: &mut Diagnostics) -> Option<&'a str> {
        let what = self.named(key);
        self.get(key)?.string(diags, &what)
    }

    /// A string that must be there; `example` is a line to write.
    pub fn required_string(&mut self, key: &'static str, diags: &mut Diagnostics, example: &str) -> Option<&'a str> {
        let what = self.named(key);
        self.required(key, diags, example)?.string(diags, &what)
    }

    /// An optional boolean.
    pub fn boolean(&mut self, key: &'static str, diags: &mut Diagnostics) -> Option<bool> {
        let what = self.named(key);
        self.get(key)?.boolean(diags, &what)
    }

    /// An optional integer within `range`.
    pub fn integer(
        &mut self,
        key: &'static str,
        range: std::ops::RangeInclusive<i64>,
        diags: &mut Diagnostics,
    ) -> Option<i64> {
        let what = self.named(key);
        let node = self.get(key)?;
        let number = node.integer(diags, &what)?;
        if range.contains(&number) {
            return Some(number);
        }
        let (low, high) = (range.start(), range.end());
        let help = if *high == i64::MAX {
            format!("write {low} or more")
        } else {
            format!("write a number from {low} to {high}")
        };
        node.invalid(diags, format!("{what} can't be {number}"), help)
    }

    /// An optional number of bytes: an integer, or a string such as "64MiB".
    pub fn bytes(&mut self, key: &'static str, diags: &mut Diagnostics) -> Option<u64> {
        let what = self.named(key);
        self.get(key)?.bytes(diags, &what)
    }

    /// An optional duration: a string such as "200ms".
    pub fn duration(&mut self, key: &'static str, diags: &mut Diagnostics) -> Option<Duration> {
        let what = self.named(key);
        self.get(key)?.duration(diags, &what)
    }

    /// An optional list of strings; one string alone is a list of one.
    pub fn strings(&mut self, key: &'static str, diags: &mut Diagnostics) -> Option<Vec<String>> {
        let what = format!("each item of {}", self.named(key));
        let items = self.get(key)?.list();
        let texts: Vec<_> = items.iter().filter_map(|item| item.string(diags, &what)).map(str::to_owned).collect();
        (texts.len() == items.len()).then_some(texts)
    }

    /// Reports each key that was never asked for, with the nearest known one.
    pub fn finish(self, diags: &mut Diagnostics) {
        for entry in &self.table.entries {
            if self.is_settled(entry) {
                continue;
            }
            let help = match nearest(&entry.key, &self.asked) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it may have {}", listed(&self.asked)),
            };
            self.unknown(entry, help, diags);
        }
    }

    /// "`memory` of limits", as it stands in messages.
    fn named(&self, key: &str) -> String {
        format!("`{key}` of {}", self.what)
    }
}
