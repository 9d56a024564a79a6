//! The query of an admin address, and what can be wrong with it.

use coracle_telemetry::store::filter::{BadQuery, pairs};

/// A query as it came, without the question mark.
#[derive(Clone, Copy)]
pub struct Query<'a>(pub &'a str);

/// It can't be understood; with a sentence that says why.
pub struct Bad(pub String);

impl From<BadQuery> for Bad {
    fn from(error: BadQuery) -> Self {
        Self(error.to_string())
    }
}

impl Query<'_> {
    /// The number of a key.
    ///
    /// # Errors
    /// When it is none.
    pub fn number(&self, key: &str, default: usize) -> Result<usize, Bad> {
        match pairs(self.0).find(|(name, _)| name == key) {
            None => Ok(default),
            Some((_, value)) => value.parse().map_err(|_| Bad(format!("`{key}={value}`: a number is expected"))),
        }
    }
}
