//! `coracle run`: runs a command to its end, with its own standard streams and what it was granted; ends with its exit code.

use crate::args::Run;
use crate::exit::{Exit, Failure};
use crate::{output, process};
use anyhow::Context as _;
use coracle_edge::{LoadError, RunError};
use coracle_host::{JobError, UNLIMITED};
use coracle_manifest::Limits;
use coracle_telemetry::Format;
use std::time::Duration;

/// How long the end of the process waits for whoever reads its log.
const LAST_LINES: Duration = Duration::from_secs(2);

pub fn run(options: &Run) -> Result<Exit, Failure> {
    // A command's own lines stand alone unless there is something to warn of.
    let filter = if options.verbose == 0 { "warn".to_owned() } else { process::log_filter(options.verbose) };
    let log = coracle_edge::logging::init(Format::Text, &filter, output::stderr_colour())
        .context("the log's thread does not start")
        .map_err(Failure::start)?;
    let mut app = process::single(&options.path, &options.bare)?;
    for component in app.components.values_mut() {
        unlimit(&mut component.limits, &options.bare.limits);
    }
    let name = options.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let args = std::iter::once(name).chain(options.args.iter().cloned()).collect();
    let run = coracle_edge::Run {
        app,
        args,
        engine: coracle_host::Settings {
            // One instance: no pool, whose making takes longer than most commands.
            on_demand: true,
            ..process::engine(options.cache_dir.as_deref())
        },
        state_dir: options.state_dir.clone(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::start)?;
    let ended = runtime.block_on(Box::pin(coracle_edge::run(run, |note| {
        tracing::warn!("{}, or run it with --grant NAME=VALUE", note.text);
    })));
    // A read of standard input may still wait for a line that nobody will write.
    runtime.shutdown_background();
    log.flush_within(LAST_LINES);
    ended.map(Exit::Of).map_err(not_run)
}

/// A command takes as long as it takes, unless it was told otherwise.
fn unlimit(limits: &mut Limits, given: &[String]) {
    let said = |name: &str| given.iter().flat_map(|list| list.split(',')).any(|pair| pair.trim().starts_with(name));
    if !said("deadline") {
        limits.deadline = UNLIMITED;
    }
    if !said("cpu_per_request") {
        limits.cpu_per_request = UNLIMITED;
    }
}

fn not_run(error: RunError) -> Failure {
    match error {
        RunError::Load(error @ LoadError::Refused { .. }) => Failure::report(error.render(output::stderr_colour())),
        RunError::Load(error) => Failure::mend(error),
        RunError::Engine(error) => Failure::start(error),
        RunError::Job(error) => {
            let exit = match error {
                JobError::Trap(_) | JobError::Memory { .. } => Exit::Trapped,
                JobError::Deadline(_) | JobError::Cpu(_) => Exit::TimedOut,
                JobError::Start(_) => Exit::Mend,
            };
            Failure { exit, ..Failure::mend(error) }
        }
    }
}
