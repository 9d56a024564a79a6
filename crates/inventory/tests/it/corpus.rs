//! Small apps with labels by hand (`tests/corpus/*/labels.json`, written before the tool ran on them): how many of the
//! first five are worth moving, and how many of the blockers are found. Stand-ins take the place of their packages.
//!
//! `cargo nextest run -p coracle-inventory corpus --no-capture` prints the numbers.

use crate::support::Project;
use coracle_inventory::Inventory;
use coracle_inventory::portability::Status;
use coracle_inventory::unit::Action;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Labels {
    worth: Vec<String>,
    blockers: Vec<Blocker>,
}

#[derive(Deserialize)]
struct Blocker {
    unit: String,
    api: String,
}

#[derive(Deserialize)]
struct Package {
    dependencies: BTreeMap<String, String>,
}

fn apps() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut apps: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    apps.sort();
    apps
}

/// The inventory of an app, with stand-ins for its packages.
fn inventory(app: &Path) -> Inventory {
    let project = Project::new(&[]);
    for entry in walkdir::WalkDir::new(app) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            project.write(entry.path().strip_prefix(app).unwrap().to_str().unwrap(), &text);
        }
    }
    let package: Package = serde_json::from_str(&std::fs::read_to_string(app.join("package.json")).unwrap()).unwrap();
    for (name, version) in &package.dependencies {
        project.package(name, version);
        match name.as_str() {
            "sharp" => {
                let json = format!(r#"{{"name":"sharp","version":"{version}","main":"index.js","gypfile":true}}"#);
                project.write("node_modules/sharp/package.json", &json);
            }
            "ajv" => {
                project
                    .write("node_modules/ajv/index.js", "module.exports = function (s) { return new Function(s); };\n");
            }
            _ => {}
        }
    }
    project.inventory()
}

#[test]
fn labels_by_hand() {
    let (mut good, mut shown, mut found, mut blockers) = (0, 0, 0, 0);
    for app in apps() {
        let labels: Labels = serde_json::from_str(&std::fs::read_to_string(app.join("labels.json")).unwrap()).unwrap();
        let inventory = inventory(&app);
        let worth = inventory.units.iter().filter(|unit| unit.stands_alone() && unit.advice.action != Action::Leave);
        let top: Vec<_> = worth.take(5).map(|unit| unit.name.as_str()).collect();
        let right = top.iter().filter(|name| labels.worth.iter().any(|label| label == *name)).count();
        let seen: Vec<_> = labels
            .blockers
            .iter()
            .filter(|blocker| {
                let units = inventory.units.iter().filter(|unit| unit.name == blocker.unit);
                units
                    .flat_map(|unit| &unit.reaches)
                    .any(|reach| reach.api == blocker.api && reach.status == Status::Blocked)
            })
            .collect();
        println!(
            "{:<16} {right} of {} right, {} of {} blockers: {top:?}",
            app.file_name().unwrap().to_str().unwrap(),
            top.len(),
            seen.len(),
            labels.blockers.len()
        );
        (good, shown) = (good + right, shown + top.len());
        (found, blockers) = (found + seen.len(), blockers + labels.blockers.len());
    }
    let (precision, recall) = (good as f64 / shown as f64, found as f64 / blockers as f64);
    println!("precision@5 {precision:.2}, blocker recall {recall:.2}");
    assert!(precision >= 0.8, "precision@5 is {precision:.2}");
    assert!(recall >= 0.95, "blocker recall is {recall:.2}");
}

#[test]
fn an_app_that_waits_has_nothing_worth_moving() {
    let app = apps().into_iter().find(|app| app.ends_with("express-crud")).unwrap();
    let inventory = inventory(&app);
    assert!(
        inventory.verdict.starts_with("Nothing"),
        "{}: {:?}",
        inventory.verdict,
        inventory.units.first().map(|unit| &unit.name)
    );
    assert!(inventory.units.iter().all(|unit| unit.advice.action == Action::Leave));
}
