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
        self.mistyped(diags, what, expected, self.retyped(expected))
    }

    /// The same with a help of the caller's.
    pub(crate) fn mistyped<T>(
        &self,
        diags: &mut Diagnostics,
        what: &str,
        expected: &str,
        help: Option<String>,
    ) -> Option<T> {
        let found = self.value.type_name();
        let message = format!("{what} must be {expected}, not {found}");
        let diagnostic = Diagnostic::error(codes::WRONG_TYPE, message).at(self.span).label(format!("this is {found}"));
        diags.push(Diagnostic { help, ..diagnostic });
        None
    }

    /// How to write the same value in the expected type, where that is plain.
    fn retyped(&self, expected: &str) -> Option<String> {
        let string = expected.starts_with("a string");
        match &self.value {
            Value::Integer(number) if string => Some(format!("write it in quotes: \"{number}\"")),
            Value::Float(number) if string => Some(format!("write it in quotes: \"{number}\"")),
            Value::Boolean(truth) if string => Some(format!("write it in quotes: \"{truth}\"")),
            Value::Datetime(text) if string => Some(format!("write it in quotes: \"{text}\"")),
            Value::Array(items) if string && items.len() == 1 => Some("write it without the brackets".to_owned()),
            Value::String(text) if expected == "an integer" && text.trim().parse::<i64>().is_ok() => {
                Some(format!("write it without quotes: {}", text.trim()))
            }
            Value::String(_) if expected.starts_with("`true`") => {
                Some("write true or false, without quotes".to_owned())
            }
            _ if expected == "a table" => {
                Some("write { key = value }, or a [header] with lines of `key = value`".to_owned())
            }
            _ if expected == "an array" => Some("write it in brackets: [ … ]".to_owned()),
            _ => None,
        }
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
