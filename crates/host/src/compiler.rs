//! The other end of `compile/apart.rs`: a process that reads one component on standard input, writes its code to standard
//! output and ends. It runs no guest. A program whose settings name it as compiler calls [`compile_child`] first of all.

use crate::compile::{OTHER_ENGINE, VERB, hash};
use crate::engine;
use nix::sys::resource::{Resource, setrlimit};
use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

/// Compiles, if the command line asks for that; `None` when it doesn't.
pub fn compile_child() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next()? != VERB {
        return None;
    }
    let numbers = (arguments.next()?.parse().ok()?, arguments.next()?.parse().ok()?);
    Some(match compile(numbers.0, numbers.1) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(OTHER_ENGINE),
        Err(error) => {
            // The parent may be gone.
            let _ = write!(io::stderr(), "{error:#}");
            ExitCode::FAILURE
        }
    })
}

/// `false` when there is no engine of this hash.
fn compile(hash_wanted: u64, cpu_seconds: u64) -> wasmtime::Result<bool> {
    restrict(cpu_seconds)?;
    let Some(engine) = engine::candidates().find(|engine| hash(engine) == hash_wanted) else { return Ok(false) };
    let mut component = Vec::new();
    io::stdin().lock().read_to_end(&mut component)?;
    let code = engine.precompile_component(&component)?;
    io::stdout().lock().write_all(&code)?;
    Ok(true)
}

/// Who serves comes first; and when memory is short this process is the one to go.
fn restrict(cpu_seconds: u64) -> wasmtime::Result<()> {
    setrlimit(Resource::RLIMIT_CPU, cpu_seconds, cpu_seconds + 5)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    // SAFETY: no memory is passed; it changes the priority of this process alone.
    #[allow(unsafe_code)]
    let _ = unsafe { libc::nice(NICE) };
    // Systems without it do without.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    Ok(())
}

/// A tenth of what a process of usual priority gets beside it.
const NICE: i32 = 10;
