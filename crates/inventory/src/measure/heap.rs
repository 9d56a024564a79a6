//! V8's .heapprofile: sampled allocations by call stack.

use super::profile::Frame;
use serde::Deserialize;

/// Bytes that a function allocated itself, as far as samples tell.
#[derive(Clone, Debug)]
pub struct Site {
    pub frame: Frame,
    pub bytes: u64,
}

#[derive(Deserialize)]
struct Raw {
    head: Node,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    #[serde(default)]
    call_frame: Frame,
    #[serde(default)]
    self_size: f64,
    #[serde(default)]
    children: Vec<Node>,
}

/// Reads a heap profile.
///
/// # Errors
/// A sentence that says why it can't be used; nesting beyond that of the JSON reader (128 levels) is one.
pub fn read(text: &str) -> Result<Vec<Site>, String> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let raw = Raw::deserialize(&mut deserializer).map_err(|error| {
        let cut = if error.is_eof() { "the heap profile is cut off" } else { "this is no heap profile of V8" };
        format!("{cut}: {error}")
    })?;
    let mut open = vec![raw.head];
    let mut sites = Vec::new();
    while let Some(node) = open.pop() {
        if node.self_size >= 1.0 && node.self_size.is_finite() {
            sites.push(Site { frame: node.call_frame, bytes: node.self_size as u64 });
        }
        open.extend(node.children);
    }
    Ok(sites)
}
