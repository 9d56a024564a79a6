//! Whatever the routes and the request, the route that answers fits, and is the same in whatever order routes are given.
//!
//! Lines of the input: patterns until an empty line, then paths that are asked for. A line of either may begin with a method.
#![no_main]

use coracle_manifest::{App, CheckOptions, RouteTable, Routed, Segment, Source, check};
use libfuzzer_sys::fuzz_target;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

fuzz_target!(|text: &str| {
    let (patterns, paths) = text.split_once("\n\n").unwrap_or((text, "/"));
    let Some(app) = app(patterns) else { return };
    let (table, conflicts) = RouteTable::new(&app.routes);
    assert!(conflicts.is_empty(), "a manifest with conflicts is none");
    let mut turned = app.routes.clone();
    turned.reverse();
    let (turned, _) = RouteTable::new(&turned);
    for line in paths.lines().take(32) {
        let (method, path) = method_and_path(line);
        let routed = table.find("shop.test", method, path);
        let other = match turned.find("shop.test", method, path) {
            Routed::Found { route, parameters } => Routed::Found { route: app.routes.len() - 1 - route, parameters },
            other => other,
        };
        assert_eq!(routed, other, "{method} {path}");
        match routed {
            Routed::Found { route, parameters } => {
                let route = app.routes.get(route).expect("a route that is there");
                assert!(route.methods.is_empty() || route.methods.iter().any(|one| one == method));
                let named = route.path.segments().iter().filter(|one| matches!(one, Segment::Parameter(_))).count();
                assert_eq!(parameters.len(), named);
                assert!(path.split('/').count() > route.path.segments().len(), "{path} is shorter than its pattern");
            }
            Routed::MethodNotAllowed { allow } => assert!(!allow.iter().any(|one| one == method)),
            Routed::NotFound => {}
        }
    }
});

fn method_and_path(line: &str) -> (&str, &str) {
    line.split_once(' ').unwrap_or(("GET", line))
}

/// The app with these routes, if a manifest may have them.
fn app(patterns: &str) -> Option<App> {
    let mut manifest = "name = \"x\"\n[upstream.node]\nurl = \"http://127.0.0.1:1\"\n".to_owned();
    for line in patterns.lines().take(32) {
        let (method, path) = method_and_path(line);
        let path = serde_json::Value::from(path);
        let methods = if line.contains(' ') {
            format!("methods = [{}]\n", serde_json::Value::from(method))
        } else {
            String::new()
        };
        write!(manifest, "[[route]]\npath = {path}\nto = \"node\"\n{methods}").expect("a string takes all");
    }
    let options = CheckOptions {
        env: None,
        variables: &|_| None,
        known_grants: &[],
        known_store_kinds: &[],
        base_dir: Path::new("/app"),
    };
    check(Arc::new(Source::new("coracle.toml", manifest)), &options).0
}
