//! Whatever the keys and prefixes: a bucket reaches a key exactly when a granted prefix begins it.

use crate::support::bucket;
use coracle_plugins::kv::{self, Error, Memory, Sqlite};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Short strings of characters at the edges of the order: they share prefixes often.
fn name(least: usize) -> impl Strategy<Value = String> {
    let edge = prop::sample::select(vec![
        '\0',
        'a',
        'b',
        '/',
        '%',
        '_',
        '\u{7f}',
        '\u{80}',
        '\u{d7ff}',
        '\u{e000}',
        '\u{10ffff}',
    ]);
    prop::collection::vec(edge, least..4).prop_map(|characters| characters.into_iter().collect())
}

async fn holds(
    backend: Arc<dyn kv::Backend>,
    keys: &BTreeSet<String>,
    prefixes: &[(String, bool)],
) -> Result<(), TestCaseError> {
    let (owner, _) = bucket(Arc::clone(&backend), &[("", true)]);
    owner.set_many(keys.iter().map(|key| (key.clone(), b"v".to_vec())).collect()).await.unwrap();
    let rights: Vec<(&str, bool)> = prefixes.iter().map(|(prefix, write)| (prefix.as_str(), *write)).collect();
    let (bucket, _) = bucket(backend, &rights);
    let within = |key: &str| rights.iter().any(|(prefix, _)| key.starts_with(prefix));
    let writable = |key: &str| rights.iter().any(|(prefix, write)| *write && key.starts_with(prefix));
    let expected: Vec<String> = keys.iter().filter(|key| within(key)).cloned().collect();
    prop_assert_eq!(&bucket.keys(None).await.unwrap().0, &expected);
    let mut by_number = bucket.keys_by_number(0).await.unwrap().0;
    by_number.sort();
    prop_assert_eq!(&by_number, &expected);
    for cursor in keys {
        let rest: Vec<String> = expected.iter().filter(|key| *key > cursor).cloned().collect();
        prop_assert_eq!(bucket.keys(Some(cursor.clone())).await.unwrap().0, rest);
    }
    for key in keys {
        let read = bucket.get(key.clone()).await;
        prop_assert_eq!(read.is_ok(), within(key), "{:?}", key);
        let written = bucket.set(key.clone(), b"w".to_vec()).await;
        prop_assert_eq!(written.is_ok(), writable(key), "{:?}", key);
        let refused = [read.err(), written.err()];
        prop_assert!(refused.into_iter().flatten().all(|error| matches!(error, Error::AccessDenied)));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_bucket_reaches_what_its_prefixes_begin(
        keys in prop::collection::btree_set(name(1), 1..12),
        prefixes in prop::collection::vec((name(0), any::<bool>()), 1..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            holds(Arc::new(Memory::new(1 << 20)), &keys, &prefixes).await?;
            let directory = tempfile::tempdir().unwrap();
            let store = Sqlite::open(&directory.path().join("kv.sqlite3"), 1 << 20).unwrap();
            holds(Arc::new(store), &keys, &prefixes).await
        })?;
    }
}
