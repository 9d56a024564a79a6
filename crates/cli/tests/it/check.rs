//! `check`: all findings at once, at their places, and nothing executed.

use crate::support::{Folder, guest_arg, manifest};
use std::fs::File;

#[test]
fn a_good_manifest_is_praised() {
    let folder = Folder::with(&manifest("app.wasm"));
    folder.guest("p3/hello", "app.wasm");
    let expected = "ok coracle.toml: 1 component, 1 route\n";
    assert_eq!(folder.run(&["check"]).ok(), expected);
    let elsewhere = Folder::new();
    let path = folder.path().to_str().unwrap();
    assert_eq!(elsewhere.run(&["check", path]).ok(), format!("ok {path}/coracle.toml: 1 component, 1 route\n"));
    let json = folder.run(&["check", "--json"]).json();
    assert_eq!(
        (&json["ok"], &json["errors"], json["diagnostics"].as_array().unwrap().len()),
        (&true.into(), &0.into(), 0)
    );
}

#[test]
fn a_manifest_with_mistakes_is_reported_whole() {
    let folder = Folder::with(
        "nam = \"app\"\n[component.app]\nsource = \"app.wasm\"\nmemory = \"1MiB\"\n[component.app.limits]\ndeadline = 2\n\
         [[route]]\npath = \"no-slash\"\nto = \"ap\"\n[upstream.node]\nurl = \"localhost:3000\"\n",
    );
    insta::assert_snapshot!("check-mistakes", folder.run(&["check"]).shown());
}

#[test]
fn grants_and_stores_are_checked_by_their_plugins() {
    let grants = r#"
[component.app.grants]
http = ["GET ftp://example.com", "FETCH https://example.com/**"]
files = [{ from = "nowhere", to = "/data" }, { from = ".", to = "data" }]
keyvalue = [{ store = "cahce", prefix = "a/" }]
config = ["colour"]

[store.cache]
type = "keyvalue"
backend = "sqlight"
"#;
    let folder = Folder::with(&(manifest("app.wasm") + grants));
    folder.guest("p2/kv", "app.wasm");
    insta::assert_snapshot!("check-grants", folder.run(&["check"]).shown());
}

#[test]
fn the_manifests_own_mistakes_hide_none_of_its_grants() {
    let folder = Folder::with(
        "name = \"app\"\n[component.app]\nsource = \"app.wasm\"\nlimts = {}\n[component.app.grants]\n\
         http = [\"api.example.com\"]\nkeyvalue = [{ store = \"cahe\" }]\n[store.cache]\ntype = \"keyvalue\"\n\
         [[route]]\npath = \"/*\"\nto = \"ap\"\n",
    );
    let shown = folder.run(&["check"]).shown();
    for part in ["did you mean `limits`?", "lacks a scheme", "did you mean `cache`?", "did you mean `app`?", "4 errors"]
    {
        assert!(shown.contains(part), "`{part}` is not in:\n{shown}");
    }
}

#[test]
fn json_findings_have_their_places() {
    let folder = Folder::with(&manifest("app.wasm").replace("to =", "too ="));
    let ran = folder.run(&["check", "--json"]);
    assert_eq!(ran.code, 1, "{}", ran.shown());
    let json = ran.json();
    assert_eq!(json["ok"], false);
    let found = json["diagnostics"].as_array().unwrap();
    let typo = found.iter().find(|item| item["code"] == "unknown-key").unwrap_or_else(|| panic!("{json:#}"));
    assert_eq!((&typo["span"]["line"], &typo["span"]["column"]), (&8.into(), &1.into()));
    assert_eq!(typo["file"], "coracle.toml");
}

#[test]
fn a_component_that_is_not_built_is_a_warning_with_the_command() {
    let text = manifest("app.wasm").replace("\n\n[[", "\nbuild = \"cargo build --release\"\n\n[[");
    let ran = Folder::with(&text).run(&["check"]);
    assert_eq!(ran.code, 0, "{}", ran.shown());
    insta::assert_snapshot!("check-not-built", ran.shown());
}

#[test]
fn imports_without_a_grant_are_told() {
    let folder = Folder::with(&manifest("app.wasm"));
    folder.guest("p3/fanout", "app.wasm");
    let lenient = folder.run(&["check"]);
    assert_eq!(lenient.code, 0, "{}", lenient.shown());
    assert!(
        lenient.stdout.contains("was not granted `http`, so each such call is answered with \"denied\""),
        "{}",
        lenient.shown()
    );
    assert!(lenient.stdout.contains("add `http = …` under [component.app.grants]"));
    folder.write("coracle.toml", manifest("app.wasm").replace("\n\n[[", "\nstrict = true\n\n[["));
    let strict = folder.run(&["check"]);
    assert_eq!(strict.code, 1, "{}", strict.shown());
    assert!(strict.stdout.contains("so it can't be loaded"), "{}", strict.shown());
}

#[test]
fn broken_components_are_errors() {
    let folder = Folder::new();
    let whole = std::fs::read(guest_arg("p3/hello")).unwrap();
    folder.write("cut.wasm", &whole[..whole.len() / 2]);
    folder.write("empty.wasm", "");
    folder.write("page.wasm", "<!DOCTYPE html><title>404</title>");
    folder.write("module.wasm", b"\0asm\x01\0\0\0");
    File::create(folder.path().join("huge.wasm")).unwrap().set_len(300 << 20).unwrap();
    let mut text = String::new();
    for name in ["cut", "empty", "page", "module", "huge"] {
        let file = format!("{name}.wasm");
        let ran = folder.run(&["check", &file]);
        assert_eq!(ran.code, 1, "{}", ran.shown());
        text += &ran.stdout.lines().next().unwrap().replace(&whole.len().to_string(), "[SIZE]");
        text += "\n";
    }
    let digits = |text: &str| text.replace(&(whole.len() / 2).to_string(), "[HALF]");
    assert!(digits(&text).contains("cut short"), "{text}");
    insta::assert_snapshot!("check-components", text.lines().skip(1).collect::<Vec<_>>().join("\n"));
}

#[test]
fn variants_and_variables_are_those_of_up() {
    let text = manifest("app.wasm").replace("app.wasm", "{{ FILE }}") + "[env.prod.component.app]\nstrict = true\n";
    let folder = Folder::with(&text);
    folder.guest("p3/hello", "app.wasm");
    let unset = folder.run(&["check"]);
    assert_eq!(unset.code, 1);
    assert!(unset.stdout.contains("the variable `FILE` is not set"), "{}", unset.shown());
    folder.run(&["check", "--var", "FILE=app.wasm", "--variant", "prod"]).ok();
    let output = folder.command(&["check"]).env("FILE", "app.wasm").output().unwrap();
    folder.finished(&output).ok();
    let unknown = folder.run(&["check", "--var", "FILE=app.wasm", "--variant", "prd"]);
    assert!(unknown.stdout.contains("did you mean `prod`?"), "{}", unknown.shown());
}

#[test]
fn a_manifest_that_is_not_there_is_looked_for() {
    let folder = Folder::new();
    let mut text = String::new();
    folder.write("deep/er/keep", "");
    for args in [
        vec!["check"],
        vec!["check", "deep"],
        vec!["check", "shop.toml"],
        vec!["up", "thumbs.wasm"],
        vec!["up", "shop"],
    ] {
        text += &format!("$ coracle {}\n{}", args.join(" "), folder.run(&args).failed(1));
    }
    folder.write("coracle.toml", manifest("app.wasm"));
    text += &format!("$ coracle check deep/er\n{}", folder.run(&["check", "deep/er"]).failed(1));
    insta::assert_snapshot!("check-missing", text);
}
