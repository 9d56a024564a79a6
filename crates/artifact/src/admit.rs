//! Admission: header, limits, drafts, validation, then what the host needs to know. Runs off the request path, takes
//! time linear in the size (some 25 ms per MiB of code) and copies the bytes once. The host compiles only what came through here.

use wasmparser::{BinaryReaderError, Validator, WasmFeatures};

use crate::adapt::{self, Adapted};
use crate::admitted::{Admitted, Digest, Warning};
use crate::lookalike::{self, Lookalike};
use crate::options::Options;
use crate::refusal::{CoreModule, Refusal, quotable};
use crate::scan::{self, Producer, Scan};
use crate::world::World;

/// Admits `bytes` as a component this host can run.
///
/// # Errors
/// When they are not a valid component and can't be made one, exceed `options`, or were built for a draft of WASI.
pub fn admit(bytes: Vec<u8>, options: &Options) -> Result<Admitted, Refusal> {
    let size = bytes.len() as u64;
    let digest = Digest::of(&bytes);
    let (bytes, adapted, scan) = adapt(bytes, options)?;
    // Before validation: drafts of 2025 and earlier have encodings that no longer validate.
    if let Some(draft) = scan.imports.iter().chain(&scan.exports).find(|interface| interface.is_outdated_draft()) {
        return Err(Refusal::Draft { interface: Box::new(draft.clone()) });
    }
    Validator::new_with_features(features()).validate_all(&bytes).map_err(|error| invalid(&error, size))?;
    if scan.is_wit_package() {
        return Err(Refusal::WitPackage);
    }
    Ok(Admitted {
        digest,
        code: if adapted.is_some() { Digest::of(&bytes) } else { digest },
        adapted,
        world: World::of(&scan.imports, &scan.exports),
        warnings: warnings(&scan),
        imports: scan.imports,
        exports: scan.exports,
        plain_imports: scan.plain_imports,
        plain_exports: scan.plain_exports,
        producers: scan.producers.into_iter().collect(),
        core_modules: scan.core_modules,
        core_instances: scan.core_instances,
        size,
        bytes: bytes.into(),
    })
}

/// The bytes to compile, of the bytes as they came: [`admit`] without its last look.
///
/// # Errors
/// As [`admit`].
pub fn runnable(bytes: Vec<u8>, options: &Options) -> Result<Vec<u8>, Refusal> {
    adapt(bytes, options).map(|(bytes, ..)| bytes)
}

/// Makes a component of what is almost one.
fn adapt(bytes: Vec<u8>, options: &Options) -> Result<(Vec<u8>, Option<Adapted>, Scan), Refusal> {
    let size = bytes.len() as u64;
    if size > options.max_bytes {
        return Err(Refusal::TooLarge { size, limit: options.max_bytes });
    }
    if check_header(&bytes)? == Binary::Module {
        // A module of another kind is told by its imports, however damaged it is.
        let kind = scan::core_module(&bytes);
        if kind != CoreModule::Preview1 {
            return Err(Refusal::CoreModule(kind));
        }
        Scan::of(&bytes, options)?;
        Validator::new_with_features(features()).validate_all(&bytes).map_err(|error| invalid(&error, size))?;
        let component = adapt::componentize(&bytes)?;
        let scan = Scan::of(&component, options)?;
        return Ok((component, Some(Adapted::Preview1), scan));
    }
    let scan = Scan::of(&bytes, options)?;
    if !scan.imports.iter().chain(&scan.exports).any(adapt::is_candidate) {
        return Ok((bytes, None, scan));
    }
    Validator::new_with_features(features()).validate_all(&bytes).map_err(|error| invalid(&error, size))?;
    let renamed = adapt::rename(&bytes)?;
    let scan = Scan::of(&renamed, options)?;
    Ok((renamed, Some(Adapted::Candidate), scan))
}

/// The features the engine has on: Wasmtime 48's defaults (`Config::features`) with the cargo features of this workspace,
/// which leave out `threads`, so that a refusal comes from here, with its sentence, and not from the compiler.
fn features() -> WasmFeatures {
    let core = WasmFeatures::WASM3.difference(WasmFeatures::THREADS);
    core.union(WasmFeatures::GC_TYPES).union(WasmFeatures::COMPONENT_MODEL).union(WasmFeatures::CM_ASYNC)
}

/// What kind of WebAssembly a file is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Binary {
    Module,
    Component,
}

/// Tells by the first eight bytes whether this is a component or a module at all.
fn check_header(bytes: &[u8]) -> Result<Binary, Refusal> {
    const MAGIC: &[u8] = b"\0asm";
    if bytes.is_empty() {
        return Err(Refusal::Empty);
    }
    let Some(&[_, _, _, _, v0, v1, l0, l1]) = bytes.get(..8).filter(|head| head.starts_with(MAGIC)) else {
        return Err(if bytes.starts_with(MAGIC) || MAGIC.starts_with(bytes) {
            let size = bytes.len() as u64;
            Refusal::Damaged { cut_short: true, reason: "the header ends".to_owned(), offset: size, size }
        } else if lookalike::is_wat(bytes) {
            Refusal::Text
        } else {
            Refusal::NotWasm(Lookalike::of(bytes))
        });
    };
    match (u16::from_le_bytes([v0, v1]), u16::from_le_bytes([l0, l1])) {
        (0x0d, 1) => Ok(Binary::Component),
        (1, 0) => Ok(Binary::Module),
        (version @ 0..0x0d, 1) => Err(Refusal::OutdatedEncoding { version }),
        (version, layer) => Err(Refusal::UnknownVersion { version, layer }),
    }
}

/// Turns what the validator met into a refusal.
fn invalid(error: &BinaryReaderError, size: u64) -> Refusal {
    let offset = error.offset() as u64;
    let message = error.message();
    let reason = quotable(message, 300);
    if ["feature", "proposal", "must be enabled", "support is not enabled"].iter().any(|hint| message.contains(hint)) {
        return Refusal::FeatureOff { reason, offset };
    }
    Refusal::Damaged { cut_short: message.starts_with("unexpected end"), reason, offset, size }
}

fn warnings(scan: &Scan) -> Vec<Warning> {
    let skewed = |producer: &&Producer| {
        let mut parts = producer.version.split('.').map(str::parse::<u32>);
        let minor = match (parts.next(), parts.next()) {
            (Some(Ok(0)), Some(Ok(minor))) => minor,
            _ => return false,
        };
        producer.name == "wit-bindgen-rust" && (53..=58).contains(&minor)
    };
    // Only code that waits on sets of waitables meets the trap.
    let found = scan.producers.iter().find(skewed).filter(|_| scan.waits_on_sets);
    found.map(|producer| Warning::WitBindgenSkew { version: producer.version.clone() }).into_iter().collect()
}
