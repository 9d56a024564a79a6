//! `wasi:logging@0.1.0-draft`: lines with a level and a context, into the component's log. Needs no grant: a guest may write to its
//! standard output anyway, and the same rate holds for both.

use coracle_host::{Check, Checked, Grant, Guest, Interface, Mode, Plugin, PrepareError, Resources, Ungranted, Voice};
use coracle_manifest::value::{Node, Value as Typed};
use coracle_telemetry::{Attribute, Severity};
use serde_json::json;
use std::sync::Arc;
use wasmtime::component::{HasData, Linker};

pub struct Logging;

/// Bytes of a context; the rest is cut off.
const CONTEXT: usize = 256;

mod bindings {
    wasmtime::component::bindgen!({ path: "wit/logging-0.1.0-draft", world: "imports", imports: { default: trappable } });
}

use bindings::wasi::logging::logging;

impl Plugin for Logging {
    fn name(&self) -> &'static str {
        "logging"
    }

    fn interfaces(&self) -> &'static [Interface] {
        const { &[Interface { name: "wasi:logging/logging@0.1.0-draft", ungranted: Ungranted::Harmless }] }
    }

    fn schema(&self) -> serde_json::Value {
        json!({ "const": true, "description": "Lines by wasi:logging; every component may write them, with this or without" })
    }

    fn check(&self, value: &Node, check: &mut Check<'_>) -> Option<Checked> {
        match &value.value {
            Typed::Boolean(true) => Some(Arc::new(())),
            _ => value.wrong_type(check.diagnostics, "the grant `logging`", "true: there is nothing to choose"),
        }
    }

    fn prepare(&self, checked: &Checked, _: &Resources) -> Result<Grant, PrepareError> {
        Ok(Grant::Given(Arc::clone(checked)))
    }

    fn link(&self, linker: &mut Linker<Guest>, _: &Grant, _: Mode) -> wasmtime::Result<()> {
        logging::add_to_linker::<_, Speaking>(linker, Speaking::of)
    }
}

/// The voice of the calling instance.
struct Speaking(Option<Voice>);

impl HasData for Speaking {
    type Data<'a> = Self;
}

impl Speaking {
    fn of(guest: &mut Guest) -> Self {
        Self(guest.voice().cloned())
    }
}

impl logging::Host for Speaking {
    fn log(&mut self, level: logging::Level, context: String, message: String) -> wasmtime::Result<()> {
        let severity = match level {
            logging::Level::Trace => Severity::Trace,
            logging::Level::Debug => Severity::Debug,
            logging::Level::Info => Severity::Info,
            logging::Level::Warn => Severity::Warn,
            logging::Level::Error => Severity::Error,
            logging::Level::Critical => Severity::Fatal,
        };
        let mut context = context;
        context.truncate(context.floor_char_boundary(CONTEXT));
        let attributes = match context.is_empty() {
            true => Vec::new(),
            false => vec![Attribute::new("log.context", context)],
        };
        if let Some(voice) = &self.0 {
            voice.say(severity, &message, attributes);
        }
        Ok(())
    }
}
