//! What a component may do with a store: the semantics of `wasi:keyvalue`, once for all its drafts and backends. Each
//! operation checks rights and sizes, counts an effect if it writes, and asks the backend.
//!
//! Keys are whole: a grant's prefix is not cut off. A key outside every granted prefix is denied, for reading and for
//! writing; a list of keys shows only those inside. A rejected call changes nothing and is no effect.

use super::backend::{After, Backend, Fault, Outcome, Span, Write};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Bytes of a key. At least one.
pub const MAX_KEY: usize = 1024;
/// Bytes of a value.
pub const MAX_VALUE: usize = 4 * 1024 * 1024;
/// Keys in one batch.
pub const MAX_BATCH: usize = 1000;
/// Bytes of the values of one batch, in either direction: below what the host takes from a guest in one call, so that a
/// guest gets an error before it would trap.
pub const MAX_BATCH_BYTES: usize = 7 * 1024 * 1024;
/// Keys in one page of a list.
pub const PAGE: usize = 1000;

/// A component's granted stores.
pub struct Grant {
    /// For the log.
    pub component: String,
    pub stores: Vec<Arc<Store>>,
    /// Stores that exist but were not granted: opening one is denied rather than unknown.
    pub others: BTreeSet<String>,
}

/// One granted store.
pub struct Store {
    pub component: String,
    /// As in the manifest; what a guest opens.
    pub name: String,
    pub rights: Vec<Right>,
    pub backend: Arc<dyn Backend>,
    /// A denial is logged once per load: a guest can cause as many as it likes.
    pub denial_logged: AtomicBool,
}

/// What may be done with the keys that begin with `prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    pub prefix: String,
    pub write: bool,
}

/// Why an operation was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no such store")]
    NoSuchStore,
    #[error("access denied")]
    AccessDenied,
    /// Fit for guests.
    #[error("{0}")]
    Other(String),
    /// The guest broke the rules of its handles; it traps.
    #[error("the handle is not valid")]
    Handle(#[from] wasmtime::component::ResourceTableError),
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Other(fault.to_string())
    }
}

/// An open store, in the hands of one instance.
#[derive(Clone)]
pub struct Bucket {
    store: Arc<Store>,
    effects: Arc<AtomicU64>,
}

/// A compare-and-swap under way: the key, and its value when it was begun.
pub struct Cas {
    bucket: Bucket,
    key: String,
    expected: Option<Vec<u8>>,
}

/// What became of a swap.
pub enum Swapped {
    Done,
    /// The value had changed; the new handle knows it.
    Failed(Cas),
}

impl Grant {
    /// Opens a store by its name in the manifest. `effects` counts the writes of the instance.
    ///
    /// # Errors
    /// `AccessDenied` when it was not granted, `NoSuchStore` when it doesn't exist.
    pub fn open(&self, name: &str, effects: Arc<AtomicU64>) -> Result<Bucket, Error> {
        if let Some(store) = self.stores.iter().find(|store| store.name == name) {
            return Ok(Bucket { store: Arc::clone(store), effects });
        }
        Err(if self.others.contains(name) { Error::AccessDenied } else { Error::NoSuchStore })
    }
}

impl Bucket {
    /// The store's name in the manifest.
    pub fn name(&self) -> &str {
        &self.store.name
    }

    /// The value of a key.
    ///
    /// # Errors
    /// `AccessDenied` outside the granted prefixes, `Other` when the backend fails; so for every operation here.
    pub async fn get(&self, key: String) -> Result<Option<Vec<u8>>, Error> {
        self.may_read(&key)?;
        let mut values = self.store.backend.get(vec![key], MAX_VALUE).await?;
        Ok(values.pop().flatten())
    }

    /// Sets the value of a key.
    ///
    /// # Errors
    /// Also when the grant is read-only, or key or value are too large.
    pub async fn set(&self, key: String, value: Vec<u8>) -> Result<(), Error> {
        self.write(vec![Write::Set { key, value }]).await.map(drop)
    }

    /// Removes an entry, if there is one.
    ///
    /// # Errors
    /// Also when the grant is read-only.
    pub async fn delete(&self, key: String) -> Result<(), Error> {
        self.write(vec![Write::Delete { key }]).await.map(drop)
    }

    /// Whether there is an entry.
    ///
    /// # Errors
    /// As for every operation.
    pub async fn exists(&self, key: String) -> Result<bool, Error> {
        self.may_read(&key)?;
        Ok(self.store.backend.exists(key).await?)
    }

    /// A page of the keys that may be read, in their order, and the key to go on after.
    ///
    /// # Errors
    /// As for every operation.
    pub async fn keys(&self, after: Option<String>) -> Result<(Vec<String>, Option<String>), Error> {
        let mut keys: Vec<String> = Vec::new();
        for prefix in self.prefixes() {
            let begin = after.clone().map_or(After::Start, After::Key);
            let span = Span::of_prefix(prefix, begin);
            if after.is_some() && span.high.is_some() && span.high <= after {
                continue;
            }
            let found = self.store.backend.keys(span, PAGE + 1 - keys.len()).await?;
            keys.extend(found.into_iter().map(|(_, key)| key));
            if keys.len() > PAGE {
                keys.truncate(PAGE);
                let last = keys.last().cloned();
                return Ok((keys, last));
            }
        }
        Ok((keys, None))
    }

    /// The same in the order of the entries' numbers, and the number to go on after.
    ///
    /// # Errors
    /// As for every operation.
    pub async fn keys_by_number(&self, after: u64) -> Result<(Vec<String>, Option<u64>), Error> {
        let mut found = Vec::new();
        for prefix in self.prefixes() {
            found.extend(self.store.backend.keys(Span::of_prefix(prefix, After::Number(after)), PAGE + 1).await?);
        }
        found.sort_unstable();
        let more = found.len() > PAGE;
        found.truncate(PAGE);
        let last = found.last().filter(|_| more).map(|(number, _)| *number);
        Ok((found.into_iter().map(|(_, key)| key).collect(), last))
    }

    /// Adds to a number in decimal digits and answers the sum. No entry counts as 0.
    ///
    /// # Errors
    /// Also when the grant is read-only, the value is no number, or the sum would leave `bounds`.
    pub async fn increment(&self, key: String, delta: i128, bounds: (i128, i128)) -> Result<i128, Error> {
        let (least, most) = bounds;
        let outcomes = self.write(vec![Write::Increment { key, delta, least, most }]).await?;
        match outcomes.into_iter().next() {
            Some(Outcome::Sum(sum)) => Ok(sum),
            Some(Outcome::NotANumber) => Err(Error::Other("the value is not a number in decimal digits".to_owned())),
            Some(Outcome::OutOfBounds) => Err(Error::Other("the sum would overflow".to_owned())),
            _ => Err(Fault::Failed.into()),
        }
    }

    /// The values of several keys, in their order.
    ///
    /// # Errors
    /// Also when it is too much at once.
    pub async fn get_many(&self, keys: Vec<String>) -> Result<Vec<Option<Vec<u8>>>, Error> {
        batch(keys.len())?;
        keys.iter().try_for_each(|key| self.may_read(key))?;
        Ok(self.store.backend.get(keys, MAX_BATCH_BYTES).await?)
    }

    /// Sets several values: all of them or none.
    ///
    /// # Errors
    /// As [`set`](Self::set), and when it is too much at once.
    pub async fn set_many(&self, pairs: Vec<(String, Vec<u8>)>) -> Result<(), Error> {
        batch(pairs.len())?;
        if pairs.iter().map(|(_, value)| value.len()).sum::<usize>() > MAX_BATCH_BYTES {
            return Err(Error::Other(format!("a batch may hold {MAX_BATCH_BYTES} bytes of values")));
        }
        self.write(pairs.into_iter().map(|(key, value)| Write::Set { key, value }).collect()).await.map(drop)
    }

    /// Removes several entries: all of them or none.
    ///
    /// # Errors
    /// As [`delete`](Self::delete), and when it is too much at once.
    pub async fn delete_many(&self, keys: Vec<String>) -> Result<(), Error> {
        batch(keys.len())?;
        self.write(keys.into_iter().map(|key| Write::Delete { key }).collect()).await.map(drop)
    }

    /// Begins a compare-and-swap of a key's present value.
    ///
    /// # Errors
    /// As for every operation; that the grant is read-only shows in the swap.
    pub async fn compare(&self, key: String) -> Result<Cas, Error> {
        let expected = self.get(key.clone()).await?;
        Ok(Cas { bucket: self.clone(), key, expected })
    }

    async fn write(&self, writes: Vec<Write>) -> Result<Vec<Outcome>, Error> {
        writes.iter().try_for_each(|write| self.may_write(write))?;
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        self.effects.fetch_add(1, Relaxed);
        Ok(self.store.backend.write(writes).await?)
    }

    fn may_read(&self, key: &str) -> Result<(), Error> {
        let granted = self.store.rights.iter().any(|right| key.starts_with(&right.prefix));
        if granted { check_key(key) } else { Err(self.denied(key, false)) }
    }

    fn may_write(&self, write: &Write) -> Result<(), Error> {
        let (key, value) = match write {
            Write::Set { key, value } | Write::Swap { key, value, .. } => (key, value.len()),
            Write::Delete { key } | Write::Increment { key, .. } => (key, 0),
        };
        if !self.store.rights.iter().any(|right| right.write && key.starts_with(&right.prefix)) {
            return Err(self.denied(key, true));
        }
        if value > MAX_VALUE {
            return Err(Error::Other(format!("a value may have {MAX_VALUE} bytes, not {value}")));
        }
        check_key(key)
    }

    fn denied(&self, key: &str, write: bool) -> Error {
        let Store { component, name, denial_logged, .. } = &*self.store;
        if !denial_logged.swap(true, Relaxed) {
            let (verb, write) = if write { ("write", ", write = true") } else { ("read", "") };
            let shown: String = key.chars().take(80).collect();
            tracing::warn!(
                component,
                "denied to {verb} the key {shown:?} of the store `{name}`; to allow it, add to [component.{component}.grants]: \
                 keyvalue = [{{ store = \"{name}\", prefix = …{write} }}] (further denials for this store are not logged)"
            );
        }
        Error::AccessDenied
    }

    /// The granted prefixes in their order, none inside another.
    fn prefixes(&self) -> Vec<&str> {
        let mut prefixes: Vec<&str> = self.store.rights.iter().map(|right| right.prefix.as_str()).collect();
        prefixes.sort_unstable();
        prefixes.dedup_by(|inner, outer| inner.starts_with(&**outer));
        prefixes
    }
}

impl Cas {
    /// The value when the operation was begun.
    pub fn current(&self) -> Option<&[u8]> {
        self.expected.as_deref()
    }

    /// Sets the value, unless it has changed.
    ///
    /// # Errors
    /// As [`Bucket::set`].
    pub async fn swap(self, value: Vec<u8>) -> Result<Swapped, Error> {
        let Self { bucket, key, expected } = self;
        let outcomes = bucket.write(vec![Write::Swap { key: key.clone(), expected, value }]).await?;
        match outcomes.into_iter().next() {
            Some(Outcome::Done) => Ok(Swapped::Done),
            Some(Outcome::Different(expected)) => Ok(Swapped::Failed(Self { bucket, key, expected })),
            _ => Err(Fault::Failed.into()),
        }
    }
}

fn check_key(key: &str) -> Result<(), Error> {
    match key.len() {
        0 => Err(Error::Other("a key can't be empty".to_owned())),
        1..=MAX_KEY => Ok(()),
        bytes => Err(Error::Other(format!("a key may have {MAX_KEY} bytes, not {bytes}"))),
    }
}

fn batch(count: usize) -> Result<(), Error> {
    if count > MAX_BATCH {
        Err(Error::Other(format!("a batch may have {MAX_BATCH} keys, not {count}")))
    } else {
        Ok(())
    }
}
