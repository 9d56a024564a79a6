//! What good manifests mean.

use crate::support::{app_of, checked, examples, load, manifests};
use coracle_manifest::{ComponentSource, Destination, Limits, Reuse, Target};
use std::path::PathBuf;
use std::time::Duration;

#[test]
fn each_good_manifest_passes() {
    let manifests = manifests("good");
    assert!(!manifests.is_empty());
    for (name, path) in manifests {
        let (source, env) = load(&path);
        let (app, diags, source) = checked(source, env.as_deref());
        assert!(app.is_some() && diags.is_empty(), "{name}:\n{}", diags.render(&source, false));
    }
}

#[test]
fn each_example_passes_under_each_variant() {
    let examples = examples();
    assert!(!examples.is_empty());
    for (name, path) in examples {
        let (source, _) = load(&path);
        let table: toml::Table = source.text.parse().unwrap();
        let variants = table.get("env").and_then(|env| env.as_table()).into_iter().flat_map(|env| env.keys());
        for env in variants.map(|name| Some(name.as_str())).chain([None]) {
            let (app, diags, source) = checked(source.clone(), env);
            assert!(app.is_some() && diags.is_empty(), "{name} {env:?}:\n{}", diags.render(&source, false));
        }
    }
}

#[test]
fn the_sketch_of_the_design_is_read_whole() {
    let app = app_of(include_str!("../good/storefront.toml"), None);
    assert_eq!(app.name, "storefront");
    let thumbs = &app.components["thumbs"];
    assert_eq!(thumbs.source, ComponentSource::Path(PathBuf::from("/app/target/wasm32-wasip2/release/thumbs.wasm")));
    assert_eq!(thumbs.build.as_ref().unwrap().watch, ["src/**"]);
    assert_eq!(thumbs.env["LOG"], "info");
    let grants: Vec<_> = thumbs.grants.iter().map(|grant| grant.name.as_str()).collect();
    assert_eq!(grants, ["http", "keyvalue", "files", "config"], "in the order of the file");
    let expected = Limits {
        memory: 64 * 1024 * 1024,
        cpu_per_request: Duration::from_millis(200),
        deadline: Duration::from_secs(2),
        queue: 0,
        request_body: 2_000_000,
        ..Limits::default()
    };
    assert_eq!(thumbs.limits, expected);
    assert_eq!(thumbs.reuse, Reuse { requests: 128, concurrency: 16, idle: Duration::from_secs(90) });
    assert_eq!(app.components["price"].reuse, Reuse::default());
    let titles: Vec<_> = app.routes.iter().map(|route| route.title()).collect();
    assert_eq!(titles, ["GET,HEAD shop.example.com/thumbs/*", "/price/:sku", "/assets/*", "/old", "/*"]);
    assert_eq!(app.routes[0].to, Destination::Component("thumbs".into()));
    assert_eq!(app.routes[0].fallback, Some(Target::Upstream("node".into())));
    assert_eq!(app.routes[3].to, Destination::Redirect { to: "/new".into(), status: 308 });
    let rollout = app.routes[1].rollout.as_ref().unwrap();
    assert_eq!(rollout.from, Target::Upstream("node".into()));
    let steps: Vec<_> = rollout.steps.iter().map(ToString::to_string).collect();
    assert_eq!(steps, ["shadow 20% for 10m", "1% for 5m", "10% for 5m", "ask", "50% for 5m", "bake 30m"]);
    let keys: Vec<_> = rollout.keys.iter().map(ToString::to_string).collect();
    assert_eq!(keys, ["header x-user-id", "claim sub", "cookie"]);
    assert_eq!(rollout.slo.errors.unwrap().basis_points(), 50);
    assert_eq!((rollout.tolerance, rollout.budget, rollout.skew), (2.0, None, Duration::from_secs(3600)));
    let Destination::Static(files) = &app.routes[2].to else { panic!("not static") };
    assert_eq!((files.dir.to_str(), files.index.as_str()), (Some("/app/dist"), "index.html"));
    assert_eq!(files.not_found.as_deref(), Some("index.html"));
    let node = &app.upstreams["node"];
    assert_eq!((node.url.port(), node.health.as_deref()), (Some(3000), Some("/healthz")));
    assert_eq!(node.command.as_deref(), Some("node server.js"));
    assert_eq!(node.cwd, PathBuf::from("/app/server"));
    assert_eq!(node.env["PORT"], "3000");
    assert_eq!(app.stores["cache"].kind, "keyvalue");
    assert_eq!(app.config["thumb.quality"], "80");
}

#[test]
fn limits_follow_each_other() {
    let limits = |text: &str| {
        let text = format!(
            "name = \"a\"\n[component.c]\nsource = \"c.wasm\"\nlimits = {{ {text} }}\n[[route]]\npath = \"/*\"\nto = \"c\"\n"
        );
        app_of(&text, None).components["c"].limits.clone()
    };
    assert_eq!(limits(""), Limits::default());
    assert_eq!(limits("memory = \"2GiB\"").memory_total, 2 << 30, "one instance must fit into the total");
    assert_eq!(limits("memory_total = \"64MiB\"").memory, 64 << 20, "and never be above it");
    assert_eq!(limits("request_body = 4096").request_body, 4096);
    assert_eq!(limits("request_body = \"64 MB\"").request_body, 64_000_000);
    assert_eq!(limits("deadline = \"1m 30s\"").deadline, Duration::from_secs(90));
}
