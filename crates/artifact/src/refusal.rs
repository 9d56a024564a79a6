//! Why bytes are not admitted, or an admitted component is not served. Each text says what is wrong and what to do, in
//! a fragment that continues the file's name: callers print `thumbs.wasm: <refusal>`, as `load` does by itself.
//! Texts quote nothing from a file unescaped or at length, so that they are safe on a terminal and in a log.

use std::fmt;

use crate::interface::Interface;
use crate::lookalike::Lookalike;

/// Why a file or component is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The file does not exist.
    #[error("there is no such file; build the component first, or correct the path")]
    Missing,
    /// The path is a directory.
    #[error("this is a directory; give the path of a .wasm file inside it, or run `coracle up` where coracle.toml is")]
    Directory,
    /// The path is a pipe, socket or device.
    #[error("this is not a regular file; give the path of a .wasm file")]
    NotAFile,
    /// The file exists but reading failed.
    #[error("the file can't be read; check its permissions and the disk")]
    Unreadable(#[source] std::io::Error),
    /// More bytes than allowed; sizes in bytes.
    #[error("the file is too large: {} where at most {} are allowed; make sure it is the component itself, built in release mode", megabytes(*size), megabytes(*limit))]
    TooLarge {
        /// Size found; for a file that grows while it is read, what was read.
        size: u64,
        /// Size allowed.
        limit: u64,
    },
    /// No bytes at all.
    #[error("the file is empty; the build or copy that wrote it did not finish, run it again")]
    Empty,
    /// Not a WebAssembly binary.
    #[error("this is not WebAssembly: {0}")]
    NotWasm(Lookalike),
    /// WebAssembly text format.
    #[error(
        "this is WebAssembly text (.wat), not a binary; turn it into one with `wasm-tools parse component.wat -o component.wasm`"
    )]
    Text,
    /// A core module, not a component.
    #[error("this is a core module, not a component; {0}")]
    CoreModule(CoreModule),
    /// A core module of WASI 0.1 that the adapter does not fit.
    #[error(
        "this is a core module of WASI 0.1 that can't be made a component: {reason}; build the source as a component, in Rust with \
         `cargo build --target wasm32-wasip2`"
    )]
    NotComponentized {
        /// What the encoder met.
        reason: String,
    },
    /// A component in an encoding from before the current one.
    #[error(
        "this is a component in an outdated draft of the binary format ({version:#04x}); rebuild it with tools released since 2024"
    )]
    OutdatedEncoding {
        /// The version in the header.
        version: u16,
    },
    /// A WebAssembly header of a version that does not exist yet.
    #[error(
        "the header says version {version}, layer {layer} of WebAssembly, which this Coracle doesn't know; the file is damaged, or newer than Coracle: rebuild it or upgrade"
    )]
    UnknownVersion {
        /// The version in the header.
        version: u16,
        /// The layer in the header: 0 is a module, 1 a component.
        layer: u16,
    },
    /// Cut short or corrupt.
    #[error("the file is {}: {reason} at byte {offset} of {size}; build it or copy it again", if *cut_short { "cut short" } else { "damaged" })]
    Damaged {
        /// Whether bytes are missing at the end, as after an interrupted copy.
        cut_short: bool,
        /// What the parser or validator met.
        reason: String,
        /// Where, in bytes from the start.
        offset: u64,
        /// Size of the file in bytes.
        size: u64,
    },
    /// Valid only with a WebAssembly proposal that the engine has switched off.
    #[error(
        "it needs a WebAssembly feature that Coracle's engine has switched off: {reason} (at byte {offset}); rebuild it without that feature"
    )]
    FeatureOff {
        /// What the validator met.
        reason: String,
        /// Where, in bytes from the start.
        offset: u64,
    },
    /// Built against a draft of WASI that has since been released.
    #[error("it uses `{interface}`, a draft of WASI that was never released and that this host does not have; {}", rebuild_advice(.interface))]
    Draft {
        /// The first such import or export.
        interface: Box<Interface>,
    },
    /// More of something than any real component has.
    #[error(
        "it has {count} or more {what} where Coracle admits at most {limit}; no toolchain makes such a component, rebuild it from its source"
    )]
    TooMany {
        /// What there is too much of, in the plural.
        what: &'static str,
        /// How many were counted before giving up.
        count: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// Components or types nested deeper than any toolchain nests them.
    #[error(
        "its {what} are nested more than {limit} deep; no toolchain makes such a component, rebuild it from its source"
    )]
    TooDeep {
        /// What is nested, in the plural.
        what: &'static str,
        /// The depth allowed.
        limit: usize,
    },
    /// Only types: what `wkg` and `wasm-tools component wit --wasm` make.
    #[error(
        "this is a WIT package: it describes interfaces and has no code to run; give the component that implements them"
    )]
    WitPackage,
    /// A good component that is no command.
    #[error("this is {what} and no command: {}", run_advice(*serves))]
    NotCommand {
        /// What it is.
        what: String,
        /// Whether it answers HTTP.
        serves: bool,
    },
    /// A good component that does not answer HTTP.
    #[error("{0}")]
    NotHttp(NotHttp),
}

/// Why an admitted component can't be served over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotHttp {
    /// It exports this `wasi:cli/run`.
    Command(Box<Interface>),
    /// It is a `wasi:http/middleware`: it passes requests on to a service it imports.
    Middleware(Box<Interface>),
    /// It exports this HTTP or command entry, in a version this host does not serve.
    OtherVersion(Box<Interface>),
    /// It exports none of the known entries, but these names (at most eight, shortened).
    Other(Vec<String>),
}

impl fmt::Display for NotHttp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(run) => write!(
                out,
                "this is a command (it exports `{run}`) and answers no HTTP; run it with `coracle run`; to serve HTTP it has to \
                 export `wasi:http/handler` (0.3) or `wasi:http/incoming-handler` (0.2)"
            ),
            Self::Middleware(handler) => write!(
                out,
                "this is an HTTP middleware: it imports `{handler}` itself and needs a service behind it; compose the two into one \
                 component with `wac plug` and serve that"
            ),
            Self::OtherVersion(entry) => write!(
                out,
                "it exports `{entry}`, and this Coracle serves WASI 0.3 and 0.2; upgrade Coracle, or rebuild the component for WASI 0.3"
            ),
            Self::Other(exports) if exports.is_empty() => out.write_str(
                "it exports nothing; to be served it has to export `wasi:http/handler` (0.3) or `wasi:http/incoming-handler` (0.2): \
                 check the world it was built for",
            ),
            Self::Other(exports) => write!(
                out,
                "it answers no HTTP: it exports `{}`, and to be served it has to export `wasi:http/handler` (0.3) or \
                 `wasi:http/incoming-handler` (0.2): check the world it was built for",
                exports.join("`, `")
            ),
        }
    }
}

/// What kind of core module a file is, by its imports. `Display` says how to get a component instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoreModule {
    /// Imports `wasi_snapshot_preview1`: a program for WASI 0.1.
    Preview1,
    /// Imports of `wasm-bindgen` or `wasm-pack`: made for a browser or Node.
    WasmBindgen,
    /// Imports of Emscripten: made for a browser or Node.
    Emscripten,
    /// Imports of Go's `js/wasm` port: made for a browser or Node.
    GoJs,
    /// Anything else.
    Plain,
}

impl fmt::Display for CoreModule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = match self {
            Self::Preview1 => {
                "it was built for WASI 0.1 (wasm32-wasip1), and has neither `_start` nor the types of a world: "
            }
            Self::WasmBindgen => {
                "it was built by wasm-bindgen or wasm-pack for JavaScript and can stay in Node: to run it here, "
            }
            Self::Emscripten => "it was built by Emscripten for JavaScript and can stay in Node: to run it here, ",
            Self::GoJs => "it was built by Go for JavaScript (GOOS=js): to run it here, ",
            Self::Plain => "",
        };
        write!(out, "{origin}build the source as a component, in Rust with `cargo build --target wasm32-wasip2`")
    }
}

/// What to do with what is no command.
fn run_advice(serves: bool) -> &'static str {
    if serves {
        "serve it with `coracle up`"
    } else {
        "to be run it has to export `wasi:cli/run` (0.3 or 0.2): build it as a program with a main function"
    }
}

/// What to rebuild a draft's component with.
fn rebuild_advice(interface: &Interface) -> &'static str {
    match interface.version.as_ref().map(|version| (version.major, version.minor)) {
        Some((0, 3)) => {
            "rebuild it for the released WASI 0.3: in Rust with the crates wasip3 0.10 and wit-bindgen 0.59 or newer, in Python with \
             componentize-py 0.25 or newer"
        }
        _ => {
            "rebuild it for the released WASI 0.2 with tools of 2024 or later: Rust's target wasm32-wasip2, jco, or componentize-py"
        }
    }
}

fn megabytes(bytes: u64) -> String {
    const MEBIBYTE: u64 = 1 << 20;
    if bytes < MEBIBYTE { format!("{bytes} bytes") } else { format!("{} MiB", bytes.div_ceil(MEBIBYTE)) }
}

/// `text` without control characters and no longer than `limit` characters.
pub(crate) fn quotable(text: &str, limit: usize) -> String {
    let mut safe = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == limit {
            safe.push('…');
            break;
        }
        if character.is_control() { safe.extend(character.escape_default()) } else { safe.push(character) }
    }
    safe
}
