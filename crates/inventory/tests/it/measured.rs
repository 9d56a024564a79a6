//! Profiles, coverage, source maps and recorded requests joined with code; what the measurements do to the ranking.

use crate::support::{Project, unit};
use coracle_inventory::unit::{Action, Inventory, Verdict};
use coracle_inventory::{Options, run};
use serde_json::{Value, json};

const SERVER: &str = "import express from 'express';\nimport { marked } from 'marked';\nconst app = express();\napp.post('/render', function render(q, s) { s.send(marked.parse(q.body)); });\napp.get('/count', function count(q, s) { s.json(add(q.query.n)); });\nfunction add(n) { let t = 0; for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) t = (t * 31 + (i ^ j)) >>> 0; return t; }\n";

fn project() -> Project {
    let project =
        Project::new(&[("package.json", r#"{"type":"module","dependencies":{"express":"5"}}"#), ("server.js", SERVER)]);
    project.package("express", "5.0.0");
    project.package("marked", "16.0.0");
    project
}

fn frame(project: &Project, file: &str, name: &str, line: u32, column: u32) -> Value {
    let root = project.root().canonicalize().unwrap();
    json!({ "functionName": name, "url": format!("file://{}/{file}", root.display()), "lineNumber": line, "columnNumber": column })
}

/// A profile of one second: half of it in marked below `render`, a quarter in `add` below `count`, the rest idle.
fn profile(project: &Project) -> String {
    let empty = |name: &str| json!({ "functionName": name, "url": "", "lineNumber": -1, "columnNumber": -1 });
    let samples: Vec<u32> = (0..1000)
        .map(|at| {
            if at < 500 {
                4
            } else if at < 750 {
                6
            } else {
                2
            }
        })
        .collect();
    let deltas = vec![1000.0; 1000];
    json!({
        "nodes": [
            { "id": 1, "callFrame": empty("(root)"), "children": [2, 3, 5] },
            { "id": 2, "callFrame": empty("(idle)") },
            { "id": 3, "callFrame": frame(project, "server.js", "render", 3, 36), "children": [4] },
            { "id": 4, "callFrame": frame(project, "node_modules/marked/index.js", "parse", 0, 25) },
            { "id": 5, "callFrame": frame(project, "server.js", "count", 4, 33), "children": [6] },
            { "id": 6, "callFrame": frame(project, "server.js", "add", 5, 12) },
        ],
        "startTime": 0, "endTime": 1_000_000, "samples": samples, "timeDeltas": deltas,
    })
    .to_string()
}

fn coverage(project: &Project, calls: u64) -> String {
    let root = project.root().canonicalize().unwrap();
    let function = |name: &str, start: &str| {
        let from = SERVER.find(start).unwrap();
        let to = from + SERVER[from..].find('\n').unwrap();
        let end = SERVER[..to].rfind('}').unwrap() + 1;
        json!({ "functionName": name, "ranges": [{ "startOffset": from, "endOffset": end, "count": calls }], "isBlockCoverage": false })
    };
    json!({ "result": [{ "scriptId": "1", "url": format!("file://{}/server.js", root.display()), "functions": [
        function("render", "function render"), function("count", "function count"), function("add", "function add"),
    ] }] })
    .to_string()
}

fn measured(calls: u64) -> (Project, Options) {
    let project = project();
    let mut options = project.options();
    options.profiles = vec![project.write("a.cpuprofile", &profile(&project))];
    project.write("coverage/c.json", &coverage(&project, calls));
    options.coverage = vec![project.root().join("coverage")];
    (project, options)
}

fn inventory(options: &Options) -> Inventory {
    let inventory = run(options, &|_| {});
    assert!(inventory.notes.is_empty(), "{:?}", inventory.notes);
    inventory
}

#[test]
fn time_goes_to_routes_functions_and_call_sites() {
    let (_project, options) = measured(100);
    let inventory = inventory(&options);
    let share = |name: &str| (unit(&inventory, name).cost.as_ref().unwrap().share * 100.0).round();
    assert_eq!(
        (share("POST /render"), share("marked in render"), share("GET /count"), share("add")),
        (67.0, 67.0, 33.0, 33.0)
    );
    let render = unit(&inventory, "POST /render").cost.clone().unwrap();
    assert_eq!((render.calls, render.per_call_us.map(f64::round), render.self_us), (Some(100), Some(5000.0), 0.0));
    assert_eq!(unit(&inventory, "marked in render").part_of.as_deref(), Some("route:server.js:POST /render"));
}

#[test]
fn long_calls_gain_and_short_ones_are_left() {
    let (_project, options) = measured(100);
    let long = inventory(&options);
    let render = unit(&long, "POST /render");
    assert_eq!(render.advice.action, Action::Adopt);
    let gain = render.gain.clone().unwrap();
    assert!(gain.of_busy[0] <= gain.of_busy[1] && gain.of_busy[1] > 0.1, "{gain:?}");
    let (_project, options) = measured(1_000_000);
    let short = inventory(&options);
    let add = unit(&short, "add");
    assert_eq!((add.advice.action, add.advice.verdict), (Action::Leave, Verdict::Never), "{}", add.advice.summary);
}

#[test]
fn what_is_missing_never_raises_a_score() {
    let (_project, whole) = measured(100);
    let everything = inventory(&whole);
    let mut uncounted = whole.clone();
    uncounted.coverage.clear();
    let mut unmeasured = uncounted.clone();
    unmeasured.profiles.clear();
    let (uncounted, unmeasured) = (inventory(&uncounted), inventory(&unmeasured));
    for name in ["POST /render", "GET /count"] {
        let score = |inventory: &Inventory| unit(inventory, name).score.clone();
        let (all, some, none) = (score(&everything), score(&uncounted), score(&unmeasured));
        assert!(
            all.value >= some.value && some.value >= none.value,
            "{name}: {} {} {}",
            all.value,
            some.value,
            none.value
        );
        assert!(all.confidence > some.confidence && some.confidence > none.confidence, "{name}");
        assert!(none.missing.iter().any(|missing| missing.contains("--record")), "{:?}", none.missing);
    }
}

#[test]
fn a_measured_gain_stands_in_for_the_prediction_and_ranks_anew() {
    let (_project, mut options) = measured(100);
    let before = inventory(&options);
    let first = before.units.first().unwrap();
    options.measured = [(first.id.clone(), -0.4)].into();
    let after = inventory(&options);
    assert_ne!(after.units.first().unwrap().id, first.id);
    let moved = after.units.iter().find(|unit| unit.id == first.id).unwrap();
    assert_eq!(moved.measured_gain, Some(-0.4));
}

#[test]
fn recorded_requests_give_bytes_and_samples() {
    let (project, mut options) = measured(100);
    let requests = json!([{ "key": "POST /render", "count": 4, "bytesIn": 4000, "bytesOut": 8000,
        "samples": [{ "method": "POST", "url": "/render", "status": 200, "bytesIn": 1000, "bytesOut": 2000 }] }]);
    options.requests = vec![project.write("r.json", &requests.to_string())];
    let inventory = inventory(&options);
    let render = unit(&inventory, "POST /render");
    assert_eq!((render.bytes, render.bytes_from, render.samples.len()), ([3000.0, 3000.0], "recorded", 1));
}

#[test]
fn what_was_built_is_found_through_its_source_map() {
    let project = Project::new(&[
        ("package.json", r#"{"main":"dist/index.js"}"#),
        (
            "src/index.ts",
            "const x: number = 1;\nexport function add(n: number): number { let t = 0; for (let i = 0; i < n; i++) t += (i * 3) ^ (i >>> 1); return t; }\n",
        ),
        (
            "dist/index.js",
            "\"use strict\";\nexports.add = function add(n) { let t = 0; for (;;) t += 1; };\n//# sourceMappingURL=index.js.map\n",
        ),
        // Line 1, column 27 of what was built is line 1, column 19 of the source.
        (
            "dist/index.js.map",
            r#"{"version":3,"file":"index.js","sources":["../src/index.ts"],"names":[],"mappings":";2BACmB"}"#,
        ),
    ]);
    let mut options = project.options();
    let samples = vec![2; 10];
    let text = json!({ "nodes": [
        { "id": 1, "callFrame": { "functionName": "(root)", "url": "" }, "children": [2] },
        { "id": 2, "callFrame": frame(&project, "dist/index.js", "add", 1, 27) },
    ], "startTime": 0, "endTime": 10_000, "samples": samples, "timeDeltas": vec![1000.0; 10] });
    options.profiles = vec![project.write("a.cpuprofile", &text.to_string())];
    let inventory = inventory(&options);
    assert_eq!(inventory.scope.entries, ["src/index.ts"]);
    assert_eq!(unit(&inventory, "add").cost.as_ref().unwrap().share, 1.0);
}

#[test]
fn a_second_run_takes_facts_from_the_cache() {
    let project = project();
    let mut options = project.options();
    options.cache = Some(project.root().join("cache/facts"));
    let first = run(&options, &|_| {});
    let second = run(&options, &|_| {});
    assert_eq!((first.scope.from_cache, second.scope.from_cache), (0, second.scope.files));
    assert_eq!(first.units, second.units);
    project.write("server.js", &SERVER.replace("/render", "/changed"));
    let third = run(&options, &|_| {});
    assert_eq!(third.scope.from_cache, third.scope.files - 1);
    unit(&third, "POST /changed");
    for broken in ["", "coracle-inventory facts 1", "coracle-inventory facts 1\u{1}\u{2}"] {
        project.write("cache/facts", broken);
        assert_eq!(run(&options, &|_| {}).scope.from_cache, 0);
    }
}

#[test]
fn what_runs_after_an_await_is_the_routes_that_leads_there() {
    let project = project();
    project.write(
        "server.js",
        "import express from 'express';\nconst app = express();\napp.get('/a', async function show(q, s) { s.send(await render(q)); });\napp.get('/b', async function other(q, s) { s.send(await load(q)); });\nasync function render(q) { await load(q); return q.url; }\nasync function load(q) { return q; }\napp.get('/c', async function third(q, s) { s.send(await load(q)); });\n",
    );
    let empty = |name: &str| json!({ "functionName": name, "url": "", "lineNumber": -1, "columnNumber": -1 });
    // Each at the bottom of a stack of its own, as after an await.
    let text = json!({
        "nodes": [
            { "id": 1, "callFrame": empty("(root)"), "children": [2, 3] },
            { "id": 2, "callFrame": frame(&project, "server.js", "render", 4, 21) },
            { "id": 3, "callFrame": frame(&project, "server.js", "load", 5, 19) },
        ],
        "startTime": 0, "endTime": 1_000_000, "samples": [2, 3, 3], "timeDeltas": [0, 400_000, 600_000],
    });
    let mut options = project.options();
    options.profiles = vec![project.write("a.cpuprofile", &text.to_string())];
    let inventory = inventory(&options);
    let cost = |name: &str| unit(&inventory, name).cost.as_ref().unwrap().inclusive_us;
    // `load` works for three routes: whose work it was can't be told.
    assert_eq!((cost("GET /a"), cost("GET /b"), cost("GET /c")), (400_000.0, 0.0, 0.0));
}
