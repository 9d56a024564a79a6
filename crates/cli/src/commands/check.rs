//! `coracle check`: everything that is wrong with a manifest and its components, in one report. Never executes a guest, opens no
//! store and no connection.

use crate::args::{AppOptions, Check};
use crate::commands::{self, Known};
use crate::exit::{Exit, Failure};
use crate::imports::Imports;
use crate::output::{self, GOOD};
use crate::subject::Subject;
use anyhow::Context as _;
use coracle_artifact::Admitted;
use coracle_manifest::{App, Component, ComponentSource, Diagnostic, Diagnostics, Flags, Severity, Source};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

pub fn run(options: &Check) -> Result<Exit, Failure> {
    let known = Known::new();
    let mut look = |app: &App, bare: bool, diagnostics: &mut Diagnostics| {
        coracle_edge::check_tables(app, &known.plugins, diagnostics);
        let mut check = Components { known: &known, diagnostics, bare };
        app.components.values().for_each(|component| check.component(app, component));
    };
    let Read { app, diagnostics, source, bare } = read(options.path.as_deref(), &options.app, &known, &mut look)?;
    let well = !diagnostics.has_errors();
    if options.json {
        let count = |severity| diagnostics.iter().filter(|item| item.severity == severity).count();
        output::json(&json!({
            "ok": well,
            "file": source.path.display().to_string(),
            "errors": count(Severity::Error),
            "warnings": count(Severity::Warning),
            "diagnostics": diagnostics.to_json(&source),
        }))?;
    } else {
        let report = diagnostics.render(&source, output::stdout_colour());
        output::result(&(report + &praise(app.as_ref().filter(|_| well), &source, bare)))?;
    }
    Ok(if well { Exit::Ok } else { Exit::Mend })
}

/// What a manifest or the path of a component says. The app is there when it has no errors of its own.
pub struct Read {
    pub app: Option<App>,
    pub diagnostics: Diagnostics,
    pub source: Arc<Source>,
    /// A component without a manifest: the source shows the command line.
    pub bare: bool,
}

/// Reads what `path` names, as `up` would. `look` is shown the app as far as it could be read, and whether there is no
/// manifest.
///
/// # Errors
/// When it isn't there or can't be read.
pub fn read(
    path: Option<&Path>,
    options: &AppOptions,
    known: &Known,
    look: &mut dyn FnMut(&App, bool, &mut Diagnostics),
) -> Result<Read, Failure> {
    let variables = commands::variables(options);
    let lookup = |name: &str| variables.get(name).cloned();
    let variant = options.variant.as_deref();
    let here = std::env::current_dir().context("the working directory can't be found").map_err(Failure::start)?;
    match Subject::find(path)? {
        Subject::Manifest(path) => {
            let source = Source::load(&path).with_context(|| format!("can't read the manifest {}", path.display()));
            let source = Arc::new(source.map_err(Failure::mend)?);
            let whole = here.join(&path);
            let base_dir = whole.parent().unwrap_or(&here);
            let known = known.options(variant, &lookup, base_dir);
            let mut look = |app: &App, diagnostics: &mut Diagnostics| look(app, false, diagnostics);
            let (app, diagnostics) = coracle_manifest::check_with(Arc::clone(&source), &known, &mut look);
            Ok(Read { app, diagnostics, source, bare: false })
        }
        Subject::Component(path) => {
            let flags = Flags { component: path, ..Flags::default() };
            let (app, mut diagnostics, source) = App::single(&flags, &known.options(None, &lookup, &here));
            if let Some(app) = &app {
                look(app, true, &mut diagnostics);
            }
            Ok(Read { app, diagnostics, source, bare: true })
        }
    }
}

/// The check of components, as far as their files go.
struct Components<'a> {
    known: &'a Known,
    diagnostics: &'a mut Diagnostics,
    bare: bool,
}

impl Components<'_> {
    /// Admits the component's file, if it has been built, and holds its imports against its grants.
    fn component(&mut self, app: &App, component: &Component) {
        let ComponentSource::Path(path) = &component.source;
        let at = component.source_span;
        if !path.exists() {
            let message =
                format!("the component `{}` has not been built: there is no {}", component.name, path.display());
            let help = match &component.build {
                Some(build) => format!("build it with `{}`, or correct the path", build.command),
                None => "build it, or correct the path".to_owned(),
            };
            return self.diagnostics.push(Diagnostic::warning("not-built", message).at(at).help(help));
        }
        let admitted = match coracle_artifact::load(path, &coracle_artifact::Options::default()) {
            Ok(admitted) => admitted,
            Err(rejected) => return self.diagnostics.push(Diagnostic::error("component", rejected.to_string()).at(at)),
        };
        if let Err(unfit) = coracle_edge::check_role(app, component, &admitted) {
            self.diagnostics.push(unfit.at(at));
        }
        for warning in &admitted.warnings {
            self.diagnostics.push(Diagnostic::warning("component", format!("{}: {warning}", path.display())).at(at));
        }
        self.imports(component, &admitted);
    }

    fn imports(&mut self, component: &Component, admitted: &Admitted) {
        let name = &component.name;
        let Imports { needs, unknown } = Imports::of(admitted, &self.known.plugins, &component.uses);
        let ungranted = |grant: &str| component.grants.iter().all(|entry| entry.name != grant);
        for need in needs.into_iter().filter(|need| ungranted(need.grant)) {
            let imports = need.imports.join(" and ");
            let (fatal, grant) = (need.refused || component.strict, need.grant);
            let end = if fatal { "so it can't be loaded" } else { "so each such call is answered with \"denied\"" };
            let message = format!("`{name}` imports {imports} but was not granted `{grant}`, {end}");
            let diagnostic =
                if fatal { Diagnostic::error("ungranted", message) } else { Diagnostic::warning("ungranted", message) };
            let help = match self.bare {
                true => format!("to allow it, start it with `coracle up --grant {grant}=…`"),
                false => format!("to allow it, add `{grant} = …` under [component.{name}.grants]"),
            };
            self.diagnostics.push(diagnostic.at(component.source_span).help(help));
        }
        if !unknown.is_empty() {
            let message = format!("`{name}` imports {}, which this Coracle does not offer", unknown.join(" and "));
            let help = "unless these hold nothing but types, it can't be loaded; `coracle inspect` shows all imports";
            self.diagnostics.push(Diagnostic::warning("unknown-import", message).at(component.source_span).help(help));
        }
    }
}

fn praise(app: Option<&App>, source: &Source, bare: bool) -> String {
    let Some(app) = app else { return String::new() };
    let count = |number: usize, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
    if bare {
        return format!("{GOOD}ok{GOOD:#} {}\n", source.text.trim_end());
    }
    let (components, routes) = (count(app.components.len(), "component"), count(app.routes.len(), "route"));
    format!("{GOOD}ok{GOOD:#} {}: {components}, {routes}\n", source.path.display())
}
