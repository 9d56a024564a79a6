//! Any project is read to an end: package.json and sources that refer to each other, and one file's facts alone.
//!
//! The input's parts are separated by NUL bytes: `package.json`, `a.ts`, `b.js`, `c.tsx`, `d.mjs`, in this order. With one part
//! only, it is a source whose language its last byte tells.
#![no_main]

use coracle_inventory::{Options, run, syntax};
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::path::Path;
use std::thread;

const FILES: [&str; 5] = ["package.json", "a.ts", "b.js", "c.tsx", "d.mjs"];

fuzz_target!(|bytes: &[u8]| {
    let parts: Vec<&[u8]> = bytes.splitn(FILES.len(), |byte| *byte == 0).collect();
    match parts.as_slice() {
        [source] => one(source),
        parts => project(parts),
    }
});

/// On a thread with the stack that the parser is promised.
fn one(source: &[u8]) {
    let names = ["x.ts", "x.js", "x.tsx", "x.mjs", "x.cjs"];
    let name = names[usize::from(source.last().copied().unwrap_or(0)) % names.len()];
    let text = String::from_utf8_lossy(source);
    thread::scope(|scope| {
        let read = || syntax::read(Path::new(name), &text);
        let read = thread::Builder::new().stack_size(syntax::STACK).spawn_scoped(scope, read);
        let facts = read.expect("a thread starts").join().expect("reading never panics");
        assert!(facts.lines >= 1);
    });
}

fn project(parts: &[&[u8]]) {
    let folder = tempfile::tempdir_in(if Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "/tmp" });
    let folder = folder.expect("a folder can be made");
    for (name, part) in FILES.iter().zip(parts) {
        fs::write(folder.path().join(name), part).expect("a file can be written");
    }
    let entries = vec![folder.path().join("a.ts"), folder.path().join("b.js")];
    let options = Options { root: folder.path().to_owned(), entries, ..Options::default() };
    let inventory = run(&options, &|_| {});
    serde_json::to_string(&inventory).expect("an inventory can be written down");
}
