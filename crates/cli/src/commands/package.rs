//! `coracle package`: what is shipped of an app. `compile` puts the code of its components into the cache, where `up --aot-only`
//! finds it. Never executes a guest.

use crate::args::{Compile, Package};
use crate::commands::Known;
use crate::commands::check::{self, Read};
use crate::exit::{Exit, Failure};
use crate::output::{self, GOOD};
use coracle_artifact::World;
use coracle_host::{Engine, Settings};
use coracle_manifest::ComponentSource;
use serde_json::json;
use std::fmt::Write as _;
use std::time::Instant;

pub fn run(package: &Package) -> Result<Exit, Failure> {
    match package {
        Package::Compile(options) => compile(options),
    }
}

fn compile(options: &Compile) -> Result<Exit, Failure> {
    let known = Known::new();
    let Read { app, diagnostics, source, .. } =
        check::read(options.path.as_deref(), &options.app, &known, &mut |_, _, _| {})?;
    let Some(app) = app else {
        return Err(Failure::report(diagnostics.render(&source, output::stderr_colour())));
    };
    let settings = crate::process::engine(options.cache_dir.as_deref());
    let Some(cache) = settings.cache_dir.clone() else {
        return Err(Failure::usage("there is no place for compiled code: name one with --cache-dir"));
    };
    // Commands run without pools, and code is for one or the other.
    let engine = |on_demand| Engine::new(&Settings { on_demand, ..settings.clone() }).map_err(Failure::start);
    let (serving, running) = (engine(false)?, engine(true)?);
    let (mut text, mut list) = (String::new(), Vec::new());
    for component in app.components.values() {
        let ComponentSource::Path(path) = &component.source;
        let admitted = coracle_artifact::load(path, &coracle_artifact::Options::default());
        let admitted = admitted.map_err(|rejected| Failure::mend(anyhow::anyhow!("{rejected}")))?;
        let command = matches!(admitted.world, World::Command02 | World::Command03);
        let begin = Instant::now();
        let compiled = if command { &running } else { &serving }.precompile(&admitted);
        let (bytes, known) = compiled.map_err(|error| {
            Failure::mend(anyhow::Error::new(error).context(format!("component `{}`", component.name)))
        })?;
        let took = if known { "was there".to_owned() } else { format!("{:.1} s", begin.elapsed().as_secs_f64()) };
        let (name, size) = (&component.name, output::bytes(bytes));
        // Writing to a String can't fail.
        let _ = writeln!(text, "{GOOD}{name}{GOOD:#}  {size} of code, {took}");
        let digest = admitted.digest.to_string();
        list.push(json!({ "name": name, "digest": digest, "code_bytes": bytes, "was_there": known }));
    }
    if options.json {
        output::json(&json!({ "cache": cache.display().to_string(), "components": list }))?;
    } else {
        let _ = writeln!(text, "in {}", cache.display());
        output::result(&text)?;
    }
    Ok(Exit::Ok)
}
