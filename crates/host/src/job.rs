//! One run of a command: a component of the world `wasi:cli/command`, 0.2 or 0.3, with the arguments and the standard streams of
//! this process. It is made, linked and limited like any other guest; only its end is its own: an exit code.
//!
//! A command may take as long as it likes unless its limits say otherwise: `deadline` is for its whole run, `cpu_per_request` for
//! the CPU time of all of it. Both are enforced from outside, by dropping the store.

use crate::code::{Linked, Recipe};
use crate::compile::Wasm;
use crate::engine::Engine;
use crate::guest::Guest;
use crate::instance::Blueprint;
use crate::invoke::{Over, within};
use crate::link::{self, LoadError};
use crate::mode::Mode;
use crate::plugin::Note;
use crate::spec::Spec;
use crate::stdio::Stdio;
use crate::trap;
use coracle_artifact::World;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::Store;
use wasmtime_wasi::{I32Exit, p2, p3};

/// How long a command may run whose manifest or options don't say.
pub const UNLIMITED: Duration = Duration::from_secs(365 * 24 * 3600);

/// A command that is ready to run.
pub struct Job {
    blueprint: Blueprint,
    linked: Linked,
    world: World,
}

/// A command did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    #[error("it could not be started: {0}")]
    Start(String),
    /// With the functions that led to it.
    #[error("{0}")]
    Trap(String),
    #[error("it was refused more memory than its limit `memory` ({bytes} bytes) and died: {trap}")]
    Memory { bytes: u64, trap: String },
    #[error("it was not done within its limit `deadline` ({0:?})")]
    Deadline(Duration),
    #[error("it used more CPU time than its limit `cpu_per_request` ({0:?})")]
    Cpu(Duration),
}

impl Job {
    /// Compiles or maps a command and links it to what it was granted. Blocks.
    ///
    /// # Errors
    /// When it does not compile, imports what is not there, or imports what was not granted and can't be denied.
    pub fn load(engine: &Engine, spec: Spec) -> Result<(Self, Vec<Note>), LoadError> {
        let notes = link::notes(&spec)?;
        let world = spec.component.world.clone();
        let recipe = Recipe {
            wasm: Wasm::held(&spec.component),
            mode: Mode::Concurrent,
            core_instances: spec.component.core_instances,
            unoffered: link::unoffered(&spec),
            uses: spec.uses.clone(),
            neighbours: Arc::clone(&spec.neighbours),
        };
        let linked = recipe.link(engine, &spec.grants)?;
        let name = Arc::clone(&spec.name);
        let blueprint = Blueprint::new(engine, spec, name, Mode::Concurrent);
        Ok((Self { blueprint, linked, world }, notes))
    }

    /// Runs it with these arguments, the first of which is its own name, and the standard streams of this process. Returns its
    /// exit code: 0 when it ended well, 1 when it said that it did not, or the one it asked for.
    ///
    /// # Errors
    /// When it traps or exceeds a limit.
    pub async fn run(self, args: &[String]) -> Result<u8, JobError> {
        let Self { blueprint, linked, world } = self;
        let limits = blueprint.limits.clone();
        let store = blueprint.store_with(|wasi, _| {
            wasi.inherit_stdin().stdout(Stdio::Output).stderr(Stdio::Error).args(args);
        });
        let mut store = store.map_err(|error| JobError::Start(format!("{error:#}")))?;
        // The one instance of this process has always a place.
        let _place = blueprint.engine.place(linked.weight);
        let ended = {
            let _running = blueprint.engine.running();
            within(&limits, call(&mut store, &linked, &world)).await.map_err(|over| match over {
                Over::Cpu => JobError::Cpu(limits.cpu_per_request),
                Over::Deadline => JobError::Deadline(limits.deadline),
            })?
        };
        let refused = store.data().memory.refused();
        ended.map_or_else(|error| failed(&error, &blueprint, refused), |done| Ok(u8::from(done.is_err())))
    }
}

/// The command's own end, as it says it.
async fn call(store: &mut Store<Guest>, linked: &Linked, world: &World) -> wasmtime::Result<Result<(), ()>> {
    if *world == World::Command03 {
        let command = p3::bindings::CommandPre::new(linked.pre.clone())?.instantiate_async(&mut *store).await?;
        return store.run_concurrent(async |accessor| command.wasi_cli_run().call_run(accessor).await).await?;
    }
    let command = p2::bindings::CommandPre::new(linked.pre.clone())?.instantiate_async(&mut *store).await?;
    command.wasi_cli_run().call_run(&mut *store).await
}

/// What an error of the runtime means: an exit code that was asked for, or a trap.
fn failed(error: &wasmtime::Error, blueprint: &Blueprint, refused_memory: bool) -> Result<u8, JobError> {
    if let Some(I32Exit(code)) = error.downcast_ref::<I32Exit>() {
        // What a shell would see of it.
        return Ok((*code & 0xff) as u8);
    }
    let trap = trap::told(error, blueprint.traps.digest, blueprint.engine.cache());
    match refused_memory {
        true => Err(JobError::Memory { bytes: blueprint.limits.memory, trap }),
        false => Err(JobError::Trap(trap)),
    }
}
