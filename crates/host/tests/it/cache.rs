//! The code cache: what is stored is used, what was tampered with is not.

use crate::rig::{Http, Rig, text};
use coracle_host::{Engine, Grant, Settings};
use coracle_manifest::{Limits, Reuse};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

async fn answers(cache: &Path) {
    let settings = Settings { cache_dir: Some(cache.to_owned()), instances: 4, ..Settings::default() };
    let engine = Engine::new(&settings).unwrap();
    let rig =
        Rig::with(&engine, "p2/hello", Limits::default(), Reuse::default(), vec![(Arc::new(Http), Grant::Denied)])
            .await;
    assert!(text(rig.get("/").await.unwrap()).await.unwrap().starts_with("hello"));
}

fn code(cache: &Path) -> Vec<std::path::PathBuf> {
    let files = fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "cwasm")).collect()
}

#[tokio::test]
async fn compiled_code_is_kept_and_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("compiled");
    answers(&cache).await;
    let stored = code(&cache);
    assert_eq!(stored.len(), 1);
    let before = fs::metadata(&stored[0]).unwrap().modified().unwrap();
    answers(&cache).await;
    assert_eq!(fs::metadata(&stored[0]).unwrap().modified().unwrap(), before, "it was compiled again");
}

#[tokio::test]
async fn a_forged_entry_is_never_mapped() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("compiled");
    answers(&cache).await;
    let entry = code(&cache).remove(0);
    let genuine = fs::read(&entry).unwrap();
    let flipped = {
        let mut bytes = genuine.clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes
    };
    for forged in [flipped, genuine[..genuine.len() / 2].to_vec(), Vec::new(), b"#!/bin/sh".to_vec()] {
        // A new file in its place: a running process may still have the old one mapped.
        fs::remove_file(&entry).unwrap();
        fs::write(&entry, &forged).unwrap();
        answers(&cache).await;
        assert_eq!(fs::read(&entry).unwrap().len(), genuine.len(), "the entry was made anew");
    }
    fs::remove_file(entry.with_extension("mac")).unwrap();
    answers(&cache).await;
    fs::write(entry.with_extension("mac"), [0; 32]).unwrap();
    answers(&cache).await;
}

#[tokio::test]
async fn a_folder_that_others_may_enter_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("compiled");
    fs::create_dir(&cache).unwrap();
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
    answers(&cache).await;
    assert!(code(&cache).is_empty());
}
