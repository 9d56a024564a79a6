//! A command. `args` prints its arguments and the variable `MOOD`, `cat` copies standard input to standard output, `read FILE` a
//! file, `write FILE TEXT`, `connect IP:PORT`, `fail` ends badly, `exit` ends the process badly from within, `trap`, `spin`, `grow`.

use std::io::{Read, Write};

struct Command;

impl wasip2::exports::cli::run::Guest for Command {
    fn run() -> Result<(), ()> {
        let args: Vec<String> = std::env::args().collect();
        let args: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
        match run(&args) {
            // Nobody else flushes what has no newline at its end.
            Ok(()) => std::io::stdout().flush().map_err(drop),
            Err(text) => {
                eprintln!("{text}");
                Err(())
            }
        }
    }
}

fn run(args: &[&str]) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    match args {
        ["args", rest @ ..] => println!("{rest:?} {:?}", std::env::var("MOOD").ok()),
        ["cat"] => {
            let mut all = Vec::new();
            std::io::stdin().read_to_end(&mut all).map_err(text)?;
            std::io::stdout().write_all(&all).map_err(text)?;
        }
        ["read", file] => print!("{}", std::fs::read_to_string(file).map_err(text)?),
        ["write", file, content] => std::fs::write(file, content).map_err(text)?,
        ["connect", address] => drop(std::net::TcpStream::connect(address).map_err(text)?),
        ["fail"] => return Err("it went badly".to_owned()),
        ["exit"] => std::process::exit(1),
        ["trap"] => trap(),
        ["spin"] => spin(),
        ["grow"] => grow(),
        _ => return Err(format!("unknown: {args:?}")),
    }
    Ok(())
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

wasip2::cli::command::export!(Command);
