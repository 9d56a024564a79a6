//! A command of WASI 0.3. `args` prints its arguments and the variable `MOOD`, `cat` copies standard input to standard output,
//! `read FILE` a file, `write FILE TEXT`, `connect IP:PORT`, `fail` ends badly, `exit` ends the process badly from within, `trap`,
//! `spin`, `grow`, `wait` never ends.

use wasip3::cli::{environment, exit, stderr, stdin, stdout};
use wasip3::filesystem::preopens;
use wasip3::filesystem::types::{DescriptorFlags, OpenFlags, PathFlags};
use wasip3::wit_bindgen::StreamResult;
use wasip3::wit_stream;

struct Command;

impl wasip3::exports::cli::run::Guest for Command {
    async fn run() -> Result<(), ()> {
        let args = environment::get_arguments();
        let args: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
        match run(&args).await {
            Ok(()) => Ok(()),
            Err(text) => {
                say(format!("{text}\n").into_bytes(), true).await;
                Err(())
            }
        }
    }
}

async fn run(args: &[&str]) -> Result<(), String> {
    match args {
        ["args", rest @ ..] => {
            let mood =
                environment::get_environment().into_iter().find(|(name, _)| name == "MOOD").map(|(_, value)| value);
            say(format!("{rest:?} {mood:?}\n").into_bytes(), false).await;
        }
        ["cat"] => {
            let (mut lines, end) = stdin::read_via_stream();
            let mut all = Vec::new();
            loop {
                let (status, chunk) = lines.read(Vec::with_capacity(65536)).await;
                all.extend(chunk);
                if matches!(status, StreamResult::Dropped) {
                    break;
                }
            }
            end.await.map_err(|error| format!("{error:?}"))?;
            say(all, false).await;
        }
        ["read", file] => {
            let (folder, rest) = folder(file)?;
            let file = folder.open_at(PathFlags::empty(), rest, OpenFlags::empty(), DescriptorFlags::READ).await;
            let (content, end) = file.map_err(|error| format!("{error:?}"))?.read_via_stream(0);
            say(content.collect().await, false).await;
            end.await.map_err(|error| format!("{error:?}"))?;
        }
        ["write", file, content] => {
            let (folder, rest) = folder(file)?;
            let flags = DescriptorFlags::WRITE;
            let file = folder.open_at(PathFlags::empty(), rest, OpenFlags::CREATE | OpenFlags::TRUNCATE, flags).await;
            let file = file.map_err(|error| format!("{error:?}"))?;
            let (mut writer, reader) = wit_stream::new();
            let written = file.write_via_stream(reader, 0);
            writer.write_all(content.as_bytes().to_vec()).await;
            drop(writer);
            written.await.map_err(|error| format!("{error:?}"))?;
        }
        ["connect", address] => drop(std::net::TcpStream::connect(address).map_err(|error| error.to_string())?),
        ["fail"] => return Err("it went badly".to_owned()),
        ["exit"] => exit::exit(Err(())),
        ["trap"] => trap(),
        ["spin"] => spin(),
        ["grow"] => grow(),
        ["wait"] => wasip3::clocks::monotonic_clock::wait_for(u64::MAX / 2).await,
        _ => return Err(format!("unknown: {args:?}")),
    }
    Ok(())
}

/// The granted directory that a path lies in, and the rest of the path.
fn folder(path: &str) -> Result<(wasip3::filesystem::types::Descriptor, String), String> {
    let mut found = preopens::get_directories().into_iter().filter_map(|(folder, at)| {
        let rest = path.strip_prefix(at.as_str())?.trim_start_matches('/').to_owned();
        Some((folder, rest))
    });
    found.next().ok_or_else(|| format!("no directory is granted that holds {path}"))
}

async fn say(bytes: Vec<u8>, badly: bool) {
    let (mut writer, reader) = wit_stream::new();
    let written = if badly { stderr::write_via_stream(reader) } else { stdout::write_via_stream(reader) };
    writer.write_all(bytes).await;
    drop(writer);
    let _ = written.await;
}

#[inline(never)]
fn trap() {
    core::arch::wasm32::unreachable()
}

fn spin() {
    let mut count = 0_u64;
    loop {
        count = std::hint::black_box(count + 1);
    }
}

fn grow() {
    let mut held = Vec::new();
    loop {
        held.push(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
}

wasip3::cli::command::export!(Command);
