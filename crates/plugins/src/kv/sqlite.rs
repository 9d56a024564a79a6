//! A key-value store in an SQLite file. An acknowledged write is on disk: WAL with `synchronous = FULL`.
//!
//! ```text
//! write ─▶ queue ─▶ writer thread: takes all that wait, one transaction, one fsync, then answers each
//! read  ─▶ a place ─▶ blocking thread with one of a few connections (WAL: readers and the writer don't wait for each other)
//! ```
//! Other processes may use the same file: each transaction takes the write lock before it reads, so that increments
//! and swaps are atomic between them too. The file must not be on a network file system, which WAL can't use.

use super::backend::{After, Answer, Backend, Fault, Outcome, Span, Write, sum};
use futures::FutureExt as _;
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior, params};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc, oneshot};

/// "Crcl": marks the file as ours.
const APPLICATION_ID: i64 = 0x4372_636c;
/// The version of the tables.
const FORMAT: i64 = 1;
const SCHEMA: &str =
    "CREATE TABLE entry (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, value BLOB NOT NULL) STRICT";
/// Low, high, most, and a number that only the last one looks at.
const KEYS_FROM: &str = "SELECT number, key FROM entry WHERE key >= ?1 AND key < ?2 AND ?4 = 0 ORDER BY key LIMIT ?3";
const KEYS_AFTER: &str = "SELECT number, key FROM entry WHERE key > ?1 AND key < ?2 AND ?4 = 0 ORDER BY key LIMIT ?3";
const KEYS_BY_NUMBER: &str =
    "SELECT number, key FROM entry WHERE key >= ?1 AND key < ?2 AND number > ?4 ORDER BY number LIMIT ?3";
/// How long to wait for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections for reading.
const READERS: usize = 4;
/// Requests that wait for the writer; further ones wait to be let into the queue.
const QUEUE: usize = 256;
/// Requests, and bytes of their values, in one transaction.
const GROUP: usize = 256;
const GROUP_BYTES: usize = 16 * 1024 * 1024;

/// The store.
pub struct Sqlite {
    queue: mpsc::Sender<Request>,
    readers: Arc<Readers>,
    commits: Arc<AtomicU64>,
}

/// Why the file can't be used. Whole fragments for the person who runs Coracle.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("its directory can't be created")]
    Directory(#[source] std::io::Error),
    #[error("the file can't be opened as an SQLite database")]
    Database(#[source] rusqlite::Error),
    #[error("it is an SQLite database of something else; choose another path")]
    Foreign,
    #[error(
        "it was written by a newer version of Coracle (format {0}, this one knows {FORMAT}); use that version or another path"
    )]
    Newer(i64),
    #[error("SQLite can't use a write-ahead log there (it says `{0}`); choose a path on a local disk")]
    NoLog(String),
    #[error("its writer thread can't be started")]
    Thread(#[source] std::io::Error),
}

struct Request {
    writes: Vec<Write>,
    answer: oneshot::Sender<Result<Vec<Outcome>, Fault>>,
}

struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    places: Arc<Semaphore>,
}

impl Sqlite {
    /// Opens the file, or makes it. It may grow to `size` bytes, its log aside.
    ///
    /// # Errors
    /// When the file isn't ours, or can't be opened or written.
    pub fn open(path: &Path, size: u64) -> Result<Self, OpenError> {
        if let Some(directory) = path.parent() {
            create_private(directory).map_err(OpenError::Directory)?;
        }
        let connection = open_writer(path, size)?;
        let (queue, requests) = mpsc::channel(QUEUE);
        let commits = Arc::new(AtomicU64::new(0));
        let writer = Writer { connection, size, commits: Arc::clone(&commits) };
        let thread = std::thread::Builder::new().name("keyvalue".to_owned());
        thread.spawn(move || writer.run(requests)).map_err(OpenError::Thread)?;
        let places = Arc::new(Semaphore::new(READERS));
        let readers = Arc::new(Readers { path: path.to_owned(), idle: Mutex::default(), places });
        Ok(Self { queue, readers, commits })
    }

    /// Transactions so far: fewer than writes when many come at once.
    pub fn commits(&self) -> u64 {
        self.commits.load(Relaxed)
    }

    fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Answer<'_, T> {
        let readers = Arc::clone(&self.readers);
        async move {
            let place = Arc::clone(&readers.places).acquire_owned().await.map_err(|_| Fault::Failed)?;
            let task = tokio::task::spawn_blocking(move || {
                let answer = readers.with(query);
                drop(place);
                answer
            });
            task.await.unwrap_or(Err(Fault::Failed))
        }
        .boxed()
    }
}

impl Backend for Sqlite {
    fn get(&self, keys: Vec<String>, most: usize) -> Answer<'_, Vec<Option<Vec<u8>>>> {
        self.read(move |connection| {
            let mut values = Vec::with_capacity(keys.len());
            let mut bytes = 0;
            let mut statement = connection.prepare_cached("SELECT value FROM entry WHERE key = ?1")?;
            for key in &keys {
                let mut rows = statement.query([key])?;
                let Some(row) = rows.next()? else {
                    values.push(None);
                    continue;
                };
                let value = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
                bytes += value.len();
                if bytes > most {
                    return Err(Failure::Fault(Fault::TooMuch(most)));
                }
                values.push(Some(value.to_vec()));
            }
            Ok(values)
        })
    }

    fn exists(&self, key: String) -> Answer<'_, bool> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached("SELECT 1 FROM entry WHERE key = ?1")?;
            Ok(statement.exists([key])?)
        })
    }

    fn keys(&self, span: Span, most: usize) -> Answer<'_, Vec<(u64, String)>> {
        self.read(move |connection| {
            let Span { low, high, after } = span;
            // In SQLite any blob is above any text.
            let high = high.map_or(Value::Blob(Vec::new()), Value::Text);
            let (number, low, query) = match after {
                After::Number(number) => (i64::try_from(number).unwrap_or(i64::MAX), low, KEYS_BY_NUMBER),
                After::Key(key) if key >= low => (0, key, KEYS_AFTER),
                After::Key(_) | After::Start => (0, low, KEYS_FROM),
            };
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            let mut statement = connection.prepare_cached(query)?;
            let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?));
            Ok(statement.query_map(params![low, high, most, number], row)?.collect::<Result<_, _>>()?)
        })
    }

    fn write(&self, writes: Vec<Write>) -> Answer<'_, Vec<Outcome>> {
        async move {
            let (answer, answered) = oneshot::channel();
            self.queue.send(Request { writes, answer }).await.map_err(|_| Fault::Failed)?;
            answered.await.unwrap_or(Err(Fault::Failed))
        }
        .boxed()
    }
}

/// What went wrong inside: SQLite's own errors are for the log.
enum Failure {
    Fault(Fault),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Failure {
    fn into_fault(self, size: u64) -> Fault {
        let error = match self {
            Self::Fault(fault) => return fault,
            Self::Sqlite(error) => error,
        };
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Fault::Full(size),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Fault::Busy,
            _ => {
                tracing::error!("a key-value store failed: {error}");
                Fault::Failed
            }
        }
    }
}

impl Readers {
    fn with<T>(&self, query: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, Fault> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open_reader(&self.path).map_err(|error| Failure::Sqlite(error).into_fault(0))?,
        };
        let answer = query(&connection).map_err(|failure| failure.into_fault(0));
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        answer
    }
}

/// Owns the connection that writes, on a thread of its own. Ends when the store is dropped and its queue is empty.
struct Writer {
    connection: Connection,
    size: u64,
    commits: Arc<AtomicU64>,
}

impl Writer {
    fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(first) = requests.blocking_recv() {
            let mut bytes = first.bytes();
            let mut group = vec![first];
            while group.len() < GROUP && bytes < GROUP_BYTES {
                let Ok(next) = requests.try_recv() else { break };
                bytes += next.bytes();
                group.push(next);
            }
            self.commit(group);
        }
    }

    /// Commits a group at once. If that fails, each request is tried alone, so that only the guilty one fails.
    fn commit(&mut self, group: Vec<Request>) {
        let all: Vec<&[Write]> = group.iter().map(|request| request.writes.as_slice()).collect();
        match self.transaction(&all) {
            Ok(outcomes) => {
                for (request, outcomes) in group.into_iter().zip(outcomes) {
                    // Nobody may be waiting any more.
                    let _ = request.answer.send(Ok(outcomes));
                }
            }
            Err(failure) if group.len() == 1 => {
                let mut fault = Some(failure.into_fault(self.size));
                for request in group {
                    let _ = request.answer.send(Err(fault.take().unwrap_or(Fault::Failed)));
                }
            }
            Err(_) => group.into_iter().for_each(|request| self.commit(vec![request])),
        }
    }

    fn transaction(&mut self, group: &[&[Write]]) -> Result<Vec<Vec<Outcome>>, Failure> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut outcomes = Vec::with_capacity(group.len());
        for writes in group {
            let done: Result<Vec<Outcome>, Failure> = writes.iter().map(|write| apply(&transaction, write)).collect();
            outcomes.push(done?);
        }
        transaction.commit()?;
        self.commits.fetch_add(1, Relaxed);
        Ok(outcomes)
    }
}

impl Request {
    fn bytes(&self) -> usize {
        let value = |write: &Write| match write {
            Write::Set { value, .. } | Write::Swap { value, .. } => value.len(),
            Write::Delete { .. } | Write::Increment { .. } => 0,
        };
        self.writes.iter().map(value).sum()
    }
}

fn apply(transaction: &Transaction<'_>, write: &Write) -> Result<Outcome, Failure> {
    match write {
        Write::Set { key, value } => {
            set(transaction, key, value)?;
            Ok(Outcome::Done)
        }
        Write::Delete { key } => {
            transaction.prepare_cached("DELETE FROM entry WHERE key = ?1")?.execute([key])?;
            Ok(Outcome::Done)
        }
        Write::Increment { key, delta, least, most } => {
            match sum(value(transaction, key)?.as_deref(), *delta, *least, *most) {
                Ok(sum) => {
                    set(transaction, key, sum.to_string().as_bytes())?;
                    Ok(Outcome::Sum(sum))
                }
                Err(outcome) => Ok(outcome),
            }
        }
        Write::Swap { key, expected, value: new } => {
            let present = value(transaction, key)?;
            if present != *expected {
                return Ok(Outcome::Different(present));
            }
            set(transaction, key, new)?;
            Ok(Outcome::Done)
        }
    }
}

fn value(transaction: &Transaction<'_>, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut statement = transaction.prepare_cached("SELECT value FROM entry WHERE key = ?1")?;
    statement.query_row([key], |row| row.get(0)).optional()
}

fn set(transaction: &Transaction<'_>, key: &str, value: &[u8]) -> rusqlite::Result<()> {
    let upsert =
        "INSERT INTO entry (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    transaction.prepare_cached(upsert)?.execute(params![key, value]).map(|_| ())
}

fn open_writer(path: &Path, size: u64) -> Result<Connection, OpenError> {
    // Not as a URI: a file's name may hold any character.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(OpenError::Database)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(OpenError::Database)?;
    prepare(&mut connection)?;
    let mode = use_log(&connection).map_err(OpenError::Database)?;
    if mode != "wal" {
        return Err(OpenError::NoLog(mode));
    }
    let page: i64 = pragma(&connection, "PRAGMA page_size").map_err(OpenError::Database)?;
    let pages = i64::try_from(size).unwrap_or(i64::MAX) / page.max(1);
    connection.pragma_update(None, "synchronous", "FULL").map_err(OpenError::Database)?;
    // SQLite never takes pages away: a smaller size than the file's own only keeps it from growing.
    let set_pages = format!("PRAGMA max_page_count = {}", pages.clamp(16, i64::from(u32::MAX - 1)));
    pragma::<i64>(&connection, &set_pages).map_err(OpenError::Database)?;
    Ok(connection)
}

/// Switches to a write-ahead log and returns the mode that SQLite then says. The switch needs the file alone, and SQLite
/// does not wait for that by its busy timeout: when several processes open a new file at once, all but one are refused.
fn use_log(connection: &Connection) -> rusqlite::Result<String> {
    let start = Instant::now();
    loop {
        match pragma(connection, "PRAGMA journal_mode = WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && start.elapsed() < BUSY_TIMEOUT =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            other => return other,
        }
    }
}

/// Makes the tables in an empty file, and refuses one that isn't ours. The lock is taken first, for another process may
/// be doing the same.
fn prepare(connection: &mut Connection) -> Result<(), OpenError> {
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(OpenError::Database)?;
    let read = |query: &str| pragma::<i64>(&transaction, query).map_err(OpenError::Database);
    let (application, format) = (read("PRAGMA application_id")?, read("PRAGMA user_version")?);
    let tables = read("SELECT count(*) FROM sqlite_schema")?;
    match (application, format, tables) {
        (APPLICATION_ID, FORMAT, _) => return Ok(()),
        (APPLICATION_ID, newer, _) if newer > FORMAT => return Err(OpenError::Newer(newer)),
        (0, 0, 0) => {}
        _ => return Err(OpenError::Foreign),
    }
    let marks = format!("{SCHEMA}; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT}");
    transaction.execute_batch(&marks).and_then(|()| transaction.commit()).map_err(OpenError::Database)
}

fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    // Readers of a WAL write its index, so the file is not opened read-only.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn pragma<T: rusqlite::types::FromSql>(connection: &Connection, query: &str) -> rusqlite::Result<T> {
    connection.query_row(query, [], |row| row.get(0))
}

/// Makes a directory that other users can't read.
fn create_private(directory: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(directory)
}
