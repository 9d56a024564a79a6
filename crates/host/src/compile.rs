//! From an admitted component to code that is mapped and ready: compiled once, kept on disk, verified before it is used.
//!
//! Mapping code that somebody else wrote would be running it. So the cache is a folder that only its owner can enter,
//! each entry carries a MAC under a key that lies beside it, and an entry that doesn't match is thrown away and compiled
//! again. A folder that others may write to is not used at all.

mod apart;

pub(crate) use apart::{OTHER_ENGINE, VERB};

use crate::symbols;
use apart::Apart;
use coracle_artifact::{Admitted, Digest};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fs::{self, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;
use wasmtime::component::Component;

/// Components above this take seconds, and somebody waits.
const SLOW_TO_COMPILE: usize = 2 << 20;
/// Of a component with debug information, which is kept for the texts of traps (`symbols`).
const MOST_KEPT: u64 = 128 << 20;

/// The code cache; without a folder it compiles each time.
pub(crate) struct Cache {
    folder: Option<Folder>,
    /// Compiles in children; `None` in this process.
    apart: Option<Apart>,
}

struct Folder {
    path: PathBuf,
    key: [u8; 32],
}

impl Cache {
    /// Opens the cache. A folder that can't be trusted or written is reported once and not used.
    pub(crate) fn new(path: Option<&Path>, compiler: Option<PathBuf>) -> Self {
        let folder = path.and_then(|path| match Folder::open(path) {
            Ok(folder) => Some(folder),
            Err(error) => {
                tracing::warn!(folder = %path.display(), %error, "compiled code is not kept: components are compiled anew at each start");
                None
            }
        });
        Self { folder, apart: compiler.map(Apart::new) }
    }

    /// The component's code, from the cache or compiled. Blocks: seconds for large components.
    ///
    /// # Errors
    /// When the component does not compile, or takes too much to compile.
    pub(crate) fn load(&self, engine: &wasmtime::Engine, admitted: &Admitted) -> wasmtime::Result<Component> {
        let Some(folder) = &self.folder else {
            return from_code(engine, &self.compile(engine, admitted)?);
        };
        let entry = folder.entry(engine, admitted);
        match folder.verified(&entry) {
            Ok(true) => match deserialize(engine, &entry) {
                Ok(component) => return Ok(component),
                Err(error) => {
                    tracing::warn!(entry = %entry.display(), %error, "compiled code does not load: compiling again")
                }
            },
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(entry = %entry.display(), %error, "compiled code is not what was stored: compiling again")
            }
        }
        if admitted.bytes.len() > SLOW_TO_COMPILE {
            tracing::info!(
                "compiling {} ({} MiB); the next start finds it compiled",
                admitted.digest,
                admitted.bytes.len() >> 20
            );
        }
        let start = Instant::now();
        let code = self.compile(engine, admitted)?;
        tracing::info!(digest = %admitted.digest, bytes = admitted.bytes.len(), seconds = start.elapsed().as_secs_f32(), "compiled");
        folder.keep(admitted);
        if let Err(error) = folder.store(&entry, &code) {
            tracing::warn!(entry = %entry.display(), %error, "compiled code could not be kept");
            return from_code(engine, &code);
        }
        deserialize(engine, &entry)
    }

    /// The bytes that were compiled, if they have debug information and were kept. Blocks.
    pub(crate) fn kept(&self, digest: &Digest) -> Option<Vec<u8>> {
        let path = self.folder.as_ref()?.component(digest);
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(path).ok()?;
        let mut bytes = Vec::new();
        file.take(MOST_KEPT).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    fn compile(&self, engine: &wasmtime::Engine, admitted: &Admitted) -> wasmtime::Result<Vec<u8>> {
        if let Some(apart) = &self.apart {
            match apart.compile(hash(engine), &admitted.bytes)? {
                Some(code) => return Ok(code),
                None => tracing::warn!("the program was replaced since it started: compiling without limits"),
            }
        }
        engine.precompile_component(&admitted.bytes)
    }
}

/// What about an engine matters to the code that is made for it.
pub(crate) fn hash(engine: &wasmtime::Engine) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

fn from_code(engine: &wasmtime::Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: this program has compiled it just now, here or in a child, and nobody else has had it.
    #[allow(unsafe_code)]
    unsafe {
        Component::deserialize(engine, code)
    }
}

fn deserialize(engine: &wasmtime::Engine, entry: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file was written by this user from this engine's own output: its MAC was checked just now, or it was
    // stored just now, in a folder that nobody else can write to.
    #[allow(unsafe_code)]
    unsafe {
        Component::deserialize_file(engine, entry)
    }
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
    fn entry(&self, engine: &wasmtime::Engine, admitted: &Admitted) -> PathBuf {
        let digest = admitted.digest.to_string();
        let hex = digest.strip_prefix("sha256:").unwrap_or(&digest);
        self.path.join(format!("{hex}-{:016x}.cwasm", hash(engine)))
    }

    /// Where a component with debug information is kept. It is read, never run, so it needs no MAC.
    fn component(&self, digest: &Digest) -> PathBuf {
        self.path.join(format!("{}.wasm", digest.hex()))
    }

    /// Keeps a component that has debug information, beside its code.
    fn keep(&self, admitted: &Admitted) {
        if admitted.bytes.len() as u64 <= MOST_KEPT
            && symbols::has_lines(&admitted.bytes)
            && let Err(error) = write(&self.component(&admitted.digest), &admitted.bytes)
        {
            tracing::debug!(%error, "debug information could not be kept: traps are told without lines");
        }
    }

    /// Whether the entry is there and is what was stored. `Err` when it is there and isn't.
    fn verified(&self, entry: &Path) -> io::Result<bool> {
        let mut file = match OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(entry) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let expected = fs::read(entry.with_extension("mac"))?;
        let mut mac = self.mac(entry)?;
        let mut chunk = vec![0; 1 << 16];
        loop {
            let n = file.read(&mut chunk)?;
            if n == 0 {
                break;
            }
            mac.update(chunk.get(..n).unwrap_or_default());
        }
        mac.verify_slice(&expected).map_err(|_| io::Error::other("its signature does not match"))?;
        Ok(true)
    }

    fn store(&self, entry: &Path, code: &[u8]) -> io::Result<()> {
        let mut mac = self.mac(entry)?;
        mac.update(code);
        // The MAC first: code without one is never used, so a crash in between leaves nothing that is believed.
        write(&entry.with_extension("mac"), &mac.finalize().into_bytes())?;
        write(entry, code)
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
