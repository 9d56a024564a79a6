//! The grant of what every component may do anyway: `true`, and nothing else. It is there so that a manifest can say it.

use coracle_host::{Check, Checked};
use coracle_manifest::value::{Node, Value};
use std::sync::Arc;

/// Reads it.
pub(crate) fn always(value: &Node, check: &mut Check<'_>, name: &str) -> Option<Checked> {
    match &value.value {
        Value::Boolean(true) => Some(Arc::new(())),
        _ => value.wrong_type(check.diagnostics, &format!("the grant `{name}`"), "true: there is nothing to choose"),
    }
}
