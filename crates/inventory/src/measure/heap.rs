//! V8's .heapprofile: sampled allocations by call stack.

use super::profile::Frame;

/// Bytes that a function allocated itself, as far as samples tell.
#[derive(Clone, Debug)]
pub struct Site {
    pub frame: Frame,
    pub bytes: u64,
}

/// Reads a heap profile. Its tree nests as deep as the stack was, deeper than the JSON reader goes; but what is wanted of
/// each node stands side by side in it, so the nodes are read one by one.
///
/// # Errors
/// A sentence that says why it can't be used.
pub fn read(text: &str) -> Result<Vec<Site>, String> {
    let trimmed = text.trim_start();
    if !trimmed.starts_with('{') || !trimmed.contains("\"head\"") || !trimmed.contains(FRAME) {
        return Err("this is no heap profile of V8".to_owned());
    }
    if !trimmed.trim_end().ends_with('}') {
        return Err("the heap profile is cut off".to_owned());
    }
    let mut sites = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(FRAME) {
        rest = rest.get(at + FRAME.len()..).unwrap_or_default();
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Frame>();
        let Some(Ok(frame)) = values.next() else { continue };
        rest = rest.get(values.byte_offset()..).unwrap_or_default();
        let Some(size) = rest.trim_start().strip_prefix(SIZE) else { continue };
        let bytes = serde_json::Deserializer::from_str(size).into_iter::<f64>().next();
        if let Some(Ok(bytes)) = bytes.filter(|bytes| bytes.as_ref().is_ok_and(|bytes| *bytes >= 1.0)) {
            sites.push(Site { frame, bytes: bytes as u64 });
        }
    }
    Ok(sites)
}

const FRAME: &str = "\"callFrame\":";
const SIZE: &str = ",\"selfSize\":";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn trees_may_be_deeper_than_the_json_reader_goes() {
        let depth = 500;
        let open = r#"{"callFrame":{"functionName":"f","url":"file:///a.js","lineNumber":1,"columnNumber":2},"selfSize":8,"children":["#;
        let text = format!(r#"{{"head":{}{}}}"#, open.repeat(depth), "]}".repeat(depth));
        assert_eq!(read(&text).unwrap().iter().map(|site| site.bytes).sum::<u64>(), 8 * depth as u64);
    }
}
