//! The SQLite store keeps what it acknowledged: under kill -9, with several processes, and across restarts.

use crate::support::bucket;
use coracle_plugins::kv::{Bucket, OpenError, Sqlite};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

const SIZE: u64 = 64 * 1024 * 1024;
const BOUNDS: (i128, i128) = (0, u64::MAX as i128);
/// Set in a child process: the store it is to write to.
const CHILD: &str = "CORACLE_TEST_CHILD";

fn open(path: &Path) -> (Bucket, Arc<Sqlite>) {
    let store = Arc::new(Sqlite::open(path, SIZE).unwrap());
    (bucket(store.clone(), &[("", true)]).0, store)
}

async fn count(bucket: &Bucket, key: &str) -> u64 {
    let value = bucket.get(key.to_owned()).await.unwrap().unwrap_or_default();
    String::from_utf8(value).unwrap().parse().unwrap_or(0)
}

/// This test binary again, as a child that runs the test `name` with the store at `path`.
fn child(name: &str, path: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).env(CHILD, path).stdout(Stdio::piped());
    command.spawn().unwrap()
}

fn child_store() -> Option<std::path::PathBuf> {
    std::env::var_os(CHILD).map(Into::into)
}

#[tokio::test]
async fn kill_9_loses_no_acknowledged_write() {
    if let Some(path) = child_store() {
        let (bucket, _store) = open(&path);
        loop {
            let sum = bucket.increment("n".to_owned(), 1, BOUNDS).await.unwrap();
            bucket.set(format!("at/{sum}"), sum.to_string().into_bytes()).await.unwrap();
            // A line is written at once, or the kill cuts it and it doesn't count.
            std::io::stdout().write_all(format!("acknowledged {sum}\n").as_bytes()).unwrap();
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kv.sqlite3");
    let mut last = 0;
    for round in 1..=3_u64 {
        let mut writer = child("durability::kill_9_loses_no_acknowledged_write", &path);
        let pid = Pid::from_raw(i32::try_from(writer.id()).unwrap());
        let mut acknowledged = 0;
        for line in BufReader::new(writer.stdout.take().unwrap()).lines() {
            // The harness writes lines of its own, and its "test … " without an end before our first.
            let Some((_, sum)) = line.as_ref().unwrap().split_once("acknowledged ") else { continue };
            last = sum.parse().unwrap();
            acknowledged += 1;
            if acknowledged == 20 * round {
                kill(pid, Signal::SIGKILL).unwrap();
            }
        }
        assert!(!writer.wait().unwrap().success());
        assert!(acknowledged >= 20 * round);
        let (bucket, _store) = open(&path);
        let kept = count(&bucket, "n").await;
        assert!(kept >= last && kept <= last + 1, "{kept} kept of {last}");
        assert_eq!(count(&bucket, &format!("at/{last}")).await, last);
        last = kept;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_share_a_file() {
    const EACH: u64 = 50;
    let work = async |bucket: &Bucket| {
        for _ in 0..EACH {
            bucket.increment("n".to_owned(), 1, BOUNDS).await.unwrap();
        }
    };
    if let Some(path) = child_store() {
        work(&open(&path).0).await;
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kv.sqlite3");
    let mut children =
        [child("durability::processes_share_a_file", &path), child("durability::processes_share_a_file", &path)];
    let (bucket, _store) = open(&path);
    work(&bucket).await;
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(count(&bucket, "n").await, 3 * EACH);
}

#[test]
fn a_new_file_is_opened_by_several_at_once() {
    for _ in 0..25 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kv.sqlite3");
        let start = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            let open = || {
                start.wait();
                Sqlite::open(&path, SIZE).map(drop)
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap().unwrap());
        });
    }
}

#[tokio::test]
async fn writes_that_come_at_once_share_a_commit() {
    let directory = tempfile::tempdir().unwrap();
    let (bucket, store) = open(&directory.path().join("kv.sqlite3"));
    let writes = (0..200).map(|n| {
        let bucket = bucket.clone();
        async move {
            // One in ten can't be done; it must not take others with it.
            if n % 10 == 0 {
                bucket.increment("text".to_owned(), 1, BOUNDS).await.err().map(|error| error.to_string())
            } else {
                bucket.increment("n".to_owned(), 1, BOUNDS).await.unwrap();
                None
            }
        }
    });
    bucket.set("text".to_owned(), b"x".to_vec()).await.unwrap();
    let before = store.commits();
    let failed = futures::future::join_all(writes).await.into_iter().flatten().count();
    assert_eq!(failed, 20);
    assert_eq!(count(&bucket, "n").await, 180);
    let commits = store.commits() - before;
    assert!(commits < 100, "200 writes took {commits} commits");
}

#[test]
fn other_files_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("other.sqlite3");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE users (name TEXT)").unwrap();
    drop(other);
    assert!(matches!(Sqlite::open(&path, SIZE), Err(OpenError::Foreign)));

    let path = directory.path().join("kv.sqlite3");
    drop(Sqlite::open(&path, SIZE).unwrap());
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 2).unwrap();
    let error = Sqlite::open(&path, SIZE).err().unwrap();
    assert!(matches!(error, OpenError::Newer(2)), "{error}");
    assert_eq!(
        error.to_string(),
        "it was written by a newer version of Coracle (format 2, this one knows 1); use that version or another path"
    );
}

#[test]
fn a_strange_name_is_a_file_s_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file:kv?mode=memory");
    drop(Sqlite::open(&path, SIZE).unwrap());
    assert!(path.exists());
}
