//! `doctor` with an empty cache and an empty PATH: it says what is missing, and never fails itself.

use crate::support::Folder;

#[test]
fn a_bare_machine_is_told_what_to_install() {
    let folder = Folder::new();
    let run = |args: &[&str]| {
        let mut command = folder.command(args);
        command.env("PATH", folder.path()).env("CORACLE_CACHE", folder.path().join("cache"));
        folder.finished(&command.output().unwrap())
    };
    let ran = run(&["doctor"]);
    assert_eq!(ran.code, 1, "{}", ran.shown());
    for text in [
        "ok       cache directory: [DIR]/cache",
        "missing  cargo",
        "https://rustup.rs",
        "missing  python3",
        "coracle doctor --fix",
    ] {
        assert!(ran.stdout.contains(text), "no {text:?} in {}", ran.shown());
    }
    let json = run(&["doctor", "--json"]).json();
    assert_eq!(json["ok"], false);
    let findings = json["findings"].as_array().unwrap();
    let cargo = findings.iter().find(|finding| finding["what"] == "cargo").unwrap();
    assert_eq!(cargo["status"], "missing");
}

#[test]
fn a_cache_that_cannot_be_made_is_broken() {
    let folder = Folder::new();
    folder.write("file", "");
    let output = folder.command(&["doctor"]).env("CORACLE_CACHE", folder.path().join("file/cache")).output().unwrap();
    let ran = folder.finished(&output);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("broken   cache directory"), "{}", ran.shown());
}
