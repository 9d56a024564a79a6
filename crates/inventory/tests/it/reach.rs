//! What units reach: chains through files and packages, resolution by exports, conditions, workspaces and paths, and that
//! nothing unknown passes as good.

use crate::support::{Project, unit};
use coracle_inventory::portability::{self, Status};
use coracle_inventory::unit::Unit;

fn chain(unit: &Unit, api: &str) -> Vec<String> {
    let reach = unit.reaches.iter().find(|reach| reach.api == api);
    let reach = reach.unwrap_or_else(|| panic!("{api} is not among {:?}", unit.reaches));
    reach.chain.iter().map(|spot| format!("{}:{}", spot.file, spot.line)).collect()
}

fn express(files: &[(&str, &str)]) -> Project {
    let project = Project::new(files);
    project
        .write("package.json", r##"{"name":"app","imports":{"#lib/*":"./lib/*.js"},"dependencies":{"express":"5"}}"##);
    project.package("express", "5.0.0");
    project
}

const SERVER: &str = "import express from 'express';\nimport { work } from '#lib/work';\nconst app = express();\napp.get('/', (q, s) => s.send(work(q)));\napp.listen(1);\n";

#[test]
fn a_chain_leads_through_imports_and_packages_to_the_line() {
    let project = express(&[
        ("server.js", SERVER),
        (
            "lib/work.js",
            "import { spawnIt } from 'spawner/sub';\nexport function work(x) { return spawnIt(x); }\nexport function other() { return process.env.X; }\n",
        ),
        (
            "node_modules/spawner/package.json",
            r#"{"name":"spawner","version":"1.0.0","exports":{"./sub":{"require":"./wrong.cjs","import":"./right.mjs"}}}"#,
        ),
        (
            "node_modules/spawner/right.mjs",
            "import { spawn } from 'node:child_process';\nexport const spawnIt = (x) => spawn('ls');\n",
        ),
        ("node_modules/spawner/wrong.cjs", "require('vm');\n"),
    ]);
    let inventory = project.inventory();
    let route = unit(&inventory, "GET /");
    assert_eq!(
        chain(route, "node:child_process.spawn"),
        ["server.js:4", "lib/work.js:2", "node_modules/spawner/right.mjs:2"]
    );
    assert!(route.reaches.iter().all(|reach| reach.api != "process.env"), "an export beside it is not reached");
    assert!(route.reaches.iter().all(|reach| !reach.api.contains("vm")), "the other condition is not taken");
}

#[test]
fn what_can_not_be_followed_is_a_blocker() {
    let project = express(&[
        ("server.js", SERVER),
        (
            "lib/work.js",
            "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);\nexport function work(x) { eval(x); new Function(x); require(x); return import(x); }\n",
        ),
    ]);
    let inventory = project.inventory();
    let route = unit(&inventory, "GET /");
    for api in ["eval()", "new Function()", "require(computed)", "import(computed)"] {
        let reach = route.reaches.iter().find(|reach| reach.api == api).unwrap_or_else(|| panic!("{api}"));
        assert_eq!(reach.status, Status::Blocked, "{api}");
    }
}

#[test]
fn unknown_is_never_ok() {
    assert_eq!(portability::look_up("someNewGlobal").0, Status::Unknown);
    assert_eq!(portability::look_up("node:brand_new.thing").0, Status::Unknown);
    assert_eq!(portability::look_up("missing module x").0, Status::Unknown);
    assert_eq!(portability::look_up("process.newMember").0, Status::Unknown);
    let project = express(&[
        ("server.js", SERVER),
        ("lib/work.js", "import x from 'not-there';\nexport function work(q) { return x(q, mystery); }\n"),
    ]);
    let inventory = project.inventory();
    let route = unit(&inventory, "GET /");
    let unknown: Vec<_> =
        route.reaches.iter().filter(|reach| reach.status == Status::Unknown).map(|reach| reach.api.as_str()).collect();
    assert_eq!(unknown, ["missing module not-there", "mystery"]);
}

#[test]
fn a_whole_module_is_no_better_than_its_parts() {
    for (key, entry) in portability::entries() {
        if matches!(entry.status, Status::Works) && key.starts_with("node:") && !key.contains('.') {
            assert_eq!(
                key, "node:stream/web",
                "a module of Node as a whole must not pass for members nobody looked at"
            );
        }
        // Nothing passes by hearsay: it was probed, or Node itself doesn't have it. What is blocked may be so by design.
        let known: &[&str] = match entry.status {
            Status::Works | Status::Shimmed | Status::Partial => &["probe", "node"],
            Status::Unknown => &["none"],
            Status::Blocked => &["probe", "design"],
        };
        assert!(known.contains(&entry.evidence.as_str()), "{key}: {} by {}", entry.status.name(), entry.evidence);
    }
}

#[test]
fn workspaces_paths_and_typescript_are_resolved() {
    let project = Project::new(&[
        ("package.json", r#"{"name":"root","workspaces":["packages/*"]}"#),
        (
            "packages/api/package.json",
            r#"{"name":"api","main":"src/index.ts","dependencies":{"express":"5","core":"*"}}"#,
        ),
        ("packages/api/tsconfig.json", r#"{"compilerOptions":{"baseUrl":".","paths":{"@/*":["src/*"]}}}"#),
        (
            "packages/api/src/index.ts",
            "import express from 'express';\nimport { a } from '@/a';\nimport type { T } from 'only-types';\nconst app = express();\napp.get('/', (q: T, s: any): void => s.send(a(q)));\n",
        ),
        (
            "packages/api/src/a.tsx",
            "import { deep } from 'core';\nexport const a = (x: any): string => deep(x) + String(<b>hello</b>);\n",
        ),
        ("packages/core/package.json", r#"{"name":"core","main":"index.js"}"#),
        ("packages/core/index.js", "export { deep } from './deep.js';\n"),
        (
            "packages/core/deep.ts",
            "import { readFileSync } from 'fs';\nexport function deep(x: string) { return readFileSync(x); }\n",
        ),
    ]);
    project.package("express", "5.0.0");
    std::os::unix::fs::symlink(project.root().join("packages/core"), project.root().join("node_modules/core")).unwrap();
    let inventory = project.inventory();
    let route = unit(&inventory, "GET /");
    assert_eq!(
        chain(route, "node:fs.readFileSync"),
        ["packages/api/src/index.ts:5", "packages/api/src/a.tsx:2", "packages/core/deep.ts:2"]
    );
    assert!(!inventory.notes.iter().any(|note| note.text.contains("only-types")), "types are not followed");
}

#[test]
fn state_that_stays_keeps_a_route() {
    let project = express(&[(
        "server.js",
        "import express from 'express';\nconst app = express();\nconst carts = new Map();\napp.get('/cart', (q, s) => s.json(carts.get(q.id)));\napp.put('/cart', (q, s) => { carts.set(q.id, q.body); s.end(); });\napp.listen(1);\n",
    )]);
    let inventory = project.inventory();
    for name in ["GET /cart", "PUT /cart"] {
        let route = unit(&inventory, name);
        assert_eq!(route.size.state, ["carts"], "{name}");
        assert!(route.advice.summary.contains("carts"), "{}", route.advice.summary);
    }
    assert!(inventory.verdict.starts_with("Nothing"), "{}", inventory.verdict);
}
