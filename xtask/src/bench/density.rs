//! Many components in one process, `coracle up DIR/`: what each costs while nobody calls it and when it is warm, and how long the
//! first call of one takes. All are copies of one guest that differ in a section without meaning, so that none shares its code
//! with another.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};

use super::contender::{Contender, Places, Program};
use super::proc;
use super::server::Server;

/// How many are registered, and how many of the most are called.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub registered: &'static [usize],
    pub warm: usize,
}

pub const WHOLE: Sizes = Sizes { registered: &[10, 100, 1_000, 10_000], warm: 1_000 };
pub const QUICK: Sizes = Sizes { registered: &[10, 100, 1_000, 10_000], warm: 100 };

/// How many are compiled for the figure of that.
const COMPILED: usize = 5;
/// What the process does once for all, such as making its pools, is done with the first few.
const FIRST: usize = 5;
const PATIENCE: Duration = Duration::from_secs(600);

pub fn measure(places: &Places, contender: &Contender, folder: &Path, sizes: Sizes) -> Result<Vec<(String, f64)>> {
    let Program::Guest(guest, _) = &contender.program else { bail!("only guests are components") };
    let wasm = places.guests.join(format!("{guest}.wasm"));
    let wasm = fs::read(&wasm).with_context(|| format!("cannot read {}", wasm.display()))?;
    let mut figures = Vec::new();
    let mut sums = Vec::new();
    for count in sizes.registered {
        let apps = filled(folder, &wasm, *count)?;
        let begin = Instant::now();
        let server = start(places, folder, &apps)?;
        if Some(count) == sizes.registered.last() {
            figures.push((format!("start with {count}, ms"), begin.elapsed().as_secs_f64() * 1e3));
        }
        sums.push((*count, settled(&server)));
        figures.push((format!("{count} registered, MiB"), settled(&server) as f64 / 1024.0));
    }
    if let (Some(least), Some(most)) = (sums.first(), sums.last()) {
        figures.push(("registered, KiB each".to_owned(), slope(*least, *most)));
    }
    let most = sizes.registered.last().copied().unwrap_or_default();
    let apps = filled(folder, &wasm, most)?;
    for number in 0..COMPILED {
        let nonce = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
        fs::write(apps.join(format!("new-{number}.wasm")), marked(&wasm, &nonce.to_string()))?;
    }
    // Compiles what a round before has not.
    let server = start(places, folder, &apps)?;
    for number in 0..sizes.warm {
        first_byte(&server, &format!("app-{number}"))?;
    }
    for number in 0..COMPILED {
        figures.push(("first byte, not compiled, ms".to_owned(), first_byte(&server, &format!("new-{number}"))?));
    }
    drop(server);
    let server = start(places, folder, &apps)?;
    for number in 0..FIRST.min(sizes.warm) {
        first_byte(&server, &format!("app-{number}"))?;
    }
    let before = (FIRST, settled(&server));
    for number in FIRST..sizes.warm {
        figures.push(("first byte, compiled, ms".to_owned(), first_byte(&server, &format!("app-{number}"))?));
    }
    figures.push(("warm, KiB each".to_owned(), slope(before, (sizes.warm, settled(&server)))));
    for number in 0..sizes.warm {
        figures.push(("first byte of an instance, ms".to_owned(), first_byte(&server, &format!("app-{number}"))?));
    }
    let maps = fs::read_to_string(format!("/proc/{}/maps", server.process())).unwrap_or_default().lines().count();
    figures.push((format!("mappings, {} warm", sizes.warm), maps as f64));
    Ok(figures)
}

/// KiB for each component more.
fn slope((few, less): (usize, u64), (many, more): (usize, u64)) -> f64 {
    (more as f64 - less as f64) / many.saturating_sub(few).max(1) as f64
}

/// A folder with so many apps; those of a round before are kept, so that they are known to the cache.
fn filled(folder: &Path, wasm: &[u8], count: usize) -> Result<PathBuf> {
    let apps = folder.join("apps");
    fs::create_dir_all(&apps).with_context(|| format!("cannot create {}", apps.display()))?;
    for entry in fs::read_dir(&apps)? {
        let path = entry?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()?.strip_prefix("app-")?.parse::<usize>().ok());
        if number.is_none_or(|number| number >= count) {
            // A token's folder is none of ours.
            let _ = fs::remove_file(path);
        }
    }
    for number in 0..count {
        let path = apps.join(format!("app-{number}.wasm"));
        let marked = marked(wasm, &number.to_string());
        if fs::read(&path).ok().as_ref() != Some(&marked) {
            fs::write(path, marked)?;
        }
    }
    Ok(apps)
}

/// The component with a custom section at its end.
fn marked(wasm: &[u8], text: &str) -> Vec<u8> {
    const NAME: &str = "copy";
    let mut section = vec![NAME.len() as u8];
    section.extend_from_slice(NAME.as_bytes());
    section.extend_from_slice(text.as_bytes());
    // Shorter than 128 bytes: the length is one byte.
    let mut marked = wasm.to_vec();
    marked.extend_from_slice(&[0, section.len() as u8]);
    marked.append(&mut section);
    marked
}

/// Returns when it answers.
fn start(places: &Places, folder: &Path, apps: &Path) -> Result<Server> {
    let server = Server::spawn(folder, |port| {
        let mut command = Command::new(places.built.join("coracle"));
        command.args(["up", "--quiet", "--listen", &format!("127.0.0.1:{port}"), "--admin", "127.0.0.1:0"]).arg(apps);
        Ok(command)
    })?;
    let begin = Instant::now();
    // No app has this name.
    while super::server::first_byte(server.port, "/").is_none() {
        ensure!(begin.elapsed() < PATIENCE, "no answer within {} s:\n{}", PATIENCE.as_secs(), server.log());
        sleep(Duration::from_millis(1));
    }
    Ok(server)
}

/// Proportional memory in KiB, when it no longer changes: allocators give back after a while.
fn settled(server: &Server) -> u64 {
    let mut last = proc::memory(server.process()).1;
    for _ in 0..20 {
        sleep(Duration::from_millis(100));
        let now = proc::memory(server.process()).1;
        if now.abs_diff(last) < 64 {
            return now;
        }
        last = now;
    }
    last
}

/// From a request on an open connection to the first byte of its answer, in ms. Fails unless that is a 200.
fn first_byte(server: &Server, host: &str) -> Result<f64> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    // Accepted and waiting for the request.
    sleep(Duration::from_millis(1));
    let begin = Instant::now();
    stream.write_all(request.as_bytes())?;
    let mut head = [0; 16];
    let read = stream.read(&mut head)?;
    let took = begin.elapsed().as_secs_f64() * 1e3;
    let head = String::from_utf8_lossy(head.get(..read).unwrap_or_default()).into_owned();
    ensure!(head.contains(" 200"), "{host} answered {head:?}:\n{}", server.log());
    Ok(took)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_a_section_of_its_own() {
        assert_eq!(marked(b"wasm", "7"), b"wasm\0\x06\x04copy7");
        assert_eq!(slope((10, 1000), (110, 2600)), 16.0);
    }
}
