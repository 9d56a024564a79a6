//! Reads what was measured (V8's CPU profiles, coverage and heap profiles, recorded requests) and joins it with places of
//! the code. A file that is broken or belongs to other code gives a note, never an error.

mod attribute;
mod coverage;
mod heap;
mod locate;
mod profile;
mod requests;

pub use requests::Recorded;

use crate::cost::Costs;
use crate::frameworks::{Framework, Route};
use crate::graph::{Graph, Place};
use crate::notes::{Note, NoteKind};
use rustc_hash::{FxHashMap, FxHashSet};
use std::path::{Path, PathBuf};

/// The largest measurement that is read, in bytes.
const LARGEST: u64 = 1 << 30;

/// The files of a measurement.
#[derive(Clone, Copy, Debug)]
pub struct Files<'f> {
    pub profiles: &'f [PathBuf],
    pub coverage: &'f [PathBuf],
    pub heaps: &'f [PathBuf],
}

/// Reads all files and joins them with the code. What a route costs is not counted again for the middleware before it.
pub fn read(files: Files<'_>, graph: &Graph<'_>, routes: &[Route], notes: &mut Vec<Note>) -> Costs {
    let routed = routed(graph, routes);
    let mut costs = Costs::default();
    let mut locate = locate::Locate::new(graph);
    for path in files.profiles {
        match text(path).and_then(|text| profile::read(&text)) {
            Ok(profile) => attribute::times(&profile, &routed, &mut locate, &mut costs),
            Err(why) => notes.push(note(path, why)),
        }
    }
    for path in files.coverage.iter().flat_map(|dir| inside(dir, notes)).collect::<Vec<_>>() {
        match text(&path).and_then(|text| coverage::read(&text)) {
            Ok(counts) => attribute::calls(&counts, &mut locate, &mut costs),
            Err(why) => notes.push(note(&path, why)),
        }
    }
    for path in files.heaps {
        match text(path).and_then(|text| heap::read(&text)) {
            Ok(sites) => attribute::allocations(&sites, &mut locate, &mut costs),
            Err(why) => notes.push(note(path, why)),
        }
    }
    if costs.profiled && costs.times.is_empty() {
        let text = "no frame of the profile is in the code that was read: is it a profile of this project?";
        notes.push(Note::new(NoteKind::Measurement, "", 0, text));
    }
    costs
}

/// The places of all routes, and what only one of them leads to.
fn routed(graph: &Graph<'_>, routes: &[Route]) -> attribute::Routed {
    // What renders for a route is part of that route.
    let answering = routes.iter().filter(|route| route.framework != Framework::React);
    let places: FxHashSet<Place> = answering.map(|route| route.place).collect();
    let mut led: FxHashMap<Place, Option<Place>> = FxHashMap::default();
    for route in &places {
        for place in graph.closure(*route).0.into_iter().filter(|place| place.node > 0) {
            led.entry(place).and_modify(|only| *only = None).or_insert(Some(*route));
        }
    }
    let only = led.into_iter().filter_map(|(place, route)| Some((place, route?))).collect();
    attribute::Routed { places, only }
}

/// The recorded requests of all files.
pub fn requests(paths: &[PathBuf], notes: &mut Vec<Note>) -> Vec<Recorded> {
    let mut all = Vec::new();
    for path in paths {
        match text(path).and_then(|text| requests::read(&text)) {
            Ok(read) => all.extend(read),
            Err(why) => notes.push(note(path, why)),
        }
    }
    all
}

fn note(path: &Path, why: String) -> Note {
    Note::new(NoteKind::Measurement, path.to_string_lossy(), 0, why)
}

/// The text of a measurement.
fn text(path: &Path) -> Result<String, String> {
    let length = path.metadata().map_err(|error| format!("it can't be read: {error}"))?.len();
    if length > LARGEST {
        return Err(format!("{} MiB are more than is read of one measurement", length >> 20));
    }
    let bytes = std::fs::read(path).map_err(|error| format!("it can't be read: {error}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The coverage files of a directory.
fn inside(dir: &Path, notes: &mut Vec<Note>) -> Vec<PathBuf> {
    match std::fs::read_dir(dir) {
        Ok(entries) => {
            let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
            let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|it| it == "json")).collect();
            paths.sort();
            paths
        }
        Err(error) => {
            notes.push(note(dir, format!("the coverage can't be read: {error}")));
            Vec::new()
        }
    }
}
