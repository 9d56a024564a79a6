//! A manifest's values, each with its place: what `parse.rs` makes of TOML and what plugins read their grants
//! and stores from. The typed readers note a wrong type with what was found and return `None`, so that a
//! caller goes on and reports everything at once. `table.rs` reads tables; `units.rs` sizes and durations.

use crate::{Diagnostic, Diagnostics, Span, codes};

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub span: Span,
    pub value: Value,
}

/// A TOML value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    String(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    /// As typed.
    Datetime(String),
    Array(Vec<Node>),
    Table(Table),
}

/// Keys and values in the order of the file; each key once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    pub entries: Vec<Entry>,
}

/// One `key = value`.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub key: String,
    pub key_span: Span,
    pub node: Node,
}

impl Table {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// A key with its place and value.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }
}

impl Value {
    /// "a string", "an array", as it stands in messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::String(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Boolean(_) => "a boolean",
            Self::Datetime(_) => "a date or time",
            Self::Array(_) => "an array",
            Self::Table(_) => "a table",
        }
    }
}

impl Node {
    /// A value at a place.
    pub fn new(span: Span, value: Value) -> Self {
        Self { span, value }
    }

    /// The string, or a note that `what` must be one.
    pub fn string(&self, diags: &mut Diagnostics, what: &str) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => self.wrong_type(diags, what, "a string"),
        }
    }

    /// The integer, or a note that `what` must be one.
    pub fn integer(&self, diags: &mut Diagnostics, what: &str) -> Option<i64> {
        match &self.value {
            Value::Integer(number) => Some(*number),
            _ => self.wrong_type(diags, what, "an integer"),
        }
    }

    /// The boolean, or a note that `what` must be one.
    pub fn boolean(&self, diags: &mut Diagnostics, what: &str) -> Option<bool> {
        match &self.value {
            Value::Boolean(truth) => Some(*truth),
            _ => self.wrong_type(diags, what, "`true` or `false`"),
        }
    }

    /// The array, or a note that `what` must be one.
    pub fn array(&self, diags: &mut Diagnostics, what: &str) -> Option<&[Self]> {
        match &self.value {
            Value::Array(items) => Some(items),
            _ => self.wrong_type(diags, what, "an array"),
        }
    }

    /// The items of an array; any other value is a list of itself alone. It can't fail.
    pub fn list(&self) -> &[Self] {
        match &self.value {
            Value::Array(items) => items,
            _ => std::slice::from_ref(self),
        }
    }

    /// The table, or a note that `what` must be one.
    pub fn table(&self, diags: &mut Diagnostics, what: &str) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => self.wrong_type(diags, what, "a table"),
        }
    }

    /// Notes that `what` must be `expected` ("a string or a table") and says what was found. Always `None`.
    pub fn wrong_type<T>(&self, diags: &mut Diagnostics, what: &str, expected: &str) -> Option<T> {
        let found = self.value.type_name();
        let mut diagnostic = Diagnostic::error(codes::WRONG_TYPE, format!("{what} must be {expected}, not {found}"))
            .at(self.span)
            .label(format!("this is {found}"));
        let quoted = match &self.value {
            Value::Integer(number) => Some(number.to_string()),
            Value::Float(number) => Some(number.to_string()),
            Value::Boolean(truth) => Some(truth.to_string()),
            Value::Datetime(text) => Some(text.clone()),
            Value::String(_) | Value::Array(_) | Value::Table(_) => None,
        };
        if let (Some(text), true) = (quoted, expected.starts_with("a string")) {
            diagnostic = diagnostic.help(format!("write it in quotes: \"{text}\""));
        }
        diags.push(diagnostic);
        None
    }

    /// Notes that the value of `what` can't be used, with what to write instead. Always `None`.
    pub fn invalid<T>(
        &self,
        diags: &mut Diagnostics,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Option<T> {
        diags.push(Diagnostic::error(codes::INVALID_VALUE, message).at(self.span).help(help));
        None
    }
}
