//! The log of rollouts on disk: entries are appended and never changed. What `record` has returned survives a kill -9 and a
//! loss of power. One process writes it at a time.
//!
//! Beside the entries it keeps the evidence of running rollouts, the only thing that is overwritten: losing some of it makes
//! a verdict later, not wrong.

use crate::event::{Entry, Event};
use crate::machine::{History, Refused};
use crate::verdict::{Judge, Verdict};
use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use std::io;
use std::path::{Path, PathBuf};

/// What this version writes.
pub const FORMAT: u64 = 1;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");
const EVIDENCE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("evidence");

/// The log with the state that it amounts to.
pub struct Log {
    database: Database,
    history: History,
    path: PathBuf,
}

/// Why the log can't be used.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error(
        "the log of rollouts {} was written by a newer version (format {found}, this one knows {FORMAT}): start that version, or move the file away to begin anew",
        .path.display()
    )]
    Newer { path: PathBuf, found: u64 },
    #[error("the log of rollouts {} is in use by another process: two may not decide about the same requests", .0.display())]
    InUse(PathBuf),
    #[error("the log of rollouts {} can't be read", .path.display())]
    Storage { path: PathBuf, source: Box<redb::Error> },
    #[error("the log of rollouts {} has an entry that isn't one ({seq})", .path.display())]
    Entry { path: PathBuf, seq: u64, source: serde_json::Error },
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("the folder of the log of rollouts can't be made")]
    Folder(#[from] io::Error),
}

/// Something to write into the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft<'a> {
    /// Milliseconds since 1970.
    pub time: u64,
    pub actor: &'a str,
    pub rollout: &'a str,
    pub event: Event,
    pub evidence: Option<Verdict>,
}

impl Log {
    /// Opens the log, or begins one.
    ///
    /// # Errors
    /// When another process has it, a newer version wrote it, or it can't be read.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let fail = |error: redb::Error| LogError::Storage { path: path.to_path_buf(), source: Box::new(error) };
        let database = Database::create(path).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
                LogError::InUse(path.to_path_buf())
            }
            other => fail(other.into()),
        })?;
        let found = format(&database).map_err(fail)?;
        if found > FORMAT {
            return Err(LogError::Newer { path: path.to_path_buf(), found });
        }
        let mut log = Self { database, history: History::default(), path: path.to_path_buf() };
        for entry in log.entries(1)? {
            log.history.apply(&entry)?;
        }
        Ok(log)
    }

    pub fn history(&self) -> &History {
        &self.history
    }

    /// Writes several events at once, all or none, and returns their entries. When it returns they are on the disk.
    ///
    /// # Errors
    /// When one may not follow, or the disk fails; nothing has changed then.
    pub fn record(&mut self, drafts: &[Draft<'_>]) -> Result<Vec<Entry>, LogError> {
        let mut history = self.history.clone();
        let mut entries = Vec::new();
        for draft in drafts {
            let entry = Entry {
                seq: history.seq + 1,
                time: draft.time,
                actor: draft.actor.to_owned(),
                rollout: draft.rollout.to_owned(),
                event: draft.event.clone(),
                evidence: draft.evidence.clone(),
            };
            history.apply(&entry)?;
            entries.push(entry);
        }
        self.write(&entries).map_err(|error| self.storage(error))?;
        self.history = history;
        Ok(entries)
    }

    fn write(&self, entries: &[Entry]) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        {
            let mut table = transaction.open_table(ENTRIES)?;
            for entry in entries {
                // Strings as keys and finite numbers: it can always be written.
                let bytes = serde_json::to_vec(entry).map_err(io::Error::other)?;
                table.insert(entry.seq, bytes.as_slice())?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// The entries from `seq` on.
    ///
    /// # Errors
    /// When the disk fails or an entry isn't one.
    pub fn entries(&self, seq: u64) -> Result<Vec<Entry>, LogError> {
        let rows = self.rows(seq).map_err(|error| self.storage(error))?;
        let parse = |(seq, bytes): (u64, Vec<u8>)| {
            serde_json::from_slice(&bytes).map_err(|source| LogError::Entry { path: self.path.clone(), seq, source })
        };
        rows.into_iter().map(parse).collect()
    }

    fn rows(&self, seq: u64) -> Result<Vec<(u64, Vec<u8>)>, redb::Error> {
        let table = self.database.begin_read()?.open_table(ENTRIES)?;
        let rows = table.range(seq..)?.map(|row| row.map(|(key, value)| (key.value(), value.value().to_vec())));
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Keeps the evidence of a rollout, in place of what was kept before; `None` forgets it.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn keep(&self, rollout: &str, judge: Option<&Judge>) -> Result<(), LogError> {
        let write = || -> Result<(), redb::Error> {
            let transaction = self.database.begin_write()?;
            {
                let mut table = transaction.open_table(EVIDENCE)?;
                match judge {
                    Some(judge) => {
                        let bytes = serde_json::to_vec(judge).map_err(io::Error::other)?;
                        table.insert(rollout, bytes.as_slice())?;
                    }
                    None => drop(table.remove(rollout)?),
                }
            }
            transaction.commit()?;
            Ok(())
        };
        write().map_err(|error| self.storage(error))
    }

    /// The evidence that was kept. `None` when there is none, or it is of another version: it is gathered anew then.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn kept(&self, rollout: &str) -> Result<Option<Judge>, LogError> {
        let read = || -> Result<Option<Vec<u8>>, redb::Error> {
            let table = self.database.begin_read()?.open_table(EVIDENCE)?;
            Ok(table.get(rollout)?.map(|value| value.value().to_vec()))
        };
        let bytes = read().map_err(|error| self.storage(error))?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    fn storage(&self, error: redb::Error) -> LogError {
        LogError::Storage { path: self.path.clone(), source: Box::new(error) }
    }
}

/// The format of the log; a new one is given ours.
fn format(database: &Database) -> Result<u64, redb::Error> {
    let transaction = database.begin_write()?;
    let format = {
        let mut meta = transaction.open_table(META)?;
        let found = meta.get("format")?.map(|value| value.value());
        if found.is_none() {
            meta.insert("format", FORMAT)?;
        }
        found.unwrap_or(FORMAT)
    };
    if format <= FORMAT {
        transaction.open_table(ENTRIES)?;
        transaction.open_table(EVIDENCE)?;
    }
    transaction.commit()?;
    Ok(format)
}
