//! `inspect`: what a component is and may do.

use crate::support::{Folder, guest_arg, manifest};

#[test]
fn a_component_shows_its_world_imports_and_needs() {
    let folder = Folder::new();
    for (guest, world) in [("p3/fanout", "wasi:http/handler@0.3."), ("p2/fanout", "wasi:http/incoming-handler@0.2.")] {
        let path = guest_arg(guest);
        let json = folder.run(&["inspect", "--json", &path]).json();
        let component = &json["components"][0];
        assert!(component["world"].as_str().unwrap().contains(world), "{json:#}");
        assert_eq!(component["serves_http"], true);
        assert_eq!(component["needs"][0]["grant"], "http");
        assert_eq!(component["needs"][0]["granted"], false);
        assert_eq!(component["unknown"].as_array().unwrap().len(), 0, "{json:#}");
        let text = folder.run(&["inspect", &path]).ok();
        assert!(text.contains("not granted: its calls are answered with \"denied\""), "{text}");
        assert!(text.contains("sha256:"), "{text}");
    }
}

#[test]
fn a_manifest_shows_grants_and_limits_in_force() {
    let more = "[component.app.grants]\nhttp = [\"GET https://api.example.com/**\"]\n[component.app.limits]\nmemory = \"64MiB\"\ndeadline = \"2s\"\n";
    let folder = Folder::with(&(manifest("app.wasm") + more));
    folder.guest("p3/fanout", "app.wasm");
    let text = folder.run(&["inspect", "--limits"]).ok();
    let from = text.find("  grants ").unwrap();
    insta::assert_snapshot!("inspect-limits", &text[from..]);
    let json = folder.run(&["inspect", "--json"]).json();
    assert_eq!(json["components"][0]["limits"]["memory"], 64 << 20);
    assert_eq!(json["components"][0]["limits"]["deadline"], "2s");
    assert_eq!(json["components"][0]["needs"][0]["granted"], true);
}

#[test]
fn what_is_broken_is_told_as_check_tells_it() {
    let folder = Folder::with("name = \"app\"\nverison = 1\n");
    assert!(folder.run(&["inspect"]).failed(1).contains("verison"));
    folder.write("module.wasm", b"\0asm\x01\0\0\0");
    assert!(folder.run(&["inspect", "module.wasm"]).failed(1).contains("module.wasm: this is a core module"));
}
