//! The semantics of buckets, the same table for both backends.

use crate::support::bucket;
use coracle_plugins::kv::{self, Bucket, Error, Memory, Sqlite, Swapped};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

const SIZE: u64 = 64 * 1024 * 1024;
const BOUNDS: (i128, i128) = (0, u64::MAX as i128);

/// Runs a check over an empty store of each backend.
async fn check<F: Future<Output = ()>>(case: impl Fn(Arc<dyn kv::Backend>) -> F) {
    case(Arc::new(Memory::new(SIZE))).await;
    let directory = tempfile::tempdir().unwrap();
    case(Arc::new(Sqlite::open(&directory.path().join("kv.sqlite3"), SIZE).unwrap())).await;
}

fn all(backend: Arc<dyn kv::Backend>) -> Bucket {
    bucket(backend, &[("", true)]).0
}

fn text(value: &str) -> Vec<u8> {
    value.as_bytes().to_vec()
}

async fn set(bucket: &Bucket, key: &str, value: &str) {
    bucket.set(key.to_owned(), text(value)).await.unwrap();
}

async fn get(bucket: &Bucket, key: &str) -> Option<String> {
    bucket.get(key.to_owned()).await.unwrap().map(|value| String::from_utf8(value).unwrap())
}

fn said<T>(result: Result<T, Error>) -> String {
    result.err().unwrap().to_string()
}

#[tokio::test]
async fn entries_are_set_read_and_removed() {
    check(async |backend| {
        let bucket = all(backend);
        assert_eq!(get(&bucket, "k").await, None);
        assert!(!bucket.exists("k".to_owned()).await.unwrap());
        set(&bucket, "k", "one").await;
        set(&bucket, "k", "two").await;
        set(&bucket, "K", "").await;
        set(&bucket, "nul\0and \u{10ffff}", "x").await;
        assert_eq!(get(&bucket, "k").await.as_deref(), Some("two"));
        assert_eq!(get(&bucket, "K").await.as_deref(), Some(""));
        assert_eq!(get(&bucket, "nul\0and \u{10ffff}").await.as_deref(), Some("x"));
        assert_eq!(get(&bucket, "nul").await, None);
        assert!(bucket.exists("K".to_owned()).await.unwrap());
        bucket.delete("k".to_owned()).await.unwrap();
        bucket.delete("k".to_owned()).await.unwrap();
        assert_eq!(get(&bucket, "k").await, None);
    })
    .await;
}

#[tokio::test]
async fn numbers_are_added_to() {
    check(async |backend| {
        let bucket = all(backend);
        let add = async |key: &str, delta: i128, bounds| bucket.increment(key.to_owned(), delta, bounds).await;
        assert_eq!(add("n", 5, BOUNDS).await.unwrap(), 5);
        assert_eq!(add("n", 0, BOUNDS).await.unwrap(), 5);
        assert_eq!(get(&bucket, "n").await.as_deref(), Some("5"));
        assert_eq!(add("n", -7, (i64::MIN.into(), i64::MAX.into())).await.unwrap(), -2);
        assert_eq!(said(add("n", 1, BOUNDS).await), "the sum would overflow");
        set(&bucket, "n", &u64::MAX.to_string()).await;
        assert_eq!(said(add("n", 1, BOUNDS).await), "the sum would overflow");
        for value in ["", "1.5", "one", " 1", "1 ", "99999999999999999999999", "\u{661}"] {
            set(&bucket, "n", value).await;
            assert_eq!(said(add("n", 1, BOUNDS).await), "the value is not a number in decimal digits", "{value:?}");
            assert_eq!(get(&bucket, "n").await.as_deref(), Some(value));
        }
    })
    .await;
}

#[tokio::test]
async fn batches_keep_their_order_and_are_whole() {
    check(async |backend| {
        let bucket = all(backend);
        let pairs = vec![("b".to_owned(), text("2")), ("a".to_owned(), text("1")), ("b".to_owned(), text("3"))];
        bucket.set_many(pairs).await.unwrap();
        let keys = ["b", "none", "a", "b"].map(str::to_owned).to_vec();
        let found = bucket.get_many(keys).await.unwrap();
        assert_eq!(found, [Some(text("3")), None, Some(text("1")), Some(text("3"))]);
        bucket.set_many(Vec::new()).await.unwrap();
        let refused = bucket.set_many(vec![("a".to_owned(), text("9")), (String::new(), text("9"))]).await;
        assert_eq!(said(refused), "a key can't be empty");
        assert_eq!(get(&bucket, "a").await.as_deref(), Some("1"));
        bucket.delete_many(vec!["a".to_owned(), "none".to_owned()]).await.unwrap();
        assert_eq!(get(&bucket, "a").await, None);
        let many = vec!["a".to_owned(); kv::MAX_BATCH + 1];
        assert_eq!(said(bucket.get_many(many).await), "a batch may have 1000 keys, not 1001");
    })
    .await;
}

#[tokio::test]
async fn a_swap_fails_when_the_value_changed() {
    check(async |backend| {
        let bucket = all(backend);
        let cas = bucket.compare("k".to_owned()).await.unwrap();
        assert_eq!(cas.current(), None);
        assert!(matches!(cas.swap(text("one")).await.unwrap(), Swapped::Done));
        let cas = bucket.compare("k".to_owned()).await.unwrap();
        set(&bucket, "k", "other").await;
        let Swapped::Failed(cas) = cas.swap(text("two")).await.unwrap() else { panic!("it was swapped") };
        assert_eq!(cas.current(), Some(&b"other"[..]));
        assert!(matches!(cas.swap(text("two")).await.unwrap(), Swapped::Done));
        assert_eq!(get(&bucket, "k").await.as_deref(), Some("two"));
    })
    .await;
}

#[tokio::test]
async fn keys_are_listed_page_by_page() {
    check(async |backend| {
        let bucket = all(backend);
        let mut expected: Vec<String> =
            (0..kv::PAGE * 2 + 7).map(|n| format!("k{:05}", (n * 7919) % 100_003)).collect();
        for group in expected.chunks(500) {
            bucket.set_many(group.iter().map(|key| (key.clone(), text("v"))).collect()).await.unwrap();
        }
        let in_order_of_numbers = expected.clone();
        expected.sort();
        let (mut by_key, mut after) = (Vec::new(), None);
        loop {
            let (page, next) = bucket.keys(after).await.unwrap();
            assert!(page.len() <= kv::PAGE);
            by_key.extend(page);
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(by_key, expected);
        let (mut by_number, mut after) = (Vec::new(), 0);
        loop {
            let (page, next) = bucket.keys_by_number(after).await.unwrap();
            // What was listed may be removed on the way.
            bucket.delete_many(page.clone()).await.unwrap();
            by_number.extend(page);
            let Some(next) = next else { break };
            after = next;
        }
        assert_eq!(by_number, in_order_of_numbers);
        assert_eq!(bucket.keys(None).await.unwrap(), (Vec::new(), None));
        assert_eq!(bucket.keys_by_number(u64::MAX).await.unwrap(), (Vec::new(), None));
    })
    .await;
}

#[tokio::test]
async fn a_grant_ends_at_its_prefix() {
    check(async |backend| {
        let owner = all(Arc::clone(&backend));
        for key in ["a", "a/1", "a/2", "a0", "b/1", "b/x/1", "c/1"] {
            set(&owner, key, "1").await;
        }
        let (bucket, effects) = bucket(backend, &[("b/", false), ("a/", true), ("b/x/", true)]);
        let denied = |result: Result<(), Error>| assert!(matches!(result, Err(Error::AccessDenied)), "{result:?}");
        for key in ["a", "a0", "c/1", "", "A/1"] {
            denied(bucket.get(key.to_owned()).await.map(drop));
            denied(bucket.exists(key.to_owned()).await.map(drop));
            denied(bucket.compare(key.to_owned()).await.map(drop));
            denied(bucket.get_many(vec!["a/1".to_owned(), key.to_owned()]).await.map(drop));
        }
        for key in ["b/1", "a", "c/1"] {
            denied(bucket.set(key.to_owned(), text("2")).await);
            denied(bucket.delete(key.to_owned()).await);
            denied(bucket.increment(key.to_owned(), 1, BOUNDS).await.map(drop));
            denied(bucket.set_many(vec![("a/1".to_owned(), text("2")), (key.to_owned(), text("2"))]).await);
            denied(bucket.delete_many(vec!["a/1".to_owned(), key.to_owned()]).await);
        }
        let cas = bucket.compare("b/1".to_owned()).await.unwrap();
        denied(cas.swap(text("2")).await.map(drop));
        assert_eq!(effects.load(Relaxed), 0, "what was denied is no effect");
        assert_eq!(get(&bucket, "a/1").await.as_deref(), Some("1"));
        assert_eq!(bucket.keys(None).await.unwrap().0, ["a/1", "a/2", "b/1", "b/x/1"]);
        assert_eq!(bucket.keys(Some("a/1".to_owned())).await.unwrap().0, ["a/2", "b/1", "b/x/1"]);
        assert_eq!(bucket.keys(Some("b/".to_owned())).await.unwrap().0, ["b/1", "b/x/1"]);
        assert_eq!(bucket.keys(Some("zzz".to_owned())).await.unwrap().0, Vec::<String>::new());
        assert_eq!(bucket.keys_by_number(0).await.unwrap().0, ["a/1", "a/2", "b/1", "b/x/1"]);
        set(&bucket, "b/x/1", "2").await;
        bucket.increment("a/1".to_owned(), 1, BOUNDS).await.unwrap();
        bucket.get("b/1".to_owned()).await.unwrap();
        assert_eq!(effects.load(Relaxed), 2, "each write is an effect, a read is none");
    })
    .await;
}

#[tokio::test]
async fn sizes_are_limited() {
    check(async |backend| {
        let bucket = all(backend);
        set(&bucket, &"k".repeat(kv::MAX_KEY), "v").await;
        let long = "k".repeat(kv::MAX_KEY + 1);
        assert_eq!(said(bucket.get(long.clone()).await), "a key may have 1024 bytes, not 1025");
        assert_eq!(said(bucket.set(long, text("v")).await), "a key may have 1024 bytes, not 1025");
        assert_eq!(said(bucket.get(String::new()).await), "a key can't be empty");
        bucket.set("v".to_owned(), vec![7; kv::MAX_VALUE]).await.unwrap();
        let refused = bucket.set("v".to_owned(), vec![8; kv::MAX_VALUE + 1]).await;
        assert_eq!(said(refused), "a value may have 4194304 bytes, not 4194305");
        assert_eq!(bucket.get("v".to_owned()).await.unwrap().unwrap(), vec![7; kv::MAX_VALUE]);
        let refused = bucket.get_many(vec!["v".to_owned(); 2]).await;
        assert_eq!(said(refused), "the answer would be larger than 7340032 bytes: ask for fewer keys at once");
        let half = vec![1; kv::MAX_VALUE];
        let refused = bucket.set_many(vec![("a".to_owned(), half.clone()), ("b".to_owned(), half)]).await;
        assert_eq!(said(refused), "a batch may hold 7340032 bytes of values");
    })
    .await;
}

#[tokio::test]
async fn a_full_store_takes_no_more_but_can_be_emptied() {
    let small = 1024 * 1024;
    let directory = tempfile::tempdir().unwrap();
    let backends: [Arc<dyn kv::Backend>; 2] =
        [Arc::new(Memory::new(small)), Arc::new(Sqlite::open(&directory.path().join("kv.sqlite3"), small).unwrap())];
    for backend in backends {
        let bucket = all(backend);
        let quarter = vec![1; 250_000];
        let mut stored = 0;
        let refused = loop {
            match bucket.set(format!("k{stored}"), quarter.clone()).await {
                Ok(()) => stored += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(refused.to_string(), "the store is full: it may hold 1048576 bytes");
        assert!((3..=4).contains(&stored), "{stored}");
        // What goes in together is refused together.
        let batch = vec![("x".to_owned(), text("small")), ("y".to_owned(), vec![1; 900_000])];
        assert!(bucket.set_many(batch).await.is_err());
        assert!(!bucket.exists("x".to_owned()).await.unwrap());
        bucket.delete("k0".to_owned()).await.unwrap();
        bucket.set("k0".to_owned(), quarter).await.unwrap();
    }
}
