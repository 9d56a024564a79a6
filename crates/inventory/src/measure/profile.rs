//! V8's .cpuprofile: a tree of call frames, and which node was on top at each sample.
//!
//! Time comes from samples and their distances, not from hit counts. Garbage collection belongs to the code that ran before
//! it; `RegExp: …` and other frames without a file belong to their callers.

use rustc_hash::FxHashMap;
use serde::Deserialize;

/// A function as V8 names it. Lines and columns from 0, columns in UTF-16 units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Frame {
    pub function_name: String,
    pub url: String,
    pub line_number: i64,
    pub column_number: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawNode {
    id: u64,
    #[serde(default)]
    call_frame: Frame,
    #[serde(default)]
    children: Vec<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    nodes: Vec<RawNode>,
    #[serde(default)]
    start_time: f64,
    #[serde(default)]
    end_time: f64,
    #[serde(default)]
    samples: Vec<u64>,
    #[serde(default)]
    time_deltas: Vec<f64>,
    /// Not of V8: added by `coracle inventory --record`.
    #[serde(default)]
    coracle: Option<Clock>,
}

/// What the operating system says of the main thread while it was recorded.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Clock {
    /// Time on a CPU, in µs.
    on_cpu_us: f64,
}

/// A node of the tree and the time it was on top, in µs.
#[derive(Clone, Debug, Default)]
pub struct Node {
    pub frame: Frame,
    pub parent: Option<usize>,
    pub self_us: f64,
    /// Garbage collection while it was on top; part of `self_us`.
    pub gc_us: f64,
    /// It is a regular expression at work.
    pub regex: bool,
}

#[derive(Debug)]
pub struct Profile {
    pub nodes: Vec<Node>,
    pub duration_us: f64,
    pub busy_us: f64,
}

/// Reads a profile.
///
/// # Errors
/// A sentence that says why it can't be used.
pub fn read(text: &str) -> Result<Profile, String> {
    let raw: Raw = serde_json::from_str(text).map_err(|error| {
        if error.is_eof() {
            "the profile is cut off; without its samples, which stand at the end, it says nothing".to_owned()
        } else {
            format!("this is no CPU profile of V8: {error}")
        }
    })?;
    let index: FxHashMap<u64, usize> = raw.nodes.iter().enumerate().map(|(at, node)| (node.id, at)).collect();
    let mut parents = vec![None; raw.nodes.len()];
    for (at, node) in raw.nodes.iter().enumerate() {
        for child in node.children.iter().filter_map(|id| index.get(id)) {
            if let Some(parent) = parents.get_mut(*child).filter(|parent| parent.is_none() && *child != at) {
                *parent = Some(at);
            }
        }
    }
    let mut nodes: Vec<Node> = raw
        .nodes
        .into_iter()
        .zip(parents)
        .map(|(node, parent)| {
            let regex = node.call_frame.function_name.starts_with("RegExp: ") && node.call_frame.url.is_empty();
            Node { frame: node.call_frame, parent, regex, ..Node::default() }
        })
        .collect();
    let (mut busy_us, mut total_us) = (0.0, 0.0);
    let mut before = None;
    for (at, id) in raw.samples.iter().enumerate() {
        // A sample lasts until the next one.
        let lasts = raw.time_deltas.get(at + 1).copied().unwrap_or(0.0);
        let lasts = if lasts.is_finite() { lasts.clamp(0.0, 60e6) } else { 0.0 };
        total_us += lasts;
        let Some(top) = index.get(id).copied() else { continue };
        let name = nodes.get(top).map_or("", |node| node.frame.function_name.as_str());
        match name {
            "(idle)" => before = None,
            "(garbage collector)" => {
                busy_us += lasts;
                if let Some(node) = nodes.get_mut(before.unwrap_or(top)) {
                    node.self_us += lasts;
                    node.gc_us += lasts;
                }
            }
            _ => {
                busy_us += lasts;
                if let Some(node) = nodes.get_mut(top) {
                    node.self_us += lasts;
                }
                before = Some(top);
            }
        }
    }
    let by_clock = raw.end_time - raw.start_time;
    let duration_us = if by_clock.is_finite() && by_clock > 0.0 { by_clock } else { total_us };
    let on_cpu_us = raw.coracle.map_or(f64::INFINITY, |clock| clock.on_cpu_us);
    Ok(Profile { nodes, duration_us, busy_us }.without_waiting(on_cpu_us))
}

impl Profile {
    /// V8 counts by the wall clock: on a busy machine, a thread that waits for a CPU seems to work. What was on top then is
    /// not known, so all times shrink alike to the time the thread really had.
    fn without_waiting(mut self, on_cpu_us: f64) -> Self {
        if !(on_cpu_us > 0.0 && on_cpu_us < self.busy_us) {
            return self;
        }
        let part = on_cpu_us / self.busy_us;
        self.busy_us = on_cpu_us;
        for node in &mut self.nodes {
            node.self_us *= part;
            node.gc_us *= part;
        }
        self
    }

    /// The nodes from one up to the root, at most as many as V8 ever nests.
    pub fn stack(&self, node: usize) -> impl Iterator<Item = (usize, &Node)> {
        let mut at = Some(node);
        std::iter::from_fn(move || {
            let index = at?;
            let node = self.nodes.get(index)?;
            at = node.parent;
            Some((index, node))
        })
        .take(4096)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn of(samples: &str, deltas: &str) -> Profile {
        read(&format!(
            r#"{{"nodes":[
            {{"id":1,"callFrame":{{"functionName":"(root)","url":""}},"children":[2,3,4]}},
            {{"id":2,"callFrame":{{"functionName":"work","url":"file:///a.js","lineNumber":3,"columnNumber":4}},"children":[5]}},
            {{"id":3,"callFrame":{{"functionName":"(idle)","url":""}}}},
            {{"id":4,"callFrame":{{"functionName":"(garbage collector)","url":""}}}},
            {{"id":5,"callFrame":{{"functionName":"RegExp: a+","url":""}}}}],
            "startTime":0,"endTime":1000,"samples":{samples},"timeDeltas":{deltas}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn garbage_collection_belongs_to_what_ran_before_it() {
        let profile = of("[2,4,3]", "[0,100,200,300]");
        assert_eq!((profile.nodes[1].self_us, profile.nodes[1].gc_us), (300.0, 200.0));
        assert_eq!(profile.busy_us, 300.0);
    }

    #[test]
    fn time_without_a_cpu_is_nobodys() {
        let text = r#"{"nodes":[{"id":1,"callFrame":{"functionName":"work","url":"file:///a.js"}}],
            "startTime":0,"endTime":400,"samples":[1,1],"timeDeltas":[0,400],"coracle":{"onCpuUs":CPU}}"#;
        let shrunk = read(&text.replace("CPU", "100")).unwrap();
        assert_eq!((shrunk.busy_us, shrunk.nodes[0].self_us, shrunk.duration_us), (100.0, 100.0, 400.0));
        let kept = read(&text.replace("CPU", "500")).unwrap();
        assert_eq!((kept.busy_us, kept.nodes[0].self_us), (400.0, 400.0));
    }

    #[test]
    fn idle_time_is_nobodys() {
        let profile = of("[3,4,3]", "[0,500,50,1]");
        assert_eq!((profile.nodes[2].self_us, profile.nodes[3].self_us, profile.busy_us), (0.0, 50.0, 50.0));
    }

    #[test]
    fn a_cut_off_profile_says_so() {
        let error = read(r#"{"nodes":[{"id":1,"callFr"#).unwrap_err();
        assert!(error.contains("cut off"), "{error}");
    }

    #[test]
    fn circles_of_nodes_end() {
        let text = r#"{"nodes":[{"id":1,"children":[2]},{"id":2,"children":[1]}],"samples":[1],"timeDeltas":[0]}"#;
        assert!(read(text).unwrap().stack(0).count() <= 4096);
    }
}
