//! V8's coverage (`NODE_V8_COVERAGE`): how often each function was called, exactly.

use serde::Deserialize;

/// A function and its count. Offsets in UTF-16 units of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    pub url: String,
    pub function: String,
    pub start: u64,
    pub end: u64,
    pub count: u64,
}

#[derive(Deserialize)]
struct Raw {
    result: Vec<Script>,
}

#[derive(Deserialize)]
struct Script {
    #[serde(default)]
    url: String,
    #[serde(default)]
    functions: Vec<Function>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Function {
    #[serde(default)]
    function_name: String,
    #[serde(default)]
    ranges: Vec<Range>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Range {
    #[serde(default)]
    start_offset: u64,
    #[serde(default)]
    end_offset: u64,
    #[serde(default)]
    count: u64,
}

/// Reads a coverage file.
///
/// # Errors
/// A sentence that says why it can't be used.
pub fn read(text: &str) -> Result<Vec<Count>, String> {
    let raw: Raw = serde_json::from_str(text).map_err(|error| {
        let cut = if error.is_eof() { "the coverage is cut off" } else { "this is no coverage of V8" };
        format!("{cut}: {error}")
    })?;
    let of_script = |script: Script| {
        let url = script.url;
        script.functions.into_iter().filter_map(move |function| {
            // The first range is the function; the others are blocks in it.
            let range = function.ranges.first()?;
            let (start, end, count) = (range.start_offset, range.end_offset, range.count);
            Some(Count { url: url.clone(), function: function.function_name, start, end, count })
        })
    };
    Ok(raw.result.into_iter().filter(|script| !script.url.starts_with("node:")).flat_map(of_script).collect())
}
