//! What the command line says about itself, and about what it doesn't understand.

use crate::support::Folder;

#[test]
fn help_texts_stay_as_they_were_read_aloud() {
    let folder = Folder::new();
    for (name, args) in [
        ("help", vec!["--help"]),
        ("help-up", vec!["up", "--help"]),
        ("help-check", vec!["check", "--help"]),
        ("help-inspect", vec!["inspect", "--help"]),
        ("help-doctor", vec!["doctor", "--help"]),
        ("help-rollout", vec!["rollout", "--help"]),
    ] {
        insta::assert_snapshot!(name, folder.run(&args).ok());
    }
}

#[test]
fn verbs_stand_in_the_order_of_the_journey() {
    let help = Folder::new().run(&["--help"]).ok();
    let at = |verb: &str| help.find(&format!("\n  {verb} ")).unwrap_or_else(|| panic!("no {verb} in {help}"));
    let places: Vec<_> = ["up", "check", "inspect", "schema", "doctor", "completions"].into_iter().map(at).collect();
    assert!(places.is_sorted(), "{help}");
}

#[test]
fn no_verb_shows_the_help() {
    let ran = Folder::new().run(&[]);
    assert!(ran.stderr.contains("Usage: coracle"), "{}", ran.shown());
    assert_eq!(ran.code, 2);
}

#[test]
fn what_is_not_understood_is_answered_with_what_could_be() {
    let folder = Folder::new();
    let mut text = String::new();
    for args in [
        vec!["chekc"],
        vec!["up", "--lisen", "127.0.0.1:0"],
        vec!["up", "--listen", "example.com:80"],
        vec!["up", "--memory", "lots"],
        vec!["up", "--shards", "0"],
        vec!["up", "--drain", "soon"],
        vec!["up", "--var", "NODE_PORT"],
        vec!["up", "--log-format", "xml"],
        vec!["up", "--admin", "127.0.0.1:1", "--no-admin"],
    ] {
        text += &format!("$ coracle {}\n{}\n", args.join(" "), folder.run(&args).failed(2));
    }
    insta::assert_snapshot!("not-understood", text);
}

#[test]
fn the_version_is_that_of_the_package() {
    assert_eq!(Folder::new().run(&["--version"]).ok(), format!("coracle {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn each_shell_gets_completions_of_each_verb() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = folder.run(&["completions", shell]).ok();
        for word in ["up", "check", "inspect", "schema", "doctor", "completions", "listen"] {
            assert!(script.contains(word), "no {word} for {shell}");
        }
    }
}

#[test]
fn colours_are_for_terminals_and_for_who_asks() {
    let folder = Folder::new();
    let run = |name: &str, value: &str| {
        folder.finished(&folder.command(&["check"]).env(name, value).output().unwrap()).failed(1)
    };
    assert!(!folder.run(&["check"]).failed(1).contains('\u{1b}'));
    assert!(run("CLICOLOR_FORCE", "1").contains("\u{1b}["), "{:?}", run("CLICOLOR_FORCE", "1"));
    let both = folder.command(&["check"]).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").output().unwrap();
    assert!(!folder.finished(&both).failed(1).contains('\u{1b}'));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = Folder::new();
    let mut child = folder
        .command(&["schema"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ran = folder.finished(&child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}
