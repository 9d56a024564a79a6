//! From an admitted component to code that is mapped and ready: compiled once, kept on disk, verified before it is used.
//!
//! Mapping code that somebody else wrote would be running it. So the cache is a folder that only its owner can enter,
//! each entry carries a MAC under a key that lies beside it, and an entry that doesn't match is thrown away and compiled
//! again. A folder that others may write to is not used at all.

mod apart;

pub(crate) use apart::{OTHER_ENGINE, VERB};

use crate::symbols;
use apart::Apart;
use coracle_artifact::{Admitted, Digest, Rejected};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fs::{self, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use wasmtime::component::Component;

/// Of HMAC-SHA256.
const MAC_BYTES: usize = 32;
/// Components above this take seconds, and somebody waits.
const SLOW_TO_COMPILE: usize = 2 << 20;
/// Of a component with debug information, which is kept for the texts of traps (`symbols`).
const MOST_KEPT: u64 = 128 << 20;

/// The code cache; without a folder it compiles each time.
pub(crate) struct Cache {
    folder: Option<Folder>,
    /// Compiles in children; `None` in this process.
    apart: Option<Apart>,
    /// Whether what is not there is compiled.
    compiles: bool,
}

struct Folder {
    path: PathBuf,
    key: [u8; 32],
}

impl Cache {
    /// Opens the cache. A folder that can't be trusted or written is reported once and not used.
    pub(crate) fn new(path: Option<&Path>, compiler: Option<PathBuf>, compiles: bool) -> Self {
        let folder = path.and_then(|path| match Folder::open(path) {
            Ok(folder) => Some(folder),
            Err(error) => {
                tracing::warn!(folder = %path.display(), %error, "compiled code is not kept: components are compiled anew at each start");
                None
            }
        });
        Self { folder, apart: compiler.map(Apart::new), compiles }
    }

    /// The component's code, from the cache or compiled. Blocks: seconds for large components that have to be compiled.
    ///
    /// # Errors
    /// When its bytes can't be read or are others than before; when it does not compile, or takes too much to compile.
    pub(crate) fn find(&self, engine: &wasmtime::Engine, wasm: &Wasm) -> Result<Found, CodeError> {
        let Some(folder) = &self.folder else { return self.make(engine, wasm) };
        let entry = folder.entry(engine, wasm.digest);
        match folder.verified(&entry) {
            Ok(Some(file)) => return Ok(file),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(entry = %entry.display(), %error, "compiled code is not what was stored: compiling again")
            }
        }
        self.make(engine, wasm)
    }

    /// Whether the component's code is there, as it was stored.
    pub(crate) fn knows(&self, engine: &wasmtime::Engine, wasm: &Wasm) -> bool {
        let known = self.folder.as_ref().map(|folder| folder.verified(&folder.entry(engine, wasm.digest)));
        matches!(known, Some(Ok(Some(_))))
    }

    /// The component's code, compiled anew, whatever is in the cache.
    ///
    /// # Errors
    /// As [`Cache::find`].
    pub(crate) fn make(&self, engine: &wasmtime::Engine, wasm: &Wasm) -> Result<Found, CodeError> {
        if !self.compiles {
            return Err(CodeError::NotCompiled(wasm.digest));
        }
        let bytes = wasm.bytes()?;
        if bytes.len() > SLOW_TO_COMPILE {
            tracing::info!("compiling {} ({} MiB); the next start finds it compiled", wasm.digest, bytes.len() >> 20);
        }
        let start = Instant::now();
        let code = self.compile(engine, &bytes)?;
        tracing::info!(digest = %wasm.digest, bytes = bytes.len(), seconds = start.elapsed().as_secs_f32(), "compiled");
        let Some(folder) = &self.folder else { return Ok(Found::Memory(code)) };
        folder.keep(wasm.digest, &bytes);
        let entry = folder.entry(engine, wasm.digest);
        Ok(folder.store(&entry, &code).unwrap_or_else(|error| {
            tracing::warn!(entry = %entry.display(), %error, "compiled code could not be kept");
            Found::Memory(code)
        }))
    }

    /// The bytes that were compiled, if they have debug information and were kept. Blocks.
    pub(crate) fn kept(&self, digest: &Digest) -> Option<Vec<u8>> {
        let path = self.folder.as_ref()?.component(digest);
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(path).ok()?;
        let mut bytes = Vec::new();
        file.take(MOST_KEPT).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    fn compile(&self, engine: &wasmtime::Engine, bytes: &[u8]) -> Result<Vec<u8>, CodeError> {
        if let Some(apart) = &self.apart {
            match apart.compile(hash(engine), bytes).map_err(CodeError::Compile)? {
                Some(code) => return Ok(code),
                None => tracing::warn!("the program was replaced since it started: compiling without limits"),
            }
        }
        engine.precompile_component(bytes).map_err(CodeError::Compile)
    }
}

/// A component's bytes, for when they are to be compiled.
pub(crate) struct Wasm {
    digest: Digest,
    held: Held,
}

enum Held {
    Bytes(Arc<[u8]>),
    /// With the digest of what is in the file, which may have been adapted.
    File {
        path: PathBuf,
        came: Digest,
    },
}

impl Wasm {
    /// Holds the bytes.
    pub(crate) fn held(admitted: &Admitted) -> Self {
        Self { digest: admitted.code, held: Held::Bytes(Arc::clone(&admitted.bytes)) }
    }

    /// Reads the file again when it has to.
    pub(crate) fn of_file(admitted: &Admitted, file: PathBuf) -> Self {
        Self { digest: admitted.code, held: Held::File { path: file, came: admitted.digest } }
    }

    fn bytes(&self) -> Result<Arc<[u8]>, CodeError> {
        let (path, came) = match &self.held {
            Held::Bytes(bytes) => return Ok(Arc::clone(bytes)),
            Held::File { path, came } => (path, came),
        };
        let rejected = |refusal| CodeError::Source(Rejected { path: path.clone(), refusal });
        let bytes = coracle_artifact::read(path, coracle_artifact::DEFAULT_MAX_BYTES).map_err(rejected)?;
        // What is compiled is what was admitted.
        if Digest::of(&bytes) != *came {
            return Err(CodeError::Changed(path.clone()));
        }
        if *came == self.digest {
            return Ok(bytes.into());
        }
        let options = coracle_artifact::Options::default();
        Ok(coracle_artifact::runnable(bytes, &options).map_err(rejected)?.into())
    }
}

/// A component has no code.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CodeError {
    #[error("the component does not compile")]
    Compile(#[source] wasmtime::Error),
    #[error(transparent)]
    Source(Rejected),
    #[error("{} has changed", .0.display())]
    Changed(PathBuf),
    #[error("{0} is not compiled")]
    NotCompiled(Digest),
}

/// Code that was verified just now, or made.
pub(crate) enum Found {
    /// With its length.
    File(PathBuf, u64),
    Memory(Vec<u8>),
}

impl Found {
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::File(_, bytes) => *bytes,
            Self::Memory(code) => code.len() as u64,
        }
    }

    /// Maps it.
    ///
    /// # Errors
    /// When the engine does not take it.
    pub(crate) fn map(&self, engine: &wasmtime::Engine) -> wasmtime::Result<Component> {
        // SAFETY: this program has made the code, for this engine, and nobody else has had it: it was compiled just now, here or
        // in a child; or its MAC or its seal was checked or written just now, in a folder that nobody else can write to.
        #[allow(unsafe_code)]
        unsafe {
            match self {
                Self::File(path, _) => Component::deserialize_file(engine, path),
                Self::Memory(code) => Component::deserialize(engine, code),
            }
        }
    }
}

/// What about an engine matters to the code that is made for it.
pub(crate) fn hash(engine: &wasmtime::Engine) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

impl Folder {
    fn open(path: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let meta = fs::symlink_metadata(path)?;
        if !meta.is_dir() {
            return Err(io::Error::other("it is not a folder"));
        }
        if meta.uid() != nix::unistd::geteuid().as_raw() {
            return Err(io::Error::other("it belongs to another user"));
        }
        if meta.mode() & 0o077 != 0 {
            return Err(io::Error::other("others can enter it; `chmod 700` it or remove it"));
        }
        Ok(Self { path: path.to_owned(), key: key(&path.join("key"))? })
    }

    /// Named by what decides the code: the component's bytes and everything about the engine that matters to it.
    fn entry(&self, engine: &wasmtime::Engine, digest: Digest) -> PathBuf {
        self.path.join(format!("{}-{:016x}.cwasm", digest.hex(), hash(engine)))
    }

    /// Where a component with debug information is kept. It is read, never run, so it needs no MAC.
    fn component(&self, digest: &Digest) -> PathBuf {
        self.path.join(format!("{}.wasm", digest.hex()))
    }

    /// Keeps a component that has debug information, beside its code.
    fn keep(&self, digest: Digest, bytes: &[u8]) {
        if bytes.len() as u64 <= MOST_KEPT
            && symbols::has_lines(bytes)
            && let Err(error) = write(&self.component(&digest), bytes)
        {
            tracing::debug!(%error, "debug information could not be kept: traps are told without lines");
        }
    }

    /// The entry, if it is there and is what was stored. `Err` when it is there and isn't.
    ///
    /// A file that was found to be what was stored carries a seal on what the system says of it, so that the next who asks
    /// needn't read it all: nobody but this user can change it, and no change leaves its times as they were.
    fn verified(&self, entry: &Path) -> io::Result<Option<Found>> {
        let mut file = match OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(entry) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let meta = file.metadata()?;
        let found = Found::File(entry.to_owned(), meta.len());
        let beside = fs::read(entry.with_extension("mac"))?;
        let (expected, seal) = beside.split_at_checked(MAC_BYTES).unwrap_or((&beside, &[]));
        if self.seal(entry, &meta)?.verify_slice(seal).is_ok() {
            return Ok(Some(found));
        }
        let mut mac = self.mac(entry)?;
        let mut chunk = vec![0; 1 << 16];
        loop {
            let n = file.read(&mut chunk)?;
            if n == 0 {
                break;
            }
            mac.update(chunk.get(..n).unwrap_or_default());
        }
        mac.verify_slice(expected).map_err(|_| io::Error::other("its signature does not match"))?;
        // Without a seal it is read again the next time.
        let sealed = [expected, &self.seal(entry, &meta)?.finalize().into_bytes()].concat();
        let _ = write(&entry.with_extension("mac"), &sealed);
        Ok(Some(found))
    }

    fn store(&self, entry: &Path, code: &[u8]) -> io::Result<Found> {
        let mut mac = self.mac(entry)?;
        mac.update(code);
        let mac = mac.finalize().into_bytes();
        // The MAC first: code without one is never used, so a crash in between leaves nothing that is believed.
        write(&entry.with_extension("mac"), &mac)?;
        write(entry, code)?;
        let sealed = [mac, self.seal(entry, &fs::symlink_metadata(entry)?)?.finalize().into_bytes()].concat();
        let _ = write(&entry.with_extension("mac"), &sealed);
        Ok(Found::File(entry.to_owned(), code.len() as u64))
    }

    /// Over what tells this file from each other one and from itself after a change.
    fn seal(&self, entry: &Path, meta: &fs::Metadata) -> io::Result<Hmac<Sha256>> {
        let mut mac = self.mac(entry)?;
        mac.update(b"seal");
        for number in [meta.dev(), meta.ino(), meta.size()] {
            mac.update(&number.to_le_bytes());
        }
        for number in [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()] {
            mac.update(&number.to_le_bytes());
        }
        Ok(mac)
    }

    /// The name goes into the MAC, so that one entry can't be passed off as another.
    fn mac(&self, entry: &Path) -> io::Result<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).map_err(io::Error::other)?;
        mac.update(entry.file_name().map(std::ffi::OsStr::as_encoded_bytes).unwrap_or_default());
        Ok(mac)
    }
}

/// Writes a whole file or none: under a name of its own, then renamed.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = format!("{}.{}.tmp", path.display(), std::process::id());
    let temporary = Path::new(&name);
    let _ = fs::remove_file(temporary);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(temporary)?;
    let written = file.write_all(bytes).and_then(|()| fs::rename(temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(temporary);
    }
    written
}

/// The key of this cache, made at its first use. It is written aside and linked into place, so that it is whole or not
/// there, whatever crashes and whoever else makes one at the same moment.
fn key(path: &Path) -> io::Result<[u8; 32]> {
    match read_key(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        // A file of another length is no key. Without it the entries are worthless and made anew.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => fs::remove_file(path)?,
        read => return read,
    }
    let mut key = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    let aside = path.with_extension(format!("{}.tmp", std::process::id()));
    write(&aside, &key)?;
    let linked = fs::hard_link(&aside, path);
    let _ = fs::remove_file(&aside);
    match linked {
        // Another process was faster; its key is the key.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read_key(path),
        linked => linked.map(|()| key),
    }
}

fn read_key(path: &Path) -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    File::open(path)?.read_exact(&mut key)?;
    Ok(key)
}
