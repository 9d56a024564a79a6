//! A Rust toolchain for WebAssembly made of Debian's packages, for machines whose rustup can't fetch a target.
//!
//! ```text
//! rustc-web, libstd-rust-web*  -> compiler and the host's std      (unpacked, not installed: they conflict with rustup)
//! rust-web-src                 -> source of std  -> cargo build -> std for the target
//! wasi-libc                    -> crt1, libc.a                     (2022's: no sockets, std::fs has no preopens)
//! lld-NN, libllvmNN, their libraries -> wasm-ld                    (unpacked beside, found by wrappers)
//! wasm-component-ld            -> the active toolchain's own, else built from crates.io
//! ```
//!
//! Nothing is installed on the system and no root is needed: apt only downloads, with package lists of its own when the
//! system's are empty. std comes from Debian because only the matching source builds with that compiler.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cache::Cache;
use crate::error::{Error, io};
use crate::process::{LONG, on_path, query, run};
use crate::progress::Progress;
use crate::target::Target;

/// Raised when this recipe changes what comes out, so that caches made by the older one aren't used.
const RECIPE: &str = "r1";

/// The toolchain made earlier, the newest if there are several.
pub(crate) fn installed(cache: &Cache, target: Target) -> Option<PathBuf> {
    let prefix = prefix(target);
    let suffix = format!("-{RECIPE}");
    let named = |name: &str| name.starts_with(&prefix) && name.ends_with(&suffix);
    let entries = fs::read_dir(cache.toolchains()).ok()?;
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(named))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found.pop()
}

/// Makes the toolchain; minutes of work and some 400 MB, once.
pub(crate) fn install(cache: &Cache, target: Target, progress: Progress) -> Result<PathBuf, Error> {
    for (program, package) in [("apt-get", "apt"), ("dpkg-deb", "dpkg"), ("cargo", "cargo"), ("tar", "tar")] {
        if !on_path(program) {
            let fix = format!(
                "it comes with Debian's package {package}; other systems need a Rust toolchain with the target"
            );
            return Err(Error::Missing { what: program.to_owned(), fix });
        }
    }
    fs::create_dir_all(cache.toolchains()).map_err(io("create", &cache.toolchains()))?;
    let scratch = tempfile::Builder::new()
        .prefix(".debian-")
        .tempdir_in(cache.toolchains())
        .map_err(io("create a directory in", &cache.toolchains()))?;
    let recipe = Recipe::read(scratch.path(), progress)?;
    let name = format!("{}{}-{RECIPE}", prefix(target), file_name(&recipe.version));
    cache.entry(&cache.toolchains(), &name, progress, |dir| recipe.make(dir, target, progress))
}

/// The linker that turns core modules into components, inside a made toolchain.
pub(crate) fn component_linker(dir: &Path) -> Option<PathBuf> {
    let hosts = fs::read_dir(dir.join("lib/rustlib")).ok()?;
    hosts.flatten().map(|host| host.path().join("bin/wasm-component-ld")).find(|file| file.is_file())
}

fn prefix(target: Target) -> String {
    format!("rust-{}-", target.triple())
}

/// A Debian version as a part of a directory name.
fn file_name(version: &str) -> String {
    version.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect()
}

/// What to fetch, as apt's lists say, and where the work is done.
struct Recipe<'a> {
    scratch: &'a Path,
    apt: Apt,
    /// rustc-web's version.
    version: String,
    /// The compiler's, unpacked to a root.
    compiler: Vec<String>,
    /// The linker's, with the libraries this machine lacks.
    linker: Vec<String>,
    /// E.g. `x86_64-unknown-linux-gnu`.
    host: String,
}

impl<'a> Recipe<'a> {
    fn read(scratch: &'a Path, progress: Progress) -> Result<Self, Error> {
        let apt = Apt::with_lists(scratch, progress)?;
        let unusable = |problem: &str| Error::Missing {
            what: format!("a usable rustc-web ({problem})"),
            fix: "this needs Debian bookworm with its security updates, or newer".to_owned(),
        };
        let version = apt.field("rustc-web", "Version").ok_or_else(|| unusable("apt knows none"))?;
        let depends = apt.field("libstd-rust-web-dev", "Depends").ok_or_else(|| unusable("no libstd-rust-web-dev"))?;
        let library = first_named(&depends, "libstd-rust-web-").ok_or_else(|| unusable("no libstd-rust-web"))?;
        let depends = apt.field(&library, "Depends").ok_or_else(|| unusable("no libstd-rust-web"))?;
        let llvm = first_named(&depends, "libllvm").ok_or_else(|| unusable("it names no libllvm"))?;
        let lld = llvm.replacen("libllvm", "lld-", 1);
        let host = query("rustc", &["-vV"])
            .and_then(|text| text.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned));
        let host = host.ok_or_else(|| unusable("`rustc -vV` names no host"))?;
        let compiler = ["rustc-web", &library, "libstd-rust-web-dev", "wasi-libc"].map(str::to_owned).to_vec();
        let linker = apt.lacking(&lld);
        Ok(Self { scratch, apt, version, compiler, linker, host })
    }

    fn make(&self, dir: &Path, target: Target, progress: Progress) -> Result<(), Error> {
        let debs = self.scratch.join("debs");
        let root = self.scratch.join("root");
        let linker_root = self.scratch.join("linker");
        progress.step(&format!("fetching rustc {} and lld from Debian", self.version), || {
            create_dir(&debs)?;
            let mut names = self.compiler.clone();
            names.push("rust-web-src".to_owned());
            names.extend(self.linker.iter().cloned());
            self.apt.download(&names, &debs)
        })?;
        progress.step("unpacking them", || {
            self.compiler.iter().try_for_each(|name| unpack(&debs, name, &root))?;
            self.linker.iter().try_for_each(|name| unpack(&debs, name, &linker_root))?;
            unpack_library_source(&debs, &root)?;
            self.place_compiler(&root, dir)?;
            self.place_linkers(&linker_root, dir)
        })?;
        let version = run(Command::new(dir.join("bin/rustc")).arg("--version"), LONG)?;
        let label = format!("building std for {} with {}", target.triple(), version.trim());
        progress.step(&label, || self.build_std(&root, dir, target))
    }

    /// Debian's directory for this machine's libraries.
    fn multiarch(&self) -> String {
        self.host.replace("-unknown", "")
    }

    /// rustc finds its sysroot from where lib/librustc_driver lies, so the tree may be moved as a whole.
    fn place_compiler(&self, root: &Path, dir: &Path) -> Result<(), Error> {
        create_dir(&dir.join("lib"))?;
        create_dir(&dir.join("bin"))?;
        copy(&[root.join("usr/lib/rustlib")], &dir.join("lib"))?;
        remove_dir(&dir.join("lib/rustlib/src"))?;
        let libraries = files_in(&root.join("usr/lib").join(self.multiarch()), ".so")?;
        copy(&libraries, &dir.join("lib"))?;
        copy(&[root.join("usr/bin/rustc")], &dir.join("bin/rustc.bin"))?;
        // $0 is the path rustc was started by; RUSTC is always given in full.
        let paths = "$here/../lib:$here/../lib/linker";
        script(
            &dir.join("bin/rustc"),
            &format!("here=${{0%/*}}\nLD_LIBRARY_PATH={paths} exec \"$here/rustc.bin\" \"$@\"\n"),
        )
    }

    fn place_linkers(&self, root: &Path, dir: &Path) -> Result<(), Error> {
        let libraries = dir.join("lib/linker");
        create_dir(&libraries)?;
        for place in ["usr/lib", "lib"] {
            let found = files_in(&root.join(place).join(self.multiarch()), ".so").unwrap_or_default();
            copy(&found, &libraries)?;
        }
        let lld = fs::read_dir(root.join("usr/lib")).map_err(io("read", root))?.flatten();
        let lld = lld.map(|entry| entry.path().join("bin/lld")).find(|file| file.is_file());
        let lld = lld.ok_or_else(|| Error::Source { path: root.to_owned(), problem: "holds no lld".to_owned() })?;
        copy(&[lld], &dir.join("bin/lld.bin"))?;
        let bin = dir.join("lib/rustlib").join(&self.host).join("bin");
        create_dir(&bin.join("gcc-ld"))?;
        for (file, up, flavor) in
            [("rust-lld", "../../../..", ""), ("gcc-ld/wasm-ld", "../../../../..", "-flavor wasm ")]
        {
            let text = format!(
                "here=${{0%/*}}/{up}\nLD_LIBRARY_PATH=\"$here/lib/linker\" exec \"$here/bin/lld.bin\" {flavor}\"$@\"\n"
            );
            script(&bin.join(file), &text)?;
        }
        self.place_component_linker(&bin)
    }

    fn place_component_linker(&self, bin: &Path) -> Result<(), Error> {
        let name = "wasm-component-ld";
        let sysroot = query("rustc", &["--print", "sysroot"]).unwrap_or_default();
        let theirs = Path::new(&sysroot).join("lib/rustlib").join(&self.host).join("bin").join(name);
        if theirs.is_file() {
            return copy(&[theirs], &bin.join(name));
        }
        let root = self.scratch.join("component-ld");
        let mut cargo = Command::new("cargo");
        cargo.args(["install", "--quiet", "--locked", name, "--root"]).arg(&root);
        run(&mut cargo, LONG)?;
        copy(&[root.join("bin").join(name)], &bin.join(name))
    }

    fn build_std(&self, root: &Path, dir: &Path, target: Target) -> Result<(), Error> {
        let triple = target.triple();
        let sources = fs::read_dir(root.join("usr/src")).map_err(io("read", root))?.flatten();
        let library = sources.map(|entry| entry.path().join("library")).find(|path| path.is_dir());
        let library = library
            .ok_or_else(|| Error::Source { path: root.to_owned(), problem: "holds no source of std".to_owned() })?;
        let built = self.scratch.join("target");
        let mut cargo = Command::new("cargo");
        cargo.current_dir(&library);
        for name in ["CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "LD_LIBRARY_PATH"] {
            cargo.env_remove(name);
        }
        cargo
            .env("RUSTC", dir.join("bin/rustc"))
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_DIR", &built)
            .env("CARGO_INCREMENTAL", "0")
            .env("__CARGO_DEFAULT_LIB_METADATA", "guest")
            .env("RUSTFLAGS", "-Zforce-unstable-if-unmarked -Cembed-bitcode=yes -Cdebuginfo=0")
            // The lock file as it is: the package's own vendor directory is incomplete, crates.io is not.
            .args(["build", "--release", "--locked", "--package", "sysroot", "--target", triple])
            .args(["--no-default-features", "--features", "panic-unwind"]);
        run(&mut cargo, LONG)?;
        let place = dir.join("lib/rustlib").join(triple).join("lib");
        create_dir(&place.join("self-contained"))?;
        copy(&files_in(&built.join(triple).join("release/deps"), ".rlib")?, &place)?;
        if target == Target::Wasip2 {
            let libc = root.join("usr/lib/wasm32-wasi");
            let files = ["crt1-command.o", "crt1-reactor.o", "libc.a"].map(|file| libc.join(file));
            copy(&files, &place.join("self-contained"))?;
        }
        Ok(())
    }
}

/// apt, reading either the system's package lists or fresh ones of our own.
struct Apt {
    options: Vec<String>,
}

impl Apt {
    fn with_lists(scratch: &Path, progress: Progress) -> Result<Self, Error> {
        let system = Self { options: Vec::new() };
        if system.field("rustc-web", "Version").is_some() {
            return Ok(system);
        }
        let (lists, cache) = (scratch.join("lists"), scratch.join("apt"));
        create_dir(&lists.join("partial"))?;
        create_dir(&cache.join("archives/partial"))?;
        let own = Self {
            options: vec![
                format!("Dir::State::Lists={}", lists.display()),
                format!("Dir::Cache={}", cache.display()),
                "Debug::NoLocking=1".to_owned(),
            ],
        };
        progress.step("reading Debian's package lists", || run(own.command("apt-get").arg("update"), LONG))?;
        Ok(own)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("LC_ALL", "C");
        for option in &self.options {
            command.args(["-o", option]);
        }
        command
    }

    /// A field of the package's newest version.
    fn field(&self, package: &str, field: &str) -> Option<String> {
        let text = run(self.command("apt-cache").args(["show", "--no-all-versions", package]), LONG).ok()?;
        text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(": ").map(str::to_owned))
    }

    /// `package` and everything it needs that isn't installed; libc is on any machine that has apt.
    fn lacking(&self, package: &str) -> Vec<String> {
        let mut command = self.command("apt-cache");
        command.args(["depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks"]);
        command.args(["--no-replaces", "--no-enhances", package]);
        let closure = run(&mut command, LONG).unwrap_or_default();
        let plain = |line: &&str| !line.starts_with([' ', '<', '|']) && !line.is_empty();
        let needed = closure.lines().filter(plain).map(str::to_owned);
        // lld and LLVM are unpacked even when installed: the toolchain must not break when they are removed.
        let ours = |name: &str| name.starts_with("lld-") || name.starts_with("libllvm");
        let mut lacking: Vec<String> =
            needed.filter(|name| name != "libc6" && (ours(name) || !is_installed(name))).collect();
        if !lacking.iter().any(|name| name == package) {
            lacking.push(package.to_owned());
        }
        lacking
    }

    fn download(&self, packages: &[String], into: &Path) -> Result<(), Error> {
        let mut command = self.command("apt-get");
        // As root apt would drop to a user that can't write here; nothing is gained by it.
        command.args(["-o", "APT::Sandbox::User=root", "download", "--quiet"]).args(packages).current_dir(into);
        run(&mut command, LONG).map(drop)
    }
}

fn is_installed(package: &str) -> bool {
    query("dpkg-query", &["-W", "-f", "${db:Status-Status} ", package]).is_some_and(|text| text.contains("installed"))
}

/// The first package of a Depends field whose name begins so: "libfoo1.2" of "libc6 (>= 2), libfoo1.2 (= 3)".
fn first_named(depends: &str, prefix: &str) -> Option<String> {
    let names = depends.split([',', '|']).filter_map(|part| part.split_whitespace().next());
    names.map(|name| name.split(':').next().unwrap_or(name)).find(|name| name.starts_with(prefix)).map(str::to_owned)
}

fn package_file(debs: &Path, name: &str) -> Result<PathBuf, Error> {
    let prefix = format!("{name}_");
    let mut files = fs::read_dir(debs).map_err(io("read", debs))?.flatten();
    let found = files.find(|entry| entry.file_name().to_string_lossy().starts_with(&prefix));
    found
        .map(|entry| entry.path())
        .ok_or_else(|| Error::Source { path: debs.to_owned(), problem: format!("apt-get downloaded no {name}") })
}

fn unpack(debs: &Path, name: &str, root: &Path) -> Result<(), Error> {
    create_dir(root)?;
    run(Command::new("dpkg-deb").arg("-x").arg(package_file(debs, name)?).arg(root), LONG).map(drop)
}

/// Only the standard library of the compiler's huge source package.
fn unpack_library_source(debs: &Path, root: &Path) -> Result<(), Error> {
    let mut reader = Command::new("dpkg-deb");
    reader.arg("--fsys-tarfile").arg(package_file(debs, "rust-web-src")?).stdout(Stdio::piped());
    let started = |source| Error::Start { command: "dpkg-deb --fsys-tarfile".to_owned(), source };
    let mut reader = reader.spawn().map_err(started)?;
    let mut tar = Command::new("tar");
    tar.arg("-x").arg("-C").arg(root).args(["--wildcards", "./usr/src/rustc-*/library/*"]);
    let stdin = reader.stdout.take().map_or_else(Stdio::null, Stdio::from);
    let status = tar.stdin(stdin).status().map_err(|source| Error::Start { command: "tar -x".to_owned(), source })?;
    let read = reader.wait().map_err(started)?;
    if status.success() && read.success() {
        return Ok(());
    }
    Err(Error::Source { path: debs.to_owned(), problem: "the source of std can't be unpacked".to_owned() })
}

/// `cp`, because it keeps links and permissions.
fn copy(files: &[PathBuf], to: &Path) -> Result<(), Error> {
    if files.is_empty() {
        return Ok(());
    }
    run(Command::new("cp").arg("-a").args(files).arg(to), LONG).map(drop)
}

fn files_in(dir: &Path, part: &str) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(dir).map_err(io("read", dir))?.flatten();
    Ok(entries.map(|entry| entry.path()).filter(|path| path.to_string_lossy().contains(part)).collect())
}

fn create_dir(dir: &Path) -> Result<(), Error> {
    fs::create_dir_all(dir).map_err(io("create", dir))
}

fn remove_dir(dir: &Path) -> Result<(), Error> {
    if dir.symlink_metadata().is_err() {
        return Ok(());
    }
    run(Command::new("rm").arg("-rf").arg(dir), LONG).map(drop)
}

/// Writes a shell script that can be run.
fn script(file: &Path, body: &str) -> Result<(), Error> {
    fs::write(file, format!("#!/bin/sh\n{body}")).map_err(io("write", file))?;
    run(Command::new("chmod").arg("755").arg(file), LONG).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_a_depends_field() {
        let depends = "libc6 (>= 2.36), libgcc-s1 (>= 4.2), libllvm22 (>= 1:22.1.8), libstd-rust-web-1.96 (= 1.96.0)";
        for (prefix, name) in
            [("libllvm", Some("libllvm22")), ("libstd-rust-web-", Some("libstd-rust-web-1.96")), ("lld", None)]
        {
            assert_eq!(first_named(depends, prefix).as_deref(), name);
        }
    }

    #[test]
    fn a_version_becomes_a_directory_name() {
        assert_eq!(file_name("1.96.0+dfsg1-1~deb12u2"), "1.96.0-dfsg1-1-deb12u2");
    }
}
