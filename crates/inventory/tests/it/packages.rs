//! The packages most used for CPU work are recognised where they are called, with the right advice.

use crate::support::{Project, unit};
use coracle_inventory::crates::{self, Work};
use coracle_inventory::unit::{Action, UnitKind};

const PACKAGES: [(&str, &str, &str); 10] = [
    (
        "jsonwebtoken",
        "9.0.2",
        "const jwt = require('jsonwebtoken');\nexports.work = function work(x) { return jwt.verify(x, 'key'); };\n",
    ),
    (
        "bcryptjs",
        "3.0.2",
        "import { compare } from 'bcryptjs';\nexport async function work(x) { return await compare(x, 'hash'); }\n",
    ),
    (
        "marked",
        "16.0.0",
        "import { Marked } from 'marked';\nconst marked = new Marked();\nexport function work(x) { return marked.parse(x); }\n",
    ),
    (
        "ajv",
        "8.17.1",
        "const Ajv = require('ajv').default;\nconst validate = new Ajv().compile({});\nexports.work = function work(x) { return validate(x); };\n",
    ),
    ("papaparse", "5.5.0", "import Papa from 'papaparse';\nexport const work = (x) => Papa.parse(x).data;\n"),
    (
        "fast-xml-parser",
        "5.0.0",
        "const { XMLParser } = require('fast-xml-parser');\nexports.work = function work(x) { return new XMLParser().parse(x); };\n",
    ),
    (
        "pako",
        "2.1.0",
        "import * as pako from 'pako';\nexport function work(x: Uint8Array): Uint8Array { return pako.gzip(x); }\n",
    ),
    ("qrcode", "1.5.4", "import { toString } from 'qrcode';\nexport function work(x) { return toString(x); }\n"),
    (
        "sharp",
        "0.34.0",
        "const sharp = require('sharp');\nexports.work = function work(x) { return sharp(x).resize(100).toBuffer(); };\n",
    ),
    (
        "handlebars",
        "4.7.8",
        "import Handlebars from 'handlebars';\nconst template = Handlebars.compile('{{x}}');\nexport function work(x) { return template({ x }); }\n",
    ),
];

#[test]
fn ten_packages_are_recognised_at_their_call_sites() {
    for (name, version, source) in PACKAGES {
        let entry = if source.contains(": Uint8Array") { "index.ts" } else { "index.js" };
        let project = Project::new(&[(entry, source), ("package.json", r#"{"name":"app"}"#)]);
        project.package(name, version);
        let inventory = project.inventory();
        let found = unit(&inventory, &format!("{name} in work"));
        assert_eq!(found.kind, UnitKind::CallSite, "{name}");
        assert_eq!((found.packages[0].name.as_str(), found.packages[0].version.as_str()), (name, version));
        assert!(!found.packages[0].krate.is_empty() && !found.packages[0].differences.is_empty(), "{name}");
        let expected = if name == "sharp" { Action::Leave } else { Action::Adopt };
        assert_eq!(found.advice.action, expected, "{name}: {}", found.advice.summary);
    }
}

#[test]
fn of_sharp_is_said_what_a_native_addon_means() {
    let project = Project::new(&[("index.js", PACKAGES[8].2), ("package.json", "{}")]);
    project.package("sharp", "0.34.0");
    project.write(
        "node_modules/sharp/package.json",
        r#"{"name":"sharp","version":"0.34.0","main":"index.js","gypfile":true}"#,
    );
    let inventory = project.inventory();
    let sharp = unit(&inventory, "sharp in work");
    assert_eq!(sharp.work, Work::Native);
    let said = sharp.advice.reasons.join("\n");
    assert!(said.contains("sharp is a native addon (libvips)"), "{said}");
    assert!(sharp.advice.summary.contains("image 0.25"), "{}", sharp.advice.summary);
    assert!(sharp.reaches.iter().any(|reach| reach.api == "native addon sharp" && !reach.chain.is_empty()));
}

#[test]
fn versions_before_those_of_the_map_are_not_covered() {
    let jwt = crates::known("jsonwebtoken").unwrap();
    assert!(jwt.covers("9.0.2") && jwt.covers("8.0.0") && jwt.covers("") && !jwt.covers("7.4.3"));
}

#[test]
fn a_package_that_is_not_installed_is_still_recognised() {
    let project = Project::new(&[("index.js", PACKAGES[2].2), ("package.json", "{}")]);
    let inventory = project.inventory();
    assert_eq!(unit(&inventory, "marked in work").packages[0].krate, "pulldown-cmark");
    assert!(inventory.notes.iter().any(|note| note.text.contains("\"marked\" was not found")), "{:?}", inventory.notes);
}

#[test]
fn the_map_is_whole() {
    for package in crates::packages() {
        let known = crates::known(package).unwrap();
        assert!(known.versions.starts_with(">="), "{package}");
        assert!(!known.differences.is_empty(), "{package}");
        assert_eq!(known.krate.is_empty(), known.crate_version.is_empty(), "{package}");
    }
}
