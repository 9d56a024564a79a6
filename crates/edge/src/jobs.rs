//! One run of a command, with the grants and limits of a component that serves: `coracle run`. No listener, no route, no reload.

use crate::load::{LoadError, Loader};
use crate::settings::AppSource;
use crate::tunnel::Tunnels;
use crate::upstream::Timeouts;
use coracle_host::{Engine, EngineError, Job, JobError, Note, Resources};
use coracle_manifest::App;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What is to be run, and how.
pub struct Run {
    /// With one component, the command.
    pub app: App,
    /// What the command is told, its own name first.
    pub args: Vec<String>,
    pub engine: coracle_host::Settings,
    /// Where embedded stores live; `None` is `.coracle` in the app's directory.
    pub state_dir: Option<PathBuf>,
}

/// A command did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("the engine does not start")]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Job(#[from] JobError),
}

/// Runs a command to its end and returns its exit code. `note` is told what the user should know of how it was loaded.
///
/// # Errors
/// When it can't be loaded, traps, or exceeds a limit.
pub async fn run(run: Run, note: impl Fn(&Note)) -> Result<u8, RunError> {
    let Run { app, args, engine, state_dir } = run;
    let loader = Loader {
        engine: Engine::new(&engine)?,
        plugins: coracle_plugins::all(),
        resources: Resources {
            stores: BTreeMap::new(),
            config: BTreeMap::new(),
            base_dir: PathBuf::new(),
            state_dir: PathBuf::new(),
            open: Arc::default(),
        },
        source: AppSource::Given(Box::new(app)),
        state_dir,
        shards: 1,
        timeouts: Timeouts { connect: Duration::from_secs(5), head: Duration::from_secs(60) },
        tunnels: Tunnels::default(),
        rollouts: Arc::default(),
        app: None,
        neighbours: Arc::default(),
        neighbourhoods: Arc::default(),
    };
    let (job, notes): (Job, _) = loader.job().await?;
    notes.iter().for_each(note);
    Ok(job.run(&args).await?)
}
