//! Adds measured times, counts and bytes to the places they belong to.

use super::coverage::Count;
use super::heap::Site;
use super::locate::Locate;
use super::profile::Profile;
use crate::cost::{Costs, Flame, Time};
use crate::graph::Place;
use rustc_hash::{FxHashMap, FxHashSet};

/// Boxes of the flame graph; narrower ones would not be seen.
const MOST_BOXES: usize = 6000;
const NARROWEST: f64 = 0.0005;

/// A frame as far as costs go.
#[derive(Clone)]
enum Kind {
    Own(Place),
    Package(String),
    /// Node itself, or nothing with a file: it belongs to its caller.
    Transparent,
}

/// Packages that call the next handler: what is below them is not the work of who calls them.
const FRAMEWORKS: [&str; 14] = [
    "express",
    "router",
    "connect",
    "koa",
    "koa-compose",
    "@koa/router",
    "koa-router",
    "fastify",
    "avvio",
    "hono",
    "@hono/node-server",
    "@nestjs/core",
    "@nestjs/platform-express",
    "next",
];

/// The functions that answer requests, and those that only one of them leads to.
pub(super) struct Routed {
    pub places: FxHashSet<Place>,
    /// After an await, V8's stack begins anew: what is found at its bottom works for the only route that leads there.
    pub only: FxHashMap<Place, Place>,
}

pub(super) fn times(profile: &Profile, routed: &Routed, locate: &mut Locate<'_>, costs: &mut Costs) {
    let kinds: Vec<Kind> = profile.nodes.iter().map(|node| kind(node, locate)).collect();
    for (top, node) in profile.nodes.iter().enumerate().filter(|(_, node)| node.self_us > 0.0) {
        let mut counted: FxHashSet<Place> = FxHashSet::default();
        let mut packages: FxHashSet<(Place, String)> = FxHashSet::default();
        let mut below: Option<String> = None;
        let mut first = true;
        let mut handled = false;
        let mut bottom = None;
        let regex = if node.regex { node.self_us } else { 0.0 };
        for (index, _) in profile.stack(top) {
            match kinds.get(index) {
                // A handler below a middleware works for itself, and so does the framework between the two.
                Some(Kind::Own(place)) if routed.places.contains(place) && (handled || framework(below.as_ref())) => {
                    handled = true;
                    below = None;
                    first = false;
                }
                Some(Kind::Own(place)) => {
                    handled |= routed.places.contains(place);
                    bottom = Some(*place);
                    let time = costs.times.entry(*place).or_default();
                    if first {
                        time.self_us += node.self_us;
                    }
                    if counted.insert(*place) {
                        add(time, node.self_us, node.gc_us, regex);
                    }
                    if let Some(package) = below.take() {
                        let key = (*place, package);
                        if packages.insert(key.clone()) {
                            *costs.packages.entry(key).or_default() += node.self_us;
                        }
                    }
                    first = false;
                }
                Some(Kind::Package(name)) => {
                    below = Some(name.clone());
                    first = false;
                }
                Some(Kind::Transparent) | None => {}
            }
        }
        let route = bottom.filter(|_| !handled).and_then(|place| routed.only.get(&place));
        if let Some(route) = route.filter(|route| counted.insert(**route)) {
            add(costs.times.entry(*route).or_default(), node.self_us, node.gc_us, regex);
        }
    }
    flame(profile, &kinds, locate, costs);
    costs.profiled = true;
    costs.duration_us += profile.duration_us;
    costs.busy_us += profile.busy_us;
}

fn framework(package: Option<&String>) -> bool {
    package.is_some_and(|package| FRAMEWORKS.contains(&package.as_str()))
}

fn add(time: &mut Time, us: f64, gc_us: f64, regex_us: f64) {
    time.inclusive_us += us;
    time.gc_us += gc_us;
    time.regex_us += regex_us;
}

fn kind(node: &super::profile::Node, locate: &mut Locate<'_>) -> Kind {
    let url = node.frame.url.as_str();
    if url.is_empty() || url.starts_with("node:") {
        return Kind::Transparent;
    }
    if let Some(package) = locate.package(url) {
        return Kind::Package(package);
    }
    match locate.frame(&node.frame) {
        Some(place) => Kind::Own(place),
        None => Kind::Transparent,
    }
}

/// Merges the profile's stacks by function for the flame graph.
fn flame(profile: &Profile, kinds: &[Kind], locate: &Locate<'_>, costs: &mut Costs) {
    if costs.flame.is_empty() {
        let whole = Flame { name: "all".to_owned(), at: String::new(), parent: 0, us: 0.0, package: String::new() };
        costs.flame.push(whole);
    }
    let mut total = vec![0.0; profile.nodes.len()];
    for (top, node) in profile.nodes.iter().enumerate().filter(|(_, node)| node.self_us > 0.0) {
        for (index, _) in profile.stack(top) {
            if let Some(sum) = total.get_mut(index) {
                *sum += node.self_us;
            }
        }
    }
    let least = profile.busy_us * NARROWEST;
    let mut boxes: FxHashMap<(u32, String, String), u32> = FxHashMap::default();
    let mut of_node: FxHashMap<usize, u32> = FxHashMap::default();
    // Parents first: a stack is walked from its root.
    for (top, _) in profile.nodes.iter().enumerate() {
        if total.get(top).copied().unwrap_or(0.0) < least || costs.flame.len() >= MOST_BOXES {
            continue;
        }
        let mut stack: Vec<usize> = profile.stack(top).map(|(index, _)| index).collect();
        stack.reverse();
        let mut parent = 0;
        for index in stack {
            if let Some(known) = of_node.get(&index) {
                parent = *known;
                continue;
            }
            let Some(node) = profile.nodes.get(index) else { break };
            let us = total.get(index).copied().unwrap_or(0.0);
            if node.parent.is_none() {
                if let Some(whole) = costs.flame.first_mut() {
                    whole.us += us;
                }
                of_node.insert(index, 0);
                parent = 0;
                continue;
            }
            let (at, package) = shown(index, node, kinds, locate);
            let name = if node.frame.function_name.is_empty() { "(anonymous)" } else { &node.frame.function_name };
            let key = (parent, name.to_owned(), at.clone());
            let number = match boxes.get(&key) {
                Some(number) => *number,
                None => {
                    let number = u32::try_from(costs.flame.len()).unwrap_or(0);
                    let name: String = name.chars().take(120).collect();
                    costs.flame.push(Flame { name, at, parent, us: 0.0, package });
                    boxes.insert(key, number);
                    number
                }
            };
            if let Some(merged) = costs.flame.get_mut(number as usize) {
                merged.us += us;
            }
            of_node.insert(index, number);
            parent = number;
        }
    }
}

fn shown(index: usize, node: &super::profile::Node, kinds: &[Kind], locate: &Locate<'_>) -> (String, String) {
    let line = node.frame.line_number.saturating_add(1);
    match kinds.get(index) {
        Some(Kind::Own(place)) => {
            let file = locate.file(*place).map_or("", |file| file.shown.as_str());
            (format!("{file}:{line}"), String::new())
        }
        Some(Kind::Package(name)) => {
            let inside = node.frame.url.rsplit_once("/node_modules/").map_or("", |(_, inside)| inside);
            (format!("{inside}:{line}"), name.clone())
        }
        Some(Kind::Transparent) | None => {
            let owner = if node.frame.url.starts_with("node:") { "node" } else { "v8" };
            (node.frame.url.clone(), owner.to_owned())
        }
    }
}

pub(super) fn calls(counts: &[Count], locate: &mut Locate<'_>, costs: &mut Costs) {
    costs.counted = true;
    for count in counts {
        if locate.package(&count.url).is_some() {
            continue;
        }
        if let Some(place) = locate.function(&count.url, count.start, count.end) {
            *costs.calls.entry(place).or_default() += count.count;
        }
    }
}

pub(super) fn allocations(sites: &[Site], locate: &mut Locate<'_>, costs: &mut Costs) {
    for site in sites {
        if let Some(place) = locate.frame(&site.frame) {
            *costs.allocated.entry(place).or_default() += site.bytes;
        }
    }
}
