//! What commands that run guests have in common: the app of a bare component, how its guests are run, and how much is logged.

use crate::args::Bare;
use crate::exit::Failure;
use crate::known::Known;
use crate::output;
use anyhow::Context as _;
use coracle_manifest::{App, Flags};
use std::path::{Path, PathBuf};

/// The app of a component without a manifest.
pub fn single(path: &Path, bare: &Bare) -> Result<App, Failure> {
    let flags = Flags {
        component: path.to_owned(),
        env: bare.env.clone(),
        config: bare.config.clone(),
        grants: bare.grants.clone(),
        dirs: bare.dirs.clone(),
        stores: bare.stores.clone(),
        reuse: bare.reuse.clone(),
        limits: bare.limits.clone(),
        strict: bare.strict,
    };
    let base_dir = std::env::current_dir().context("the working directory can't be found").map_err(Failure::start)?;
    let known = Known::new();
    let none = |_: &str| None;
    let (app, diagnostics, source) = App::single(&flags, &known.options(None, &none, &base_dir));
    let Some(app) = app else { return Err(Failure::report(diagnostics.render(&source, output::stderr_colour()))) };
    if !diagnostics.is_empty() {
        tracing::warn!("{}", diagnostics.render(&source, false).trim_end());
    }
    Ok(app)
}

/// `-v` shows our own details, `-vv` everybody's; a filter in CORACLE_LOG wins.
pub fn log_filter(verbose: u8) -> String {
    let asked = std::env::var("CORACLE_LOG").ok().filter(|filter| !filter.is_empty());
    let level = match verbose {
        0 => "info",
        1 => "info,coracle=debug",
        2 => "debug",
        _ => "trace",
    };
    asked.unwrap_or_else(|| level.to_owned())
}

/// How guests are run, whatever runs them.
pub fn engine(cache_dir: Option<&Path>) -> coracle_host::Settings {
    let root = match cache_dir {
        Some(root) => Some(root.to_owned()),
        // Without a home, as in some containers, code is compiled anew at each start.
        None => coracle_toolchain::Cache::find().ok().map(|cache| cache.root().to_owned()),
    };
    coracle_host::Settings {
        cache_dir: root.map(|root| root.join("compiled")),
        heap: Some(crate::heap::allocated),
        compiler: own_program(),
        ..coracle_host::Settings::default()
    }
}

/// This very program, also when its file has been replaced meanwhile.
fn own_program() -> Option<PathBuf> {
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() { Some(running) } else { std::env::current_exe().ok() }
}
