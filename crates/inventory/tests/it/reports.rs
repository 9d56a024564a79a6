//! The forms of the result: what each holds, and that nothing in a project's text becomes markup or steers a terminal.

use crate::support::Project;
use coracle_inventory::report;
use coracle_inventory::since;
use coracle_inventory::{Inventory, run};

const EVIL: &str = "</script><img src=x onerror=alert(1)>";

fn inventory() -> Inventory {
    let project = Project::new(&[
        ("package.json", r#"{"dependencies":{"express":"5"}}"#),
        (
            "server.js",
            "const express = require('express');\nconst jwt = require('jsonwebtoken');\nconst app = express();\napp.get('/</script><img src=x onerror=alert(1)>', (q, s) => s.send(jwt.verify(q.query.t, 'k')));\napp.get('/plain', (q, s) => s.send('\x1b[31m'));\n",
        ),
        ("broken.js", ""),
    ]);
    project.package("express", "5.0.0");
    project.package("jsonwebtoken", "9.0.0");
    let mut inventory = run(&project.options(), &|_| {});
    inventory.scope.root = "ROOT".to_owned();
    inventory
}

#[test]
fn the_table_says_what_and_why() {
    insta::assert_snapshot!(report::table(&inventory(), 10));
}

#[test]
fn the_markdown_says_what_and_why() {
    let text = report::markdown(&inventory());
    assert!(!text.contains("<img") && !text.contains("</script"), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn the_page_holds_its_data_and_nothing_else_runs() {
    let page = report::html(&inventory());
    assert!(!page.contains(EVIL));
    assert_eq!(page.matches("</script>").count(), 1);
    assert!(page.contains("\\u003c/script>"), "the name is there, as data");
    assert!(!page.contains("http://") && !page.contains("https://") || page.contains("http://www.w3.org/2000/svg"));
    assert!(!page.contains("/*DATA*/"));
}

#[test]
fn sarif_has_results_with_places() {
    let sarif: serde_json::Value = serde_json::from_str(&report::sarif(&inventory())).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "adopt");
    assert_eq!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "server.js");
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 4);
}

#[test]
fn the_json_holds_what_adopting_needs() {
    let json: serde_json::Value = serde_json::from_str(&report::json(&inventory())).unwrap();
    let unit = &json["units"][0];
    for field in ["id", "signature", "samples", "measured_gain", "gain", "score", "reaches", "advice"] {
        assert!(unit.get(field).is_some(), "{field}");
    }
    assert_eq!(json["format"], 1);
}

#[test]
fn since_keeps_what_was_touched() {
    let mut whole = inventory();
    since::keep(&mut whole, &since::changed("--- a/server.js\n+++ b/server.js\n@@ -4 +4 @@\n"));
    assert!(whole.units.iter().all(|unit| unit.line == 4) && !whole.units.is_empty());
    since::keep(&mut whole, &since::changed(""));
    assert_eq!(whole.verdict, "No unit has changed.");
}
