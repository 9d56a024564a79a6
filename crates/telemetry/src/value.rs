//! Values of attributes, as OpenTelemetry has them. Keys and most texts are known when the program is built, so they are borrowed.

use std::borrow::Cow;
use std::sync::Arc;

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    pub key: Cow<'static, str>,
    pub value: Value,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Known when the program is built.
    Word(&'static str),
    /// Known since the app was loaded; copies share it.
    Name(Arc<str>),
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    List(Vec<Value>),
    Map(Vec<Attribute>),
    Bytes(Vec<u8>),
}

impl Attribute {
    /// An attribute with a key that is known when the program is built.
    pub fn new(key: &'static str, value: impl Into<Value>) -> Self {
        Self { key: Cow::Borrowed(key), value: value.into() }
    }
}

impl Value {
    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Word(text) => Some(text),
            Self::Name(text) => Some(text),
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Bytes it takes in memory, about.
    #[must_use]
    pub fn weight(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Word(_) | Self::Name(_) | Self::Int(_) | Self::Float(_) | Self::Bool(_) => 0,
                Self::Text(text) => text.len(),
                Self::Bytes(bytes) => bytes.len(),
                Self::List(values) => values.iter().map(Self::weight).sum(),
                Self::Map(attributes) => weight(attributes),
            }
    }

    /// Cuts texts to this many bytes, at a character's end.
    pub fn cut(&mut self, bytes: usize) {
        match self {
            Self::Text(text) => cut(text, bytes),
            Self::List(values) => values.iter_mut().for_each(|value| value.cut(bytes)),
            Self::Map(attributes) => attributes.iter_mut().for_each(|attribute| attribute.value.cut(bytes)),
            _ => {}
        }
    }

    /// As JSON, for pages and log lines. Bytes are shown as their number.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::Int(n) => (*n).into(),
            Self::Float(n) => (*n).into(),
            Self::Bool(yes) => (*yes).into(),
            Self::List(values) => values.iter().map(Self::json).collect(),
            Self::Map(attributes) => json(attributes),
            Self::Bytes(bytes) => format!("({} bytes)", bytes.len()).into(),
            Self::Word(_) | Self::Name(_) | Self::Text(_) => self.as_str().unwrap_or_default().into(),
        }
    }
}

/// Cuts a text to at most this many bytes, at a character's end.
pub(crate) fn cut(text: &mut String, bytes: usize) {
    text.truncate(text.floor_char_boundary(bytes));
}

/// Bytes that attributes take in memory, about.
pub(crate) fn weight(attributes: &[Attribute]) -> usize {
    let of = |attribute: &Attribute| {
        let key = if matches!(attribute.key, Cow::Owned(_)) { attribute.key.len() } else { 0 };
        size_of::<Cow<'static, str>>() + key + attribute.value.weight()
    };
    attributes.iter().map(of).sum()
}

/// Attributes as a JSON object.
#[must_use]
pub fn json(attributes: &[Attribute]) -> serde_json::Value {
    let entries = attributes.iter().map(|attribute| (attribute.key.to_string(), attribute.value.json()));
    serde_json::Value::Object(entries.collect())
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Word(text)
    }
}

impl From<Arc<str>> for Value {
    fn from(text: Arc<str>) -> Self {
        Self::Name(text)
    }
}

impl From<&Arc<str>> for Value {
    fn from(text: &Arc<str>) -> Self {
        Self::Name(Arc::clone(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self::Bool(yes)
    }
}

impl From<u64> for Value {
    fn from(n: u64) -> Self {
        Self::Int(i64::try_from(n).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Value {
    fn from(n: u32) -> Self {
        Self::Int(n.into())
    }
}

impl From<u16> for Value {
    fn from(n: u16) -> Self {
        Self::Int(n.into())
    }
}

#[cfg(test)]
mod tests {
    use super::{Attribute, Value, json};

    #[test]
    fn cuts_at_a_characters_end() {
        let mut value = Value::List(vec![Value::Text("käse".to_owned())]);
        value.cut(2);
        assert_eq!(value, Value::List(vec![Value::Text("k".to_owned())]));
    }

    #[test]
    fn attributes_are_an_object() {
        let attributes = [Attribute::new("a", 1_u64), Attribute::new("b", "x")];
        assert_eq!(json(&attributes), serde_json::json!({ "a": 1, "b": "x" }));
    }
}
