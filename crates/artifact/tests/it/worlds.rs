//! What a component is, by its imports and exports; names and versions; warnings.

use coracle_artifact::{Adapted, Digest, Interface, Options, Refusal, Warning, World, runnable};
use semver::Version;

use crate::fixtures::{admitted, exporting, wat};

fn world(names: &[&str]) -> World {
    admitted(wat(&exporting(names))).unwrap().world
}

fn refusal_to_serve(text: &str) -> String {
    admitted(wat(text)).unwrap().serve().unwrap_err().to_string()
}

#[test]
fn worlds_by_exports() {
    let service = |version| World::HttpService03 { version };
    assert_eq!(world(&["wasi:http/handler@0.3.0"]), service(Version::new(0, 3, 0)));
    assert_eq!(world(&["wasi:http/handler@0.3.2", "wasi:cli/run@0.3.0"]), service(Version::new(0, 3, 2)));
    assert_eq!(world(&["wasi:http/handler@0.3.2", "wasi:http/handler@0.3.10"]), service(Version::new(0, 3, 10)));
    assert_eq!(
        world(&["wasi:http/incoming-handler@0.2.12", "wasi:http/handler@0.3.0"]),
        service(Version::new(0, 3, 0))
    );
    assert_eq!(world(&["wasi:http/incoming-handler@0.2.3"]), World::HttpProxy02 { version: Version::new(0, 2, 3) });
    assert_eq!(world(&["wasi:cli/run@0.3.1"]), World::Command03);
    assert_eq!(world(&["wasi:cli/run@0.2.1"]), World::Command02);
    assert_eq!(world(&["acme:shop/prices@1.0.0"]), World::Other);
    assert_eq!(world(&["acme:http/handler@0.3.0"]), World::Other);
    assert_eq!(world(&[]), World::Other);
}

#[test]
fn only_http_worlds_are_served() {
    for name in ["wasi:http/handler@0.3.0", "wasi:http/incoming-handler@0.2.0"] {
        let admitted = admitted(wat(&exporting(&[name]))).unwrap();
        assert!(admitted.world.is_http());
        admitted.serve().unwrap();
    }
    let middleware = "(component (import \"wasi:http/handler@0.3.0\" (instance $i)) (export \"wasi:http/handler@0.3.0\" (instance $i)))";
    assert_eq!(
        refusal_to_serve(middleware),
        "this is an HTTP middleware: it imports `wasi:http/handler@0.3.0` itself and needs a service behind it; compose the two into one \
         component with `wac plug` and serve that"
    );
    assert_eq!(
        refusal_to_serve(&exporting(&["wasi:cli/run@0.3.0"])),
        "this is a command (it exports `wasi:cli/run@0.3.0`) and answers no HTTP; run it with `coracle run`; to serve HTTP it has to \
         export `wasi:http/handler` (0.3) or `wasi:http/incoming-handler` (0.2)"
    );
    assert_eq!(
        refusal_to_serve(&exporting(&["wasi:http/handler@0.4.0"])),
        "it exports `wasi:http/handler@0.4.0`, and this Coracle serves WASI 0.3 and 0.2; upgrade Coracle, or rebuild the component for \
         WASI 0.3"
    );
    assert_eq!(
        refusal_to_serve("(component)"),
        "it exports nothing; to be served it has to export `wasi:http/handler` (0.3) or `wasi:http/incoming-handler` (0.2): check the \
         world it was built for"
    );
    let many: Vec<String> = (0..20).map(|n| format!("acme:shop/i{n}")).collect();
    let text = refusal_to_serve(&exporting(&many.iter().map(String::as_str).collect::<Vec<_>>()));
    assert!(text.contains("`acme:shop/i7`, and to be served") && !text.contains("i8"), "{text}");
}

#[test]
fn plain_names_are_kept_apart() {
    let text = "(component (import \"log\" (func $f)) (import \"acme:shop/prices@1.2.3\" (instance)) (export \"run\" (func $f)))";
    let admitted = admitted(wat(text)).unwrap();
    assert_eq!(admitted.imports.iter().map(ToString::to_string).collect::<Vec<_>>(), ["acme:shop/prices@1.2.3"]);
    assert_eq!((admitted.plain_imports, admitted.plain_exports), (vec!["log".to_owned()], vec!["run".to_owned()]));
    assert_eq!(admitted.exports, []);
}

#[test]
fn modules_and_instances_are_counted_on_all_levels() {
    let text = "(component
        (core module $m) (core instance (instantiate $m)) (core instance (instantiate $m)) (core instance)
        (component $c (core module $n) (core instance (instantiate $n)))
        (instance (instantiate $c)))";
    let bytes = wat(text);
    let admitted = admitted(bytes.clone()).unwrap();
    assert_eq!((admitted.core_modules, admitted.core_instances), (2, 3));
    assert_eq!((admitted.size, admitted.digest), (bytes.len() as u64, Digest::of(&bytes)));
    assert_eq!(*admitted.bytes, *bytes);
}

#[test]
fn digest_is_sha256() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(Digest::of(b"").to_string(), format!("sha256:{empty}"));
    assert_eq!(Digest::of(b"").hex(), empty);
}

fn interface(text: &str) -> Interface {
    Interface::parse(text).unwrap_or_else(|| panic!("{text} is an interface"))
}

#[test]
fn interfaces_parse_and_print() {
    let types = interface("wasi:http/types@0.3.0");
    assert_eq!((types.namespace.as_str(), types.package.as_str(), types.name.as_str()), ("wasi", "http", "types"));
    assert_eq!(types.version, Some(Version::new(0, 3, 0)));
    assert!(types.is("wasi:http", "types") && types.is_of("wasi:http") && types.on_track(0, 3));
    assert!(
        !types.is("wasi:http", "handler")
            && !types.is_of("wasi:https")
            && !types.is_of("http")
            && !types.on_track(0, 2)
    );
    for text in ["wasi:http/types@0.3.0", "acme:shop/prices", "wasi:http/types@0.3.0-rc-2026-03-15", "a:b/c@1.2.3-x+y"]
    {
        assert_eq!(interface(text).to_string(), text);
    }
    for text in [
        "",
        "run",
        "wasi:http",
        "wasi:http/",
        "wasi:http/types@",
        "wasi:http/types@3",
        "url=<x>",
        "[method]a.b",
        "a:b/c@1.0.0\u{1b}",
    ] {
        assert_eq!(Interface::parse(text), None, "{text}");
    }
}

#[test]
fn versions_of_one_track_link() {
    let links = |a: &str, b: &str| interface(a).links_with(&interface(b));
    for (import, offered) in [
        ("a:b/c@0.2.3", "a:b/c@0.2.12"),
        ("a:b/c@0.3.2", "a:b/c@0.3.0"),
        ("a:b/c@1.0.0", "a:b/c@1.9.0"),
        ("a:b/c@0.0.1", "a:b/c@0.0.1"),
        ("a:b/c", "a:b/c"),
        ("a:b/c@0.2.0-draft", "a:b/c@0.2.0-draft"),
    ] {
        assert!(links(import, offered), "{import} links with {offered}");
    }
    for (import, offered) in [
        ("a:b/c@0.2.0", "a:b/c@0.3.0"),
        ("a:b/c@0.2.0-draft", "a:b/c@0.2.0"),
        ("a:b/c@0.2.0-draft", "a:b/c@0.2.0-draft2"),
        ("a:b/c@0.0.1", "a:b/c@0.0.2"),
        ("a:b/c@1.0.0", "a:b/c@2.0.0"),
        ("a:b/c", "a:b/c@1.0.0"),
        ("a:b/c@1.0.0", "a:b/d@1.0.0"),
        ("a:b/c@1.0.0", "a:x/c@1.0.0"),
        ("a:b/c@1.0.0", "x:b/c@1.0.0"),
    ] {
        assert!(!links(import, offered), "{import} does not link with {offered}");
    }
}

fn warned(version: &str, body: &str) -> Vec<Warning> {
    let text = format!("(component (@producers (processed-by \"wit-bindgen-rust\" \"{version}\")) {body})");
    admitted(wat(&text)).unwrap().warnings
}

#[test]
fn skewed_wit_bindgen_is_warned_about() {
    let waits = "(core func (canon waitable-set.new))";
    for version in ["0.53.0", "0.58.1"] {
        assert_eq!(warned(version, waits), [Warning::WitBindgenSkew { version: version.to_owned() }]);
        assert_eq!(warned(version, ""), [], "without waiting there is no trap");
    }
    for version in ["0.52.0", "0.59.0", "1.53.0", "0", "", "0.x.1"] {
        assert_eq!(warned(version, waits), [], "{version}");
    }
    assert_eq!(
        warned("0.57.0", waits)[0].to_string(),
        "it was generated by wit-bindgen 0.57.0, whose async code traps on current runtimes with \"waitable cannot be used \
         synchronously while added to a waitable set\"; rebuild it with wit-bindgen 0.59 or newer"
    );
}

#[test]
fn the_last_release_candidate_gets_the_names_of_the_release() {
    let name = "wasi:http/handler@0.3.0-rc-2026-03-15";
    let nested = format!("(component $n (instance $i) (export \"{name}\" (instance $i)))");
    let text = format!(
        "(component (import \"wasi:cli/environment@0.3.0-rc-2026-03-15\" (instance $e)) {nested} \
         (instance $i (instantiate $n)) (alias export $i \"{name}\" (instance $h)) (export \"{name}\" (instance $h)))"
    );
    let bytes = wat(&text);
    let admitted = admitted(bytes.clone()).unwrap();
    assert_eq!(admitted.adapted, Some(Adapted::Candidate));
    assert_eq!(admitted.world, World::HttpService03 { version: Version::new(0, 3, 0) });
    assert_eq!(admitted.imports, [Interface::parse("wasi:cli/environment@0.3.0").unwrap()]);
    assert_eq!(admitted.digest, Digest::of(&bytes), "the digest is of the bytes as they came");
    assert_eq!(admitted.code, Digest::of(&admitted.bytes));
    assert_ne!(admitted.code, admitted.digest);
    assert_eq!(runnable(bytes, &Options::default()).unwrap(), *admitted.bytes);
}

#[test]
fn core_modules_of_wasi_0_1_become_commands() {
    let module = |body: &str| {
        wat(&format!(
            "(module (import \"wasi_snapshot_preview1\" \"proc_exit\" (func (param i32))) (memory (export \"memory\") 1) {body})"
        ))
    };
    let bytes = module("(func (export \"_start\"))");
    let command = admitted(bytes.clone()).unwrap();
    assert_eq!((command.adapted, &command.world), (Some(Adapted::Preview1), &World::Command02));
    assert_eq!((command.digest, command.size), (Digest::of(&bytes), bytes.len() as u64));
    command.run().unwrap();
    // What imports more than WASI 0.1 has can't be completed.
    let odd = wat("(module (import \"wasi_snapshot_preview1\" \"fd_teleport\" (func)) (memory (export \"memory\") 1) \
                   (func (export \"_start\")))");
    let refusal = admitted(odd).unwrap_err().to_string();
    assert!(refusal.starts_with("this is a core module of WASI 0.1 that can't be made a component: "), "{refusal}");
    assert!(refusal.contains("fd_teleport"), "{refusal}");
    // Nor is a damaged one.
    assert!(matches!(admitted(module("(func (export \"_start\") i32.const 1)")), Err(Refusal::Damaged { .. })));
}
