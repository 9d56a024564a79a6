//! The sentence of each refusal, on files a person may really give and on crafted ones.

use coracle_artifact::{Options, Refusal, admit, load, read};

use crate::fixtures::{admitted, committed, wat};

#[track_caller]
fn refused(bytes: impl Into<Vec<u8>>, expected: &str) {
    assert_eq!(admitted(bytes.into()).unwrap_err().to_string(), expected);
}

#[track_caller]
fn refused_as(bytes: impl Into<Vec<u8>>, start: &str) {
    let text = admitted(bytes.into()).unwrap_err().to_string();
    assert!(text.starts_with(start), "{text:?} does not start with {start:?}");
}

#[test]
fn paths_that_give_no_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let text = |name: &str, limit| read(&at(name), limit).unwrap_err().to_string();
    std::fs::write(at("empty.wasm"), "").unwrap();
    std::fs::write(at("large.wasm"), vec![0; 3_000_000]).unwrap();
    assert_eq!(text("none.wasm", 10), "there is no such file; build the component first, or correct the path");
    assert_eq!(text("empty.wasm/x", 10), "there is no such file; build the component first, or correct the path");
    assert_eq!(
        text(".", 10),
        "this is a directory; give the path of a .wasm file inside it, or run `coracle up` where coracle.toml is"
    );
    assert_eq!(
        text("empty.wasm", 10),
        "the file is empty; the build or copy that wrote it did not finish, run it again"
    );
    assert_eq!(
        text("large.wasm", 2 << 20),
        "the file is too large: 3 MiB where at most 2 MiB are allowed; make sure it is the component itself, built in release mode"
    );
    assert_eq!(read(&at("large.wasm"), 3_000_000).unwrap().len(), 3_000_000);
    // Refused by its length, before a byte is read.
    std::fs::File::create(at("sparse.wasm")).unwrap().set_len((256 << 20) + 1).unwrap();
    let sparse = load(&at("sparse.wasm"), &Options::default()).unwrap_err().refusal.to_string();
    assert!(sparse.starts_with("the file is too large: 257 MiB where at most 256 MiB are allowed"), "{sparse}");
    // A device without an end.
    assert_eq!(
        read("/dev/zero".as_ref(), 10).unwrap_err().to_string(),
        "this is not a regular file; give the path of a .wasm file"
    );
}

#[test]
fn a_named_pipe_is_refused_without_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.wasm");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(matches!(read(&pipe, 10), Err(Refusal::NotAFile)));
}

#[test]
fn load_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.wasm");
    std::fs::write(&path, "PK\x03\x04").unwrap();
    assert_eq!(
        load(&path, &Options::default()).unwrap_err().to_string(),
        format!(
            "{}: this is not WebAssembly: it looks like a zip archive; unpack it and give the .wasm file inside",
            path.display()
        )
    );
    std::fs::write(&path, wat("(component)")).unwrap();
    assert_eq!(load(&path, &Options::default()).unwrap().size, 8);
    let small = Options { max_bytes: 7, ..Options::default() };
    assert!(matches!(load(&path, &small).unwrap_err().refusal, Refusal::TooLarge { size: 8, limit: 7 }));
    assert!(matches!(admit(vec![0; 8], &small), Err(Refusal::TooLarge { size: 8, limit: 7 })));
}

#[test]
fn files_that_are_not_webassembly() {
    refused("", "the file is empty; the build or copy that wrote it did not finish, run it again");
    let say = |bytes: &[u8], what: &str| refused_as(bytes, &format!("this is not WebAssembly: {what}"));
    say(b"\x1f\x8b\x08\0\0\0\0\0", "it looks like a gzip archive; unpack it");
    say(b"\x28\xb5\x2f\xfd\x04\0", "it looks like a zstd archive");
    say(b"\x7fELF\x02\x01\x01\0", "it looks like an ELF file: a native Linux program, or code precompiled by Wasmtime");
    say(b"MZ\x90\0\x03\0\0\0", "it looks like a native Windows program");
    say(b"\xcf\xfa\xed\xfe\x07\0\0\x01", "it looks like a native macOS program");
    say(b"\n<!DOCTYPE html><html>404", "it looks like an HTML or XML page, as a failed download leaves behind");
    say(b"{\"name\": \"shop\"}", "it looks like JSON");
    say(b"[\"a\", 1]", "it looks like JSON");
    say(b"[package]\nname = \"shop\"", "it looks like a text file");
    say(
        b"// a server\nimport http from 'node:http'\n",
        "it looks like JavaScript or TypeScript source; build a component",
    );
    say(b"'use strict'\nconst x = 1", "it looks like JavaScript");
    say(b"#!/usr/bin/env node\n", "it looks like JavaScript");
    say(b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "it is a Git LFS pointer");
    say("Grüße".as_bytes(), "it looks like a text file");
    say(b"\x01\x02", "it begins with the bytes 01 02 00 00 where WebAssembly begins with 00 61 73 6d");
    let mut tar = vec![b'a'; 512];
    tar[257..262].copy_from_slice(b"ustar");
    say(&tar, "it looks like a tar archive");
    // Text whose first kilobyte ends within a character is still text.
    say("aß".repeat(600).as_bytes(), "it looks like a text file");
}

#[test]
fn webassembly_text() {
    let sentence = "this is WebAssembly text (.wat), not a binary; turn it into one with `wasm-tools parse component.wat -o component.wasm`";
    refused("(module)", sentence);
    refused(";; a comment\n\n  (component $shop\n)", sentence);
}

#[test]
fn core_modules() {
    let build = "build the source as a component, in Rust with `cargo build --target wasm32-wasip2`";
    refused(wat("(module)"), &format!("this is a core module, not a component; {build}"));
    let importing = |module: &str, name: &str| {
        wat(&format!("(module (import \"other\" \"f\" (func)) (import \"{module}\" \"{name}\" (func)))"))
    };
    refused(
        importing("wasi_snapshot_preview1", "fd_write"),
        &format!(
            "this is a core module, not a component; it was built for WASI 0.1 (wasm32-wasip1), and has neither `_start` nor the types of a world: {build}"
        ),
    );
    refused_as(
        importing("wbg", "x"),
        "this is a core module, not a component; it was built by wasm-bindgen or wasm-pack for JavaScript",
    );
    refused_as(
        importing("__wbindgen_placeholder__", "x"),
        "this is a core module, not a component; it was built by wasm-bindgen",
    );
    refused_as(
        importing("env", "emscripten_date_now"),
        "this is a core module, not a component; it was built by Emscripten",
    );
    refused_as(
        importing("gojs", "runtime.wasmExit"),
        "this is a core module, not a component; it was built by Go for JavaScript",
    );
    // Damage after the header does not change what it is.
    refused_as(*b"\0asm\x01\0\0\0\xff\xff\xff", "this is a core module, not a component; build");
}

#[test]
fn headers() {
    for cut in 1..8 {
        refused(
            b"\0asm\x0d\0\x01"[..cut.min(7)].to_vec(),
            &format!("the file is cut short: the header ends at byte {cut} of {cut}; build it or copy it again"),
        );
    }
    refused(
        *b"\0asm\x0c\0\x01\0",
        "this is a component in an outdated draft of the binary format (0x0c); rebuild it with tools released since 2024",
    );
    for header in [b"\0asm\x02\0\0\0", b"\0asm\x0e\0\x01\0", b"\0asm\x01\0\x02\0", b"\0asm\xff\xff\xff\xff"] {
        assert!(matches!(admitted(header.to_vec()), Err(Refusal::UnknownVersion { .. })), "{header:?}");
    }
    admitted(b"\0asm\x0d\0\x01\0".to_vec()).unwrap();
}

#[test]
fn drafts_of_wasi() {
    let importing = |name: &str| wat(&format!("(component (import \"{name}\" (instance)))"));
    refused(
        importing("wasi:http/types@0.3.0-rc-2026-02-09"),
        "it uses `wasi:http/types@0.3.0-rc-2026-02-09`, a draft of WASI that was never released and that this host does not have; rebuild \
         it for the released WASI 0.3: in Rust with the crates wasip3 0.10 and wit-bindgen 0.59 or newer, in Python with componentize-py \
         0.25 or newer",
    );
    refused(
        wat("(component (instance $i) (export \"wasi:http/incoming-handler@0.2.0-rc-2023-12-05\" (instance $i)))"),
        "it uses `wasi:http/incoming-handler@0.2.0-rc-2023-12-05`, a draft of WASI that was never released and that this host does not \
         have; rebuild it for the released WASI 0.2 with tools of 2024 or later: Rust's target wasm32-wasip2, jco, or componentize-py",
    );
    refused_as(importing("wasi:io/streams"), "it uses `wasi:io/streams`, a draft of WASI");
    // Packages that only exist as drafts are not outdated.
    for name in [
        "wasi:keyvalue/store@0.2.0-draft2",
        "wasi:config/store@0.2.0-rc.1",
        "wasi:logging/logging",
        "acme:shop/prices@1.0.0-rc.1",
    ] {
        admitted(importing(name)).unwrap();
    }
    // A draft in an encoding of its time: the names are told although the rest no longer validates.
    let mut old = importing("wasi:cli/run@0.3.0-rc-2025-09-16");
    old.extend(*b"\x07\x02\x01\x70");
    refused_as(old, "it uses `wasi:cli/run@0.3.0-rc-2025-09-16`");
}

#[test]
fn features_the_engine_has_off() {
    let module = |body: &str| wat(&format!("(component (core module {body}))"));
    for body in ["(memory 1 1 shared)", "(func (drop (i32.atomic.load (i32.const 0)))) (memory 1)"] {
        refused_as(module(body), "it needs a WebAssembly feature that Coracle's engine has switched off: ");
    }
    let stackful = wat("(component (core module $m (func (export \"f\"))) (core instance $i (instantiate $m)) \
        (func (export \"f\") async (canon lift (core func $i \"f\") async)))");
    refused_as(stackful, "it needs a WebAssembly feature that Coracle's engine has switched off: ");
    refused_as(
        wat("(component (core func (canon error-context.drop)))"),
        "it needs a WebAssembly feature that Coracle's engine has switched off: ",
    );
    for body in [
        "(func (result v128) (v128.const i32x4 0 0 0 0))",
        "(memory 1) (memory 1)",
        "(memory i64 1)",
        "(func return_call 0)",
        "(tag) (func (throw 0))",
        "(type (struct (field i32)))",
    ] {
        admitted(module(body)).unwrap();
    }
    admitted(wat(
        "(component (core func (canon task.return)) (core func (canon waitable-set.new)) (type (stream u8)))",
    ))
    .unwrap();
}

#[test]
fn cut_short_and_damaged() {
    let whole = committed("oci-wasm-component.wasm");
    let half = whole[..whole.len() / 2].to_vec();
    refused_as(half.clone(), "the file is cut short: ");
    assert!(admitted(half).unwrap_err().to_string().ends_with("of 865871; build it or copy it again"));
    refused(
        *b"\0asm\x0d\0\x01\0\x63\0",
        "the file is damaged: malformed section id: 99 at byte 10 of 10; build it or copy it again",
    );
    let ill_typed = wat("(component (core module (func (result i32))))");
    refused_as(ill_typed, "the file is damaged: type mismatch: expected i32 but nothing on stack at byte");
    // A name with a terminal escape is not printed raw.
    let mut escape = wat("(component (import \"aXXXXXX\" (func)))");
    let at = escape.windows(6).position(|window| window == b"XXXXXX").unwrap();
    escape[at..at + 6].copy_from_slice(b"\x1b[31m!");
    let text = admitted(escape).unwrap_err().to_string();
    assert!(text.starts_with("the file is damaged: ") && !text.contains('\x1b'), "{text:?}");
}

/// A section of a component: id, length, contents.
fn section(id: u8, contents: &[u8]) -> Vec<u8> {
    [vec![id], leb(contents.len()), contents.to_vec()].concat()
}

fn leb(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7f).unwrap();
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn component(sections: &[u8]) -> Vec<u8> {
    [b"\0asm\x0d\0\x01\0", sections].concat()
}

/// One type of `depth` component or instance types inside each other.
fn nested_types(depth: usize, kind: u8) -> Vec<u8> {
    let mut contents = vec![1];
    (1..depth).for_each(|_| contents.extend([kind, 1, 1]));
    contents.extend([kind, 0]);
    component(&section(7, &contents))
}

#[test]
fn nested_types_do_not_overflow_the_stack() {
    for kind in [0x41, 0x42] {
        admitted(nested_types(32, kind)).unwrap();
        for depth in [33, 1_000, 5_000_000] {
            refused(
                nested_types(depth, kind),
                "its types are nested more than 32 deep; no toolchain makes such a component, rebuild it from its source",
            );
        }
    }
    // The same, behind a declaration of every other kind: core type, function type, alias, export.
    let text = "(component (type (component
        (core type (module (import \"a\" \"b\" (func)))) (type $f (func)) (import \"f\" (func (type $f)))
        (type $t (component (alias outer 1 $f (type $g)) (export \"x\" (func (type $g))))) (export \"c\" (component (type $t))))))";
    admitted(wat(text)).unwrap();
    let none = Options { max_nesting: 1, ..Options::default() };
    assert!(matches!(admit(wat(text), &none), Err(Refusal::TooDeep { what: "types", limit: 1 })));
}

#[test]
fn nested_types_in_a_nested_component_are_found() {
    let bomb = nested_types(1_000_000, 0x42);
    refused_as(component(&section(4, &bomb)), "its types are nested more than 32 deep");
}

#[test]
fn nested_components_are_limited() {
    let nested = |depth: usize| (0..depth).fold(component(&[]), |inner, _| component(&section(4, &inner)));
    admitted(nested(32)).unwrap();
    refused(
        nested(33),
        "its components are nested more than 32 deep; no toolchain makes such a component, rebuild it from its source",
    );
    refused_as(nested(5_000), "its components are nested more than 32 deep");
}

#[test]
fn counts_are_limited() {
    let imports =
        |count: usize| -> String { (0..count).map(|n| format!("(import \"a:b/c{n}\" (instance))")).collect() };
    admitted(wat(&format!("(component {})", imports(1_000)))).unwrap();
    refused(
        wat(&format!("(component {})", imports(1_100))),
        "it has 1001 or more imports where Coracle admits at most 1000; no toolchain makes such a component, rebuild it from its source",
    );
    let exports: Vec<String> = (0..1_001).map(|n| format!("e{n}")).collect();
    let text = crate::fixtures::exporting(&exports.iter().map(String::as_str).collect::<Vec<_>>());
    refused_as(wat(&text), "it has 1001 or more exports");
    refused_as(wat(&format!("(component {})", "(core module)".repeat(1_001))), "it has 1001 or more core modules");
    let instances = "(core instance (instantiate $m))".repeat(1_001);
    refused_as(wat(&format!("(component (core module $m) {instances})")), "it has 1001 or more core instances");
    // A section that claims four thousand million entries and has a few bytes.
    let claims = component(&section(10, b"\xff\xff\xff\xff\x0f\0\x01a"));
    refused_as(claims, "the file is cut short: ");
}

#[test]
fn what_takes_too_long_to_compile_is_found() {
    let text =
        "(component (core module (func) (func (local i32 i64 f32))) (component (core module (func (local i32)))))";
    admitted(wat(text)).unwrap();
    let tight = |change: fn(&mut Options)| {
        let mut options = Options::default();
        change(&mut options);
        match admit(wat(text), &options) {
            Err(Refusal::TooMany { what, count, limit }) => (what, count, limit),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(tight(|options| options.max_functions = 2), ("functions", 3, 2));
    assert_eq!(tight(|options| options.max_function_bytes = 7), ("bytes in one function", 8, 7));
    assert_eq!(tight(|options| options.max_variables = 2), ("variables in one function", 3, 2));
}

/// A name, as an import and as an export of a type, that the validator panics at.
#[test]
fn a_colon_behind_a_slash_is_no_name() {
    let good = "wasi:http/types@0.2.0";
    let bad = "wasi:http/types@0:2.0";
    for text in [
        "(component (import \"wasi:http/types@0.2.0\" (instance)))",
        "(component (component (import \"wasi:http/types@0.2.0\" (instance))))",
        "(component (instance $i) (export \"wasi:http/types@0.2.0\" (instance $i)))",
        "(component (type (component (import \"wasi:http/types@0.2.0\" (instance)))))",
        "(component (type (instance (export \"wasi:http/types@0.2.0\" (instance)))))",
    ] {
        let mut bytes = wat(text);
        let at = bytes.windows(good.len()).position(|window| window == good.as_bytes()).unwrap();
        bytes[at..at + bad.len()].copy_from_slice(bad.as_bytes());
        match admitted(bytes) {
            Err(Refusal::Damaged { reason, .. }) => assert_eq!(reason, format!("`{bad}` is no name of an interface")),
            other => panic!("{text}: {other:?}"),
        }
    }
}
