//! What a file that is not WebAssembly seems to be, so that the refusal can say what went wrong. Judged by the first
//! bytes only and never used to decide anything else.

use std::fmt;

/// What bytes that are not a WebAssembly binary seem to be. `Display` names it and says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookalike {
    /// A gzip, zip, zstd, xz, bzip2 or tar archive, by its usual name.
    Archive(&'static str),
    /// An ELF file: a Linux program, or code precompiled by Wasmtime (.cwasm).
    Elf,
    /// A Windows or macOS program.
    Program(&'static str),
    /// An HTML page, usually an error page saved by a download.
    Html,
    /// JSON, such as package.json or an OCI image manifest.
    Json,
    /// JavaScript or TypeScript source.
    JavaScript,
    /// A pointer file of Git LFS in place of the content.
    GitLfs,
    /// Some other text.
    Text,
    /// Some other binary; these are its first bytes (zero-filled when shorter).
    Binary([u8; 4]),
}

impl Lookalike {
    /// Judges `bytes`, which do not begin with the WebAssembly magic.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        const MAGIC: [(&[u8], Lookalike); 12] = [
            (b"\x1f\x8b", Lookalike::Archive("gzip")),
            (b"PK\x03\x04", Lookalike::Archive("zip")),
            (b"\x28\xb5\x2f\xfd", Lookalike::Archive("zstd")),
            (b"\xfd7zXZ\0", Lookalike::Archive("xz")),
            (b"BZh", Lookalike::Archive("bzip2")),
            (b"\x7fELF", Lookalike::Elf),
            (b"MZ", Lookalike::Program("Windows")),
            (b"\xcf\xfa\xed\xfe", Lookalike::Program("macOS")),
            (b"\xce\xfa\xed\xfe", Lookalike::Program("macOS")),
            (b"\xca\xfe\xba\xbe", Lookalike::Program("macOS")),
            (b"version https://git-lfs", Lookalike::GitLfs),
            (b"#!/usr/bin/env node", Lookalike::JavaScript),
        ];
        if let Some((_, found)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
            return *found;
        }
        if bytes.get(257..262) == Some(b"ustar") {
            return Self::Archive("tar");
        }
        match text_head(bytes) {
            Some(head) => Self::of_text(&head),
            None => {
                let mut first = [0; 4];
                first.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
                Self::Binary(first)
            }
        }
    }

    fn of_text(head: &str) -> Self {
        const SCRIPT: [&str; 12] = [
            "import ",
            "import{",
            "export ",
            "const ",
            "let ",
            "var ",
            "function ",
            "async ",
            "\"use ",
            "'use ",
            "module.exports",
            "class ",
        ];
        let lower = head.to_ascii_lowercase();
        if ["<!doctype", "<html", "<head", "<?xml"].iter().any(|start| lower.starts_with(start)) {
            return Self::Html;
        }
        // A square bracket before a letter opens a table of TOML, as in Cargo.toml.
        let array =
            head.strip_prefix('[').is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphabetic() || c == '['));
        if head.starts_with('{') || array {
            return Self::Json;
        }
        let code = head.lines().map(str::trim).find(|line| !is_comment(line)).unwrap_or_default();
        if SCRIPT.iter().any(|start| code.starts_with(start)) { Self::JavaScript } else { Self::Text }
    }
}

/// Whether `bytes` are the WebAssembly text format (.wat).
pub(crate) fn is_wat(bytes: &[u8]) -> bool {
    let Some(head) = text_head(bytes) else {
        return false;
    };
    let code = head.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with(";;")).unwrap_or_default();
    ["(module", "(component"].iter().any(|start| code.starts_with(start))
}

fn is_comment(line: &str) -> bool {
    line.is_empty() || ["//", "/*", "*"].iter().any(|start| line.starts_with(start))
}

/// The first kilobyte without leading white space, if it is text.
fn text_head(bytes: &[u8]) -> Option<String> {
    let head = bytes.get(..bytes.len().min(1024))?;
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        // A cut in the middle of a character is no reason to call it binary.
        Err(error) if error.error_len().is_none() => std::str::from_utf8(head.get(..error.valid_up_to())?).ok()?,
        Err(_) => return None,
    };
    let printable = !valid.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\x0c'));
    printable.then(|| valid.trim_start_matches(['\u{feff}', ' ', '\n', '\r', '\t']).to_owned())
}

impl fmt::Display for Lookalike {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Archive(kind) => write!(out, "it looks like a {kind} archive; unpack it and give the .wasm file inside"),
            Self::Elf => out.write_str(
                "it looks like an ELF file: a native Linux program, or code precompiled by Wasmtime; give the .wasm component it was \
                 built from",
            ),
            Self::Program(system) => write!(
                out,
                "it looks like a native {system} program; build the source for WebAssembly, in Rust with `cargo build --target \
                 wasm32-wasip2`"
            ),
            Self::Html => out.write_str(
                "it looks like an HTML or XML page, as a failed download leaves behind; download it again and check the address",
            ),
            Self::Json => out.write_str("it looks like JSON; give the path of the .wasm file itself"),
            Self::JavaScript => out.write_str(
                "it looks like JavaScript or TypeScript source; build a component from it with `jco componentize`, or serve it by Node \
                 as an upstream",
            ),
            Self::GitLfs => out.write_str("it is a Git LFS pointer, the content is missing; run `git lfs pull`"),
            Self::Text => out.write_str("it looks like a text file; give the path of the .wasm file a build produced"),
            Self::Binary([a, b, c, d]) => write!(
                out,
                "it begins with the bytes {a:02x} {b:02x} {c:02x} {d:02x} where WebAssembly begins with 00 61 73 6d; give the path of the \
                 .wasm file a build produced"
            ),
        }
    }
}
