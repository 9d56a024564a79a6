//! What is said about grants and stores, and what becomes of good ones.

use crate::support::read;
use coracle_host::{Grant, egress};
use coracle_plugins::kv;

fn check(grant_and_stores: &str, expected: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("assets")).unwrap();
    std::fs::write(directory.path().join("file.txt"), "x").unwrap();
    let read = read(directory.path(), grant_and_stores);
    let base = directory.path().display().to_string();
    let lines: Vec<String> = read.lines().into_iter().map(|line| line.replace(&base, "BASE")).collect();
    assert_eq!(lines, expected, "{grant_and_stores}");
}

fn grants(text: &str, expected: &[&str]) {
    check(&format!("[component.a.grants]\n{text}"), expected);
}

#[test]
fn http() {
    grants("http = \"*\"", &[]);
    grants(
        "http = [\"GET https://api.example.com/**\", \"private http://redis.internal\", \"http://127.0.0.1:3000\"]",
        &[],
    );
    grants("http = []", &[]);
    grants(
        "http = [\"api.example.com\", 3, \"ws://x\"]",
        &[
            "invalid-value: `api.example.com` lacks a scheme | \"api.example.com\" |  | \
             say which: \"https://api.example.com\", or \"*\" for every public host",
            "wrong-type: an http rule must be a string, not an integer | 3 | this is an integer | write it in quotes: \"3\"",
            "invalid-value: `ws` is not a scheme this grant can allow | \"ws://x\" |  | write http:// or https://",
        ],
    );
}

#[test]
fn files() {
    grants("files = \"assets:/assets\"", &[]);
    grants("files = [{ from = \"assets\", to = \"/assets/\", write = true }, \"assets:.:rw\"]", &[]);
    grants(
        "files = [\"assets\", { from = \"nowhere\", to = \"/x\" }, { from = \"file.txt\", to = \"/y\" }]",
        &[
            "invalid-value: `assets` is not a directory grant | \"assets\" |  | \
             write { from = \"assets\", to = \"/assets\" }, or \"assets:/assets\" for short",
            "invalid-value: there is no directory `nowhere` | { from = \"nowhere\", to = \"/x\" } |  | \
             create BASE/nowhere or correct the path",
            "invalid-value: `file.txt` is not a directory | { from = \"file.txt\", to = \"/y\" } |  | \
             grant the directory it is in; single files can't be granted",
        ],
    );
    grants(
        "files = [{ from = \"assets\", to = \"assets\" }, { from = \"assets\", too = \"/x\" }]",
        &[
            "invalid-value: a component can't see a directory as `assets` | { from = \"assets\", to = \"assets\" } |  | \
             write an absolute path without dots, such as \"/assets\", or \".\" for the guest's current directory",
            "unknown-key: a files grant has no key `too` | too | unknown key | did you mean `to`?",
        ],
    );
    grants(
        "files = { from = \"assets\" }",
        &[
            "missing-key: a files grant lacks `to` | { from = \"assets\" } | `to` is missing here | add: to = \"/assets\"",
        ],
    );
    grants(
        "files = [\"assets:/a\", \"assets:/a/\"]",
        &["ambiguous-name: two directories are granted as `/a` | \"assets:/a/\" | the second | give each its own `to`"],
    );
    grants(
        "files = \".:/app:rw\"",
        &[
            "invalid-value: `a` may write to the directory of the manifest itself | \".:/app:rw\" | holds the manifest | \
           grant a directory below it, else the component can change its own grants",
        ],
    );
}

#[test]
fn config() {
    let table = "[config]\nthumb.quality = \"80\"\nmode = \"fast\"\n";
    check(&format!("[component.a.grants]\nconfig = [\"thumb.quality\"]\n{table}"), &[]);
    check(
        &format!("[component.a.grants]\nconfig = [\"thumb.qualty\", \"other\"]\n{table}"),
        &[
            "unknown-name: there is no config value named `thumb.qualty` | \"thumb.qualty\" | unknown config value | \
             did you mean `thumb.quality`?",
            "unknown-name: there is no config value named `other` | \"other\" | unknown config value | \
             choose one of `mode`, `thumb.quality`",
        ],
    );
}

#[test]
fn keyvalue() {
    let store = "[store.cache]\ntype = \"keyvalue\"\n";
    check(&format!("[component.a.grants]\nkeyvalue = \"cache\"\n{store}"), &[]);
    let good = "keyvalue = [{ store = \"cache\", prefix = \"thumbs/\", write = true }, { store = \"cache\" }]";
    check(&format!("[component.a.grants]\n{good}\n{store}backend = \"memory\"\nsize = \"1MiB\"\n"), &[]);
    check(
        &format!("[component.a.grants]\nkeyvalue = [\"cahce\", {{ store = \"cache\", prefiks = \"x\" }}, 7]\n{store}"),
        &[
            "unknown-name: there is no key-value store named `cahce` | \"cahce\" | unknown key-value store | did you mean `cache`?",
            "unknown-key: a keyvalue grant has no key `prefiks` | prefiks | unknown key | did you mean `prefix`?",
            "wrong-type: a keyvalue grant must be a table or a store's name, not an integer | 7 | this is an integer | ",
        ],
    );
    grants(
        "keyvalue = { store = \"cache\", write = \"yes\" }",
        &[
            "wrong-type: `write` of a keyvalue grant must be `true` or `false`, not a string | \"yes\" | this is a string | \
           write true or false, without quotes",
        ],
    );
    grants(
        "keyvalue = \"cache\"",
        &["unknown-name: there is no store named `cache` | \"cache\" | unknown store | \
           declare it:\n[store.cache]\ntype = \"keyvalue\"\nbackend = \"sqlite\""],
    );
}

#[test]
fn stores() {
    let cases: &[(&str, &[&str])] = &[
        ("backend = \"sqlite\"\npath = \"data/kv.sqlite3\"\nsize = 1000000", &[]),
        (
            "backend = \"redis\"",
            &["not-yet-supported: the backend `redis` is not there yet | \"redis\" |  | \
               write backend = \"sqlite\" or backend = \"memory\""],
        ),
        (
            "backend = \"sqlit\"",
            &["unknown-name: there is no key-value backend named `sqlit` | \"sqlit\" | unknown key-value backend | \
               did you mean `sqlite`?"],
        ),
        (
            "backend = \"memory\"\npath = \"x\"",
            &[
                "exclusive-keys: a store in memory has no `path` | path |  | remove `path`, or write backend = \"sqlite\"",
            ],
        ),
        (
            "url = \"redis://x\"\nsize = \"big\"",
            &[
                "unknown-key: the store `cache` has no key `url` | url | unknown key | it may have `backend`, `path`, `size`, `type`",
                "invalid-value: `size` of the store `cache`: `big` is not a size | \"big\" |  | \
                 write a size such as \"64KiB\", \"64 MB\" or \"1GiB\", or a number of bytes",
            ],
        ),
    ];
    for (text, expected) in cases {
        check(&format!("[store.cache]\ntype = \"keyvalue\"\n{text}"), expected);
    }
}

#[test]
fn a_good_grant_is_prepared() {
    let directory = tempfile::tempdir().unwrap();
    let http =
        read(directory.path(), "[component.a.grants]\nhttp = \"https://a.example\"").prepare(directory.path()).unwrap();
    let Grant::Given(rules) = http else { panic!("denied") };
    let rules = rules.downcast::<egress::Rules>().unwrap();
    let decision = rules.allows(&http::Method::GET, &http::Uri::from_static("https://a.example/x"));
    assert_eq!(decision, egress::Decision::Allowed(egress::Reach::Public));

    let store = "[component.a.grants]\nkeyvalue = { store = \"cache\", prefix = \"p/\" }\n[store.cache]\ntype = \"keyvalue\"\n\
                 [store.other]\ntype = \"keyvalue\"\n";
    let Grant::Given(grant) = read(directory.path(), store).prepare(directory.path()).unwrap() else {
        panic!("denied")
    };
    let grant = grant.downcast::<kv::Grant>().unwrap();
    assert_eq!(grant.stores[0].rights, [kv::Right { prefix: "p/".to_owned(), write: false }]);
    assert!(matches!(grant.open("other", std::sync::Arc::default()), Err(kv::Error::AccessDenied)));
    assert!(directory.path().join(".coracle/cache.sqlite3").exists());
}

#[test]
fn a_store_that_can_not_be_opened_says_why() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("text"), "this is no database, but it is long enough for a header").unwrap();
    let text = |path: &str| {
        format!("[component.a.grants]\nkeyvalue = \"cache\"\n[store.cache]\ntype = \"keyvalue\"\npath = \"{path}\"\n")
    };
    for (path, said) in
        [("text", "the file can't be opened as an SQLite database"), ("text/below", "its directory can't be created")]
    {
        let error = read(directory.path(), &text(path)).prepare(directory.path()).err().unwrap();
        let place = directory.path().join(path);
        assert_eq!(error.message, format!("the store `cache` can't be opened at {}: {said}", place.display()));
    }
}
