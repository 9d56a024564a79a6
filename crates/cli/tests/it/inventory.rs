//! `inventory`: every form of report, what is wrong with an input and what is done about it, changes since a revision,
//! workspaces, and a recorded run.

use crate::support::Folder;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

const SERVER: &str = "const http = require('node:http');
const { sum } = require('./sum');
http.createServer(function answer(request, response) { response.end(String(sum(20000))); }).listen(0, '127.0.0.1');
";
const SUM: &str = "exports.sum = function sum(n) { let t = 0; for (let i = 0; i < n; i++) for (let j = 0; j < 8; j++) t = (t * 31 + (i ^ j)) >>> 0; return t; };\n";

fn project() -> Folder {
    let folder = Folder::new();
    folder.write("package.json", r#"{"name":"app","main":"server.js"}"#);
    folder.write("server.js", SERVER);
    folder.write("sum.js", SUM);
    folder
}

#[test]
fn every_form_of_report_is_written_by_its_name() {
    let folder = project();
    let mut args = vec!["inventory", "--no-cache"];
    for name in ["out.html", "out.json", "out.md", "out.sarif"] {
        args.extend(["--report", name]);
    }
    let ran = folder.run(&args);
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(ran.stdout.contains("entry points: server.js"), "{}", ran.shown());
    assert!(ran.stderr.contains("wrote out.html") && ran.stderr.contains("wrote out.sarif"), "{}", ran.shown());
    let text = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text("out.json")).unwrap();
    assert_eq!((&json["format"], &json["profiled"]), (&1.into(), &false.into()));
    assert!(json["units"].as_array().unwrap().iter().any(|unit| unit["name"] == "* /"), "{json:#}");
    let sarif: serde_json::Value = serde_json::from_str(&text("out.sarif")).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    assert!(text("out.html").starts_with("<!doctype html>") && text("out.html").contains("\"format\": 1"));
    assert!(text("out.md").starts_with("## Worth moving"));
    let printed = folder.run(&["inventory", "--no-cache", "--json"]).json();
    assert_eq!(printed["units"], json["units"]);
}

#[test]
fn command_lines_that_make_no_sense_are_refused_before_anything_is_read() {
    let folder = project();
    folder.write("file", "");
    let mut text = String::new();
    for args in [
        vec!["inventory", "nowhere"],
        vec!["inventory", "file"],
        vec!["inventory", "--report", "out.pdf"],
        vec!["inventory", "--for", "2s"],
        vec!["inventory", "--top", "many"],
    ] {
        text += &format!("$ coracle {}\n{}", args.join(" "), folder.run(&args).failed(2));
    }
    insta::assert_snapshot!("inventory-usage", text);
}

#[test]
fn what_has_to_be_mended_is_named() {
    let folder = project();
    folder.write("gains.json", "[1]");
    let mut text = String::new();
    for args in [
        vec!["inventory", "--no-cache", "--measured", "gains.json"],
        vec!["inventory", "--no-cache", "--measured", "none.json"],
        vec!["inventory", "--no-cache", "--report", "missing/out.json"],
        vec!["inventory", "--no-cache", "--", "no-such-program-anywhere"],
        vec!["inventory", "--no-cache", "--drive", "true", "--", "node", "-e", "0"],
    ] {
        text += &format!("$ coracle {}\n{}", args.join(" "), folder.run(&args).failed(1));
    }
    insta::assert_snapshot!("inventory-mend", text);
}

#[test]
fn broken_input_gives_partial_results_with_notes() {
    let empty = Folder::new();
    let said = empty.run(&["inventory", "--no-cache"]).ok();
    assert!(said.contains("no entry point was found; name one with --entry"), "{said}");
    assert!(said.contains("package.json: this file can't be read"), "{said}");
    let folder = project();
    folder.write("package.json", "{\"name\": ");
    folder.write("sum.js", "exports.sum = function (n) {{{ return ;\n");
    folder.write("cut.cpuprofile", "{\"nodes\":[{\"id\":1,");
    let ran = folder.run(&[
        "inventory",
        "--no-cache",
        "--profile",
        "cut.cpuprofile",
        "--coverage",
        "none",
        "--heap",
        "sum.js",
    ]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.shown());
    for part in ["this is not a package.json", "sum.js:", "the profile is cut off", "the coverage can't be read"] {
        assert!(ran.stdout.contains(part), "`{part}` is not in {}", ran.shown());
    }
    assert!(ran.stdout.contains("* / (server.js:3)"), "{}", ran.shown());
}

#[test]
fn a_file_that_may_not_be_read_is_a_note() {
    let folder = project();
    let file = folder.path().join("sum.js");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o000)).unwrap();
    let readable = std::fs::read(&file).is_ok();
    let said = folder.run(&["inventory", "--no-cache"]).ok();
    if readable {
        // Nothing is closed to root, not even for this test.
        assert!(said.starts_with("2 files,") && !said.contains("Not in this result"), "{said}");
    } else {
        assert!(said.contains("Not in this result") && said.contains("sum.js: "), "{said}");
    }
}

#[test]
fn since_keeps_what_has_changed() {
    let folder = project();
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@example.com"]).args(args).current_dir(folder.path());
        assert!(command.output().unwrap().status.success(), "git {args:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "one"]);
    let names = |args: &[&str]| -> Vec<String> {
        let json = folder.run(args).json();
        json["units"].as_array().unwrap().iter().map(|unit| unit["file"].as_str().unwrap().to_owned()).collect()
    };
    assert!(names(&["inventory", "--no-cache", "--json", "--since", "HEAD"]).is_empty());
    folder.write("sum.js", SUM.replace("31", "33"));
    let changed = names(&["inventory", "--no-cache", "--json", "--since", "HEAD"]);
    assert!(!changed.is_empty() && changed.iter().all(|file| file == "sum.js" || file == "server.js"), "{changed:?}");
    let unknown = folder.run(&["inventory", "--no-cache", "--since", "no-such-revision"]).failed(1);
    assert!(unknown.contains("git has no difference to \"no-such-revision\""), "{unknown}");
    // A revision is no option of git.
    let option = folder.run(&["inventory", "--no-cache", "--since=--output=stolen"]).failed(1);
    assert!(option.contains("git has no difference"), "{option}");
    assert!(!folder.path().join("stolen").exists());
}

#[test]
fn workspaces_are_followed_as_each_package_manager_writes_them() {
    for (name, root, more) in [
        ("npm and yarn", r#"{"workspaces":["packages/*","!packages/left"]}"#, ""),
        ("yarn 1", r#"{"workspaces":{"packages":["packages/*","!packages/left"]}}"#, ""),
        ("pnpm", "{}", "packages:\n  - 'packages/*'\n  - '!packages/left'\n"),
    ] {
        let folder = Folder::new();
        folder.write("package.json", root);
        if !more.is_empty() {
            folder.write("pnpm-workspace.yaml", more);
        }
        folder.write("packages/web/package.json", r#"{"name":"@app/web","main":"server.js"}"#);
        folder.write("packages/web/server.js", SERVER.replace("./sum", "@app/sum"));
        folder.write("packages/sum/package.json", r#"{"name":"@app/sum","exports":{".":"./sum.js"}}"#);
        folder.write("packages/sum/sum.js", SUM);
        folder.write("packages/left/package.json", r#"{"name":"@app/left","main":"left.js"}"#);
        folder.write("packages/left/left.js", SUM);
        // As each of them links a workspace.
        std::fs::create_dir_all(folder.path().join("node_modules/@app")).unwrap();
        std::os::unix::fs::symlink("../../packages/sum", folder.path().join("node_modules/@app/sum")).unwrap();
        let json = folder.run(&["inventory", "--no-cache", "--json"]).json();
        assert_eq!(json["scope"]["own_files"], 2, "{name}: {:#}", json["notes"]);
        let entries = json["scope"]["entries"].as_array().unwrap();
        assert!(entries.contains(&"packages/web/server.js".into()), "{name}: {entries:?}");
        assert!(entries.iter().all(|entry| !entry.as_str().unwrap().contains("left")), "{name}: {entries:?}");
        let units = json["units"].as_array().unwrap();
        assert!(units.iter().any(|unit| unit["file"] == "packages/sum/sum.js"), "{name}");
    }
}

#[test]
fn a_recorded_run_has_costs_counts_and_samples() {
    let folder = project();
    let drive = "node -e 'const get = async (n) => { for (let i = 0; i < n; i++) await (await fetch(process.env.URL)).text(); }; get(60)'";
    let ran = folder.run(&["inventory", "--no-cache", "--json", "--drive", drive, "--", "node", "server.js"]);
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(ran.stderr.contains("recording the app at http://127.0.0.1:"), "{}", ran.shown());
    let json = ran.json();
    assert_eq!(json["profiled"], true);
    let route = json["units"].as_array().unwrap().iter().find(|unit| unit["kind"] == "route").unwrap();
    assert_eq!(route["cost"]["calls"], 60, "{route:#}");
    assert!(route["cost"]["share"].as_f64().unwrap() > 0.05, "{route:#}");
    assert_eq!((&route["bytes_from"], &route["samples"][0]["url"]), (&"recorded".into(), &"/".into()));
    // By time alone, with nobody asking.
    let ran = folder.run(&["inventory", "--no-cache", "--json", "--for", "100ms", "--", "node", "server.js"]);
    assert_eq!((ran.code, &ran.json()["profiled"]), (0, &true.into()), "{}", ran.shown());
}
