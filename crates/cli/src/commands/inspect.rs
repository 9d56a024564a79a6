//! `coracle inspect`: what a component is, imports and exports, which grants it needs and has, and the limits in force.
//! Reads files; never executes a guest.

use crate::args::Inspect;
use crate::commands::Known;
use crate::commands::check::{self, Read};
use crate::exit::{Exit, Failure};
use crate::imports::Imports;
use crate::output::{self, STRONG};
use coracle_artifact::{Admitted, Interface};
use coracle_manifest::{Component, ComponentSource, Limits, Reuse};
use serde_json::{Value, json};
use std::fmt::Write as _;

pub fn run(options: &Inspect) -> Result<Exit, Failure> {
    let known = Known::new();
    let Read { app, diagnostics, source, .. } =
        check::read(options.path.as_deref(), &options.app, &known, &mut |_, _, _| {})?;
    let Some(app) = app else {
        return Err(Failure::report(diagnostics.render(&source, output::stderr_colour())));
    };
    let mut inspected = Vec::new();
    for component in app.components.values() {
        let ComponentSource::Path(path) = &component.source;
        let admitted = coracle_artifact::load(path, &coracle_artifact::Options::default())
            .map_err(|rejected| Failure::mend(anyhow::anyhow!("{rejected}")))?;
        let imports = Imports::of(&admitted, &known.plugins, &component.uses);
        inspected.push(Inspected { component, admitted, imports });
    }
    if options.json {
        let components: Vec<_> = inspected.iter().map(Inspected::json).collect();
        output::json(&json!({ "app": app.name, "components": components }))?;
    } else {
        let texts: Vec<_> = inspected.iter().map(|inspected| inspected.text(options.limits)).collect();
        output::result(&texts.join("\n"))?;
    }
    Ok(Exit::Ok)
}

/// One component and what was found out about it.
struct Inspected<'a> {
    component: &'a Component,
    admitted: Admitted,
    imports: Imports,
}

impl Inspected<'_> {
    fn granted(&self, grant: &str) -> bool {
        self.component.grants.iter().any(|entry| entry.name == grant)
    }

    fn text(&self, limits: bool) -> String {
        let ComponentSource::Path(path) = &self.component.source;
        let mut text = format!("{STRONG}{}{STRONG:#} ({})\n", self.component.name, path.display());
        row(&mut text, "world", &[self.admitted.world.to_string()]);
        row(&mut text, "adapted", &self.admitted.adapted.iter().map(ToString::to_string).collect::<Vec<_>>());
        row(&mut text, "size", &[output::bytes(self.admitted.size)]);
        row(&mut text, "digest", &[self.admitted.digest.to_string()]);
        row(&mut text, "language", &self.tools(|field| field == "language"));
        row(&mut text, "made by", &self.tools(|field| field != "language"));
        row(&mut text, "exports", &names(&self.admitted.exports, &self.admitted.plain_exports));
        row(&mut text, "imports", &names(&self.admitted.imports, &self.admitted.plain_imports));
        row(&mut text, "uses", &self.uses());
        row(&mut text, "grants", &self.grants());
        row(&mut text, "unknown", &self.imports.unknown);
        if limits {
            let rows = limit_rows(&self.component.limits).into_iter().chain(reuse_rows(&self.component.reuse));
            let rows = rows.map(|(name, value)| format!("{name:<21} {}", value.text()));
            row(&mut text, "limits", &rows.collect::<Vec<_>>());
        }
        text
    }

    /// The producers of some field, with their versions.
    fn tools(&self, field: fn(&str) -> bool) -> Vec<String> {
        let tools = self.admitted.producers.iter().filter(|tool| field(&tool.field));
        tools.map(|tool| format!("{} {}", tool.name, tool.version).trim_end().to_owned()).collect()
    }

    /// A line for each import that another component answers.
    fn uses(&self) -> Vec<String> {
        self.component.uses.iter().map(|used| format!("{} of {}", used.interface, used.component)).collect()
    }

    /// A line for each grant that is needed or given.
    fn grants(&self) -> Vec<String> {
        let mut lines: Vec<_> = self
            .imports
            .needs
            .iter()
            .map(|need| {
                let state = match (self.granted(need.grant), need.refused || self.component.strict) {
                    (true, _) => "granted",
                    (false, true) => "needed, else it can't be loaded",
                    (false, false) => "not granted: its calls are answered with \"denied\"",
                };
                format!("{:<21} {state}", need.grant)
            })
            .collect();
        let unasked =
            self.component.grants.iter().filter(|entry| self.imports.needs.iter().all(|need| need.grant != entry.name));
        lines.extend(unasked.map(|entry| format!("{:<21} granted", entry.name)));
        lines
    }

    fn json(&self) -> Value {
        let ComponentSource::Path(path) = &self.component.source;
        let needs: Vec<_> = self.imports.needs.iter().map(|need| {
            let required = need.refused || self.component.strict;
            json!({ "grant": need.grant, "imports": need.imports, "granted": self.granted(need.grant), "required": required })
        }).collect();
        let grants: Vec<_> = self.component.grants.iter().map(|entry| &entry.name).collect();
        let made_by: Vec<_> = self
            .admitted
            .producers
            .iter()
            .map(|tool| json!({ "field": tool.field, "name": tool.name, "version": tool.version }))
            .collect();
        json!({
            "name": self.component.name,
            "path": path.display().to_string(),
            "world": self.admitted.world.to_string(),
            "serves_http": self.admitted.world.is_http(),
            "size": self.admitted.size,
            "digest": self.admitted.digest.to_string(),
            "made_by": made_by,
            "exports": names(&self.admitted.exports, &self.admitted.plain_exports),
            "imports": names(&self.admitted.imports, &self.admitted.plain_imports),
            "adapted": self.admitted.adapted.map(|adapted| adapted.to_string()),
            "uses": self.component.uses.iter().map(|used| json!({ "interface": used.interface, "component": used.component })).collect::<Vec<_>>(),
            "needs": needs,
            "grants": grants,
            "unknown": self.imports.unknown,
            "limits": object(limit_rows(&self.component.limits)),
            "reuse": object(reuse_rows(&self.component.reuse)),
            "strict": self.component.strict,
        })
    }
}

fn names(interfaces: &[Interface], plain: &[String]) -> Vec<String> {
    interfaces.iter().map(Interface::to_string).chain(plain.iter().cloned()).collect()
}

/// A heading and its lines; nothing when there are none.
fn row(text: &mut String, heading: &str, lines: &[String]) {
    for (at, line) in lines.iter().enumerate() {
        let heading = if at == 0 { heading } else { "" };
        // Writing to a String can't fail.
        let _ = writeln!(text, "  {heading:<9} {line}");
    }
}

/// The value of a limit, as the manifest takes it.
enum Amount {
    Bytes(u64),
    Time(std::time::Duration),
    Count(u32),
    /// No limit but what there is.
    All(&'static str),
}

impl Amount {
    fn text(&self) -> String {
        match self {
            Self::Bytes(bytes) => {
                // Only exact: 1536 bytes are no "1.5KiB" in a manifest.
                let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
                let unit = units.into_iter().find(|(shift, _)| *bytes > 0 && bytes.is_multiple_of(1 << shift));
                unit.map_or_else(|| bytes.to_string(), |(shift, unit)| format!("{}{unit}", bytes >> shift))
            }
            Self::Time(time) => humantime::format_duration(*time).to_string(),
            Self::Count(count) => count.to_string(),
            Self::All(what) => (*what).to_owned(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Bytes(bytes) => json!(bytes),
            Self::Time(_) => json!(self.text()),
            Self::Count(count) => json!(count),
            Self::All(_) => Value::Null,
        }
    }
}

fn object(rows: Vec<(&str, Amount)>) -> Value {
    rows.into_iter().map(|(name, amount)| (name.to_owned(), amount.json())).collect::<serde_json::Map<_, _>>().into()
}

/// Each limit under its name in the manifest; taken apart whole, so that none can be forgotten.
fn limit_rows(limits: &Limits) -> Vec<(&'static str, Amount)> {
    let Limits {
        memory,
        memory_total,
        cpu_per_request,
        cpu_per_second,
        weight,
        deadline,
        after_response,
        concurrency,
        queue,
        queue_deadline,
        request_body,
        request_headers,
        replay_buffer,
        call_bytes,
        handles,
        outbound_connections,
        log_bytes,
    } = *limits;
    vec![
        ("memory", Amount::Bytes(memory)),
        ("memory_total", Amount::Bytes(memory_total)),
        ("cpu_per_request", Amount::Time(cpu_per_request)),
        ("cpu_per_second", cpu_per_second.map_or(Amount::All("all cores"), Amount::Time)),
        ("weight", Amount::Count(weight)),
        ("deadline", Amount::Time(deadline)),
        ("after_response", Amount::Time(after_response)),
        ("concurrency", Amount::Count(concurrency)),
        ("queue", Amount::Count(queue)),
        ("queue_deadline", Amount::Time(queue_deadline)),
        ("request_body", Amount::Bytes(request_body)),
        ("request_headers", Amount::Bytes(request_headers)),
        ("replay_buffer", Amount::Bytes(replay_buffer)),
        ("call_bytes", Amount::Bytes(call_bytes)),
        ("handles", Amount::Count(handles)),
        ("outbound_connections", Amount::Count(outbound_connections)),
        ("log_bytes", Amount::Bytes(log_bytes)),
    ]
}

fn reuse_rows(reuse: &Reuse) -> Vec<(&'static str, Amount)> {
    let Reuse { requests, concurrency, idle } = *reuse;
    vec![
        ("reuse.requests", Amount::Count(requests)),
        ("reuse.concurrency", Amount::Count(concurrency)),
        ("reuse.idle", Amount::Time(idle)),
    ]
}
