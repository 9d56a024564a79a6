//! The grant `files`: directories of this machine that a component sees through `wasi:filesystem`, read-only unless
//! the grant says `write = true`. WASI itself is linked by the host; without a grant it has no directory to show.

use coracle_host::{Check, Checked, Grant, Guest, Interface, Mode, Plugin, PrepareError, Resources, Seed};
use coracle_manifest::value::{Node, Value};
use coracle_manifest::{Diagnostic, Span, codes};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wasmtime::component::Linker;
use wasmtime_wasi::FsPerms;

pub struct Files;

/// One directory of the grant.
struct Directory {
    /// Absolute, or relative to this process.
    from: PathBuf,
    /// As the guest sees it.
    to: String,
    write: bool,
}

struct Directories(Vec<Directory>);

const FORMS: &str = "write { from = \"assets\", to = \"/assets\" }, or \"assets:/assets\" for short";

impl Plugin for Files {
    fn name(&self) -> &'static str {
        "files"
    }

    /// None of its own: the filesystem is part of WASI, and harmless while it is empty.
    fn interfaces(&self) -> &'static [Interface] {
        &[]
    }

    fn schema(&self) -> serde_json::Value {
        let directory = json!({
            "oneOf": [
                { "type": "string", "description": "from:to, from:to:ro or from:to:rw", "examples": ["assets:/assets"] },
                {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["from", "to"],
                    "properties": {
                        "from": { "type": "string", "description": "A directory, relative to the manifest" },
                        "to": { "type": "string", "description": "Where the component sees it, such as /assets" },
                        "write": { "type": "boolean", "default": false },
                    },
                },
            ],
        });
        json!({
            "description": "Directories the component may read, and write where it says so",
            "oneOf": [directory.clone(), { "type": "array", "items": directory }],
        })
    }

    fn check(&self, value: &Node, check: &mut Check<'_>) -> Option<Checked> {
        let mut found: Vec<(Span, Directory)> = Vec::new();
        for item in value.list() {
            let Some(directory) = read(item, check) else { continue };
            if let Some((first, _)) = found.iter().find(|(_, other)| other.to == directory.to) {
                let message = format!("two directories are granted as `{}`", directory.to);
                let diagnostic = Diagnostic::error(codes::AMBIGUOUS_NAME, message).at(item.span).label("the second");
                check.diagnostics.push(diagnostic.also(*first, "the first").help("give each its own `to`"));
            }
            found.push((item.span, directory));
        }
        let complete = found.len() == value.list().len();
        complete
            .then(|| -> Checked { Arc::new(Directories(found.into_iter().map(|(_, directory)| directory).collect())) })
    }

    fn prepare(&self, checked: &Checked, _resources: &Resources) -> Result<Grant, PrepareError> {
        Ok(Grant::Given(Arc::clone(checked)))
    }

    fn link(&self, _linker: &mut Linker<Guest>, _grant: &Grant, _: Mode) -> wasmtime::Result<()> {
        Ok(())
    }

    fn seed(&self, grant: &Grant, seed: &mut Seed) -> wasmtime::Result<()> {
        let Grant::Given(grant) = grant else { return Ok(()) };
        let Some(Directories(directories)) = grant.downcast_ref() else { return Ok(()) };
        for directory in directories {
            // Nobody sees a write to a file leave, so a guest that may write is never asked twice.
            seed.unseen_effects |= directory.write;
            let access = if directory.write { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            let opened = seed.wasi.preopened_dir(&directory.from, &directory.to, access);
            let context = || format!("the granted directory {} can't be opened", directory.from.display());
            wasmtime::error::Context::with_context(opened, context)?;
        }
        Ok(())
    }
}

fn read(item: &Node, check: &mut Check<'_>) -> Option<Directory> {
    let (from, to, write) = match &item.value {
        Value::String(text) => match text.split(':').collect::<Vec<_>>().as_slice() {
            [from, to] | [from, to, "ro"] => ((*from).to_owned(), (*to).to_owned(), false),
            [from, to, "rw"] => ((*from).to_owned(), (*to).to_owned(), true),
            _ => return item.invalid(check.diagnostics, format!("`{text}` is not a directory grant"), FORMS),
        },
        Value::Table(_) => {
            let mut table = item.reader(check.diagnostics, "a files grant")?;
            let from = table.required_string("from", check.diagnostics, "from = \"assets\"").map(str::to_owned);
            let to = table.required_string("to", check.diagnostics, "to = \"/assets\"").map(str::to_owned);
            let write = table.boolean("write", check.diagnostics).unwrap_or(false);
            table.finish(check.diagnostics);
            (from?, to?, write)
        }
        _ => return item.wrong_type(check.diagnostics, "a files grant", "a table or a string"),
    };
    let to = guest_path(item, &to, check);
    let from = existing_directory(item, &from, check);
    let directory = Directory { from: from?, to: to?, write };
    if directory.write && holds(&directory.from, check.base_dir) {
        let message = format!("`{}` may write to the directory of the manifest itself", check.component);
        let diagnostic = Diagnostic::warning(codes::INVALID_VALUE, message).at(item.span);
        let help = "grant a directory below it, else the component can change its own grants";
        check.diagnostics.push(diagnostic.label("holds the manifest").help(help));
    }
    Some(directory)
}

/// A path as the guest sees it, without a slash at its end.
fn guest_path(item: &Node, to: &str, check: &mut Check<'_>) -> Option<String> {
    let plain = to.starts_with('/') && !to.contains('\0') && !to.split('/').any(|part| part == ".." || part == ".");
    if !plain && to != "." {
        let help =
            "write an absolute path without dots, such as \"/assets\", or \".\" for the guest's current directory";
        return item.invalid(check.diagnostics, format!("a component can't see a directory as `{to}`"), help);
    }
    let trimmed = to.trim_end_matches('/');
    Some(if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_owned() })
}

fn existing_directory(item: &Node, from: &str, check: &mut Check<'_>) -> Option<PathBuf> {
    let path = check.base_dir.join(from);
    if from.is_empty() {
        return item.invalid(check.diagnostics, "a files grant has an empty `from`", FORMS);
    }
    match std::fs::metadata(&path) {
        Ok(found) if found.is_dir() => Some(path),
        Ok(_) => {
            let help = "grant the directory it is in; single files can't be granted";
            item.invalid(check.diagnostics, format!("`{from}` is not a directory"), help)
        }
        Err(error) => {
            let message = match error.kind() {
                std::io::ErrorKind::NotFound => format!("there is no directory `{from}`"),
                kind => format!("the directory `{from}` can't be read: {kind}"),
            };
            item.invalid(check.diagnostics, message, format!("create {} or correct the path", path.display()))
        }
    }
}

/// Whether the directory `outer` is, or holds, `inner`.
fn holds(outer: &Path, inner: &Path) -> bool {
    let inner = if inner.as_os_str().is_empty() { Path::new(".") } else { inner };
    match (outer.canonicalize(), inner.canonicalize()) {
        (Ok(outer), Ok(inner)) => inner.starts_with(outer),
        _ => false,
    }
}
