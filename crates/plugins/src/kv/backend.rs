//! What a key-value store has to do, whatever keeps the entries: `memory.rs` and `sqlite.rs`. A backend knows no grants
//! and no WIT; `bucket.rs` checks rights and sizes before it asks one.

use futures::future::BoxFuture;

/// What a backend will answer.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, Fault>>;

/// Keeps entries: UTF-8 keys in the order of their bytes, values of any bytes.
pub trait Backend: Send + Sync + 'static {
    /// The values of these keys, in their order. Fails with [`Fault::TooMuch`] above `most` bytes of values.
    fn get(&self, keys: Vec<String>, most: usize) -> Answer<'_, Vec<Option<Vec<u8>>>>;

    /// Whether there is an entry.
    fn exists(&self, key: String) -> Answer<'_, bool>;

    /// Up to `most` keys of a range with their numbers, in the order that `span.after` goes by.
    fn keys(&self, span: Span, most: usize) -> Answer<'_, Vec<(u64, String)>>;

    /// Does all of `writes`, in their order and at once, or none of them. When it answers, they are kept: for SQLite
    /// that is on disk. A write happens even if nobody waits for the answer any more.
    fn write(&self, writes: Vec<Write>) -> Answer<'_, Vec<Outcome>>;
}

/// A range of keys, from a place on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first key that belongs to it.
    pub low: String,
    /// The first key after it; `None` is no end.
    pub high: Option<String>,
    pub after: After,
}

/// Where a page of keys begins, and so its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// By key, from the first.
    Start,
    /// By key, after this one.
    Key(String),
    /// By number. An entry keeps its number for as long as it exists, and new ones get higher numbers.
    Number(u64),
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    Set {
        key: String,
        value: Vec<u8>,
    },
    Delete {
        key: String,
    },
    /// Adds to a number in decimal digits; no entry counts as 0. The sum stays within `least..=most`.
    Increment {
        key: String,
        delta: i128,
        least: i128,
        most: i128,
    },
    /// Sets the value if the present one is `expected`.
    Swap {
        key: String,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
    },
}

/// What became of one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Sum(i128),
    /// The value is not a number in decimal digits; nothing was changed.
    NotANumber,
    /// The sum would leave its bounds; nothing was changed.
    OutOfBounds,
    /// The value was another one, this; nothing was changed.
    Different(Option<Vec<u8>>),
}

/// Why a backend could not answer. The text is fit for guests: it names no path.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("the store is full: it may hold {0} bytes")]
    Full(u64),
    #[error("the answer would be larger than {0} bytes: ask for fewer keys at once")]
    TooMuch(usize),
    #[error("the store is locked by another process")]
    Busy,
    #[error("the store failed; the log says why")]
    Failed,
}

impl Span {
    /// Every key that begins with `prefix`.
    pub fn of_prefix(prefix: &str, after: After) -> Self {
        Self { low: prefix.to_owned(), high: successor(prefix), after }
    }
}

/// The least string above every string that begins with `prefix`.
fn successor(prefix: &str) -> Option<String> {
    let mut successor = prefix.to_owned();
    while let Some(last) = successor.pop() {
        // A range of characters leaves out the surrogates.
        if let Some(next) = (last..=char::MAX).nth(1) {
            successor.push(next);
            return Some(successor);
        }
    }
    None
}

/// The sum of an increment, or why there is none.
pub(super) fn sum(value: Option<&[u8]>, delta: i128, least: i128, most: i128) -> Result<i128, Outcome> {
    let present = match value {
        None => 0,
        Some(value) => number(value).ok_or(Outcome::NotANumber)?,
    };
    let sum = present.checked_add(delta).filter(|sum| (least..=most).contains(sum));
    sum.ok_or(Outcome::OutOfBounds)
}

fn number(value: &[u8]) -> Option<i128> {
    // The longest number that either draft can write has 20 characters.
    if value.len() > 20 { None } else { std::str::from_utf8(value).ok()?.parse().ok() }
}
