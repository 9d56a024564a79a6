//! A key-value store in this process's memory: gone when the process ends, shared by the components that were granted
//! it, kept over a reload. It answers at once.

use super::backend::{After, Answer, Backend, Fault, Outcome, Span, Write, sum};
use futures::FutureExt as _;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes that an entry takes beside its key and value, roughly.
const ENTRY_OVERHEAD: u64 = 96;

/// The store. Each operation holds the lock for its own length only, never across an await.
pub struct Memory(Mutex<Entries>);

struct Entries {
    by_key: BTreeMap<String, Entry>,
    last_number: u64,
    /// Bytes in use, and how many may be.
    used: u64,
    size: u64,
}

#[derive(Clone)]
struct Entry {
    number: u64,
    value: Arc<[u8]>,
}

impl Memory {
    /// An empty store that may hold `size` bytes.
    pub fn new(size: u64) -> Self {
        Self(Mutex::new(Entries { by_key: BTreeMap::new(), last_number: 0, used: 0, size }))
    }

    /// Lets it hold `size` bytes from now on. Nothing is thrown away.
    pub fn resize(&self, size: u64) {
        self.entries().size = size;
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for Memory {
    fn get(&self, keys: Vec<String>, most: usize) -> Answer<'_, Vec<Option<Vec<u8>>>> {
        let found: Vec<Option<Arc<[u8]>>> = {
            let entries = self.entries();
            keys.iter().map(|key| entries.by_key.get(key).map(|entry| Arc::clone(&entry.value))).collect()
        };
        let bytes: usize = found.iter().flatten().map(|value| value.len()).sum();
        let answer = if bytes > most {
            Err(Fault::TooMuch(most))
        } else {
            Ok(found.into_iter().map(|value| value.map(|value| value.to_vec())).collect())
        };
        std::future::ready(answer).boxed()
    }

    fn exists(&self, key: String) -> Answer<'_, bool> {
        std::future::ready(Ok(self.entries().by_key.contains_key(&key))).boxed()
    }

    fn keys(&self, span: Span, most: usize) -> Answer<'_, Vec<(u64, String)>> {
        std::future::ready(Ok(self.entries().keys(&span, most))).boxed()
    }

    fn write(&self, writes: Vec<Write>) -> Answer<'_, Vec<Outcome>> {
        std::future::ready(self.entries().write(writes)).boxed()
    }
}

impl Entries {
    fn keys(&self, span: &Span, most: usize) -> Vec<(u64, String)> {
        let high = span.high.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let low = match &span.after {
            After::Key(key) if *key >= span.low => Bound::Excluded(key),
            _ => Bound::Included(&span.low),
        };
        if matches!((low, high), (Bound::Excluded(low) | Bound::Included(low), Bound::Excluded(high)) if low >= high) {
            return Vec::new();
        }
        let within = self.by_key.range::<String, _>((low, high)).map(|(key, entry)| (entry.number, key));
        match span.after {
            After::Number(number) => {
                let mut found: Vec<_> = within.filter(|(own, _)| *own > number).collect();
                found.sort_unstable();
                found.into_iter().take(most).map(|(number, key)| (number, key.clone())).collect()
            }
            After::Start | After::Key(_) => within.take(most).map(|(number, key)| (number, key.clone())).collect(),
        }
    }

    /// All or nothing: on the first write that doesn't fit, the earlier ones are taken back.
    fn write(&mut self, writes: Vec<Write>) -> Result<Vec<Outcome>, Fault> {
        let mut undo = Vec::new();
        let mut outcomes = Vec::with_capacity(writes.len());
        for write in writes {
            match self.apply(write, &mut undo) {
                Ok(outcome) => outcomes.push(outcome),
                Err(fault) => {
                    for (key, before) in undo.into_iter().rev() {
                        self.put(key, before);
                    }
                    return Err(fault);
                }
            }
        }
        Ok(outcomes)
    }

    fn apply(&mut self, write: Write, undo: &mut Vec<(String, Option<Entry>)>) -> Result<Outcome, Fault> {
        let (key, value, outcome) = match write {
            Write::Set { key, value } => (key, Some(value), Outcome::Done),
            Write::Delete { key } => (key, None, Outcome::Done),
            Write::Increment { key, delta, least, most } => match sum(self.value(&key), delta, least, most) {
                Ok(sum) => (key, Some(sum.to_string().into_bytes()), Outcome::Sum(sum)),
                Err(outcome) => return Ok(outcome),
            },
            Write::Swap { key, expected, value } => {
                let present = self.value(&key);
                if present != expected.as_deref() {
                    return Ok(Outcome::Different(present.map(<[u8]>::to_vec)));
                }
                (key, Some(value), Outcome::Done)
            }
        };
        let before = self.by_key.get(&key).cloned();
        let entry = value.map(|value| {
            let number = before.as_ref().map_or(self.last_number + 1, |entry| entry.number);
            Entry { number, value: value.into() }
        });
        self.last_number = self.last_number.max(entry.as_ref().map_or(0, |entry| entry.number));
        let grows = entry.as_ref().map_or(0, |entry| bytes(&key, entry))
            > before.as_ref().map_or(0, |entry| bytes(&key, entry));
        undo.push((key.clone(), before));
        self.put(key, entry);
        if grows && self.used > self.size { Err(Fault::Full(self.size)) } else { Ok(outcome) }
    }

    fn value(&self, key: &str) -> Option<&[u8]> {
        self.by_key.get(key).map(|entry| &*entry.value)
    }

    fn put(&mut self, key: String, entry: Option<Entry>) {
        self.used += entry.as_ref().map_or(0, |entry| bytes(&key, entry));
        let before = match entry {
            Some(entry) => self.by_key.insert(key.clone(), entry),
            None => self.by_key.remove(&key),
        };
        self.used -= before.map_or(0, |entry| bytes(&key, &entry));
    }
}

fn bytes(key: &str, entry: &Entry) -> u64 {
    ENTRY_OVERHEAD + key.len() as u64 + entry.value.len() as u64
}
