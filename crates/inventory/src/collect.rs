//! From the graph to units: which routes, middleware, call sites, functions and modules are worth looking at, what each
//! takes along, and what it reaches. Judges nothing; `advice` and `score` do.

use crate::cost::Costs;
use crate::crates::{self, Work};
use crate::facts::{Node, NodeKind, Signals, Used};
use crate::frameworks::{Framework, Route};
use crate::graph::{Graph, Place, Reached};
use crate::portability::{self, Status};
use crate::unit::{PackageUse, Parameter, Reach, Signature, Size, Spot, UnitKind};
use crate::walk::{File, Resolved};
use std::collections::{BTreeMap, BTreeSet};

/// A unit before it is judged.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub kind: UnitKind,
    pub place: Place,
    pub name: String,
    pub route: Option<Route>,
    /// The package whose calls it is, for a call site.
    pub package: Option<String>,
    pub own: Vec<Place>,
    pub signature: Signature,
    pub size: Size,
    pub signals: Signals,
    pub reaches: Vec<Reach>,
    pub packages: Vec<PackageUse>,
    pub work: Work,
}

/// Functions are looked at without a profile only when this much of them computes.
const HOT: u32 = 12;
/// With a profile, when they take this part of the busy time.
const SHARE: f64 = 0.005;
/// More units than anybody reads.
const MOST: usize = 4000;
/// Functions of one file that become units.
const MOST_OF_FILE: usize = 100;
/// Parts of a unit among which shared variables are looked for; more is a program, not a unit.
const MOST_PARTS: usize = 2000;

/// How much of some code computes: operators, loops and calls that work on strings or bytes.
#[must_use]
pub fn heat(signals: &Signals) -> u32 {
    let weigh = |count: u16, weight: u32| u32::from(count.min(200)) * weight;
    let plain = weigh(signals.arithmetic, 1)
        + weigh(signals.bitwise, 2)
        + weigh(signals.strings, 1)
        + weigh(signals.regex, 2)
        + weigh(signals.bytes, 2)
        + weigh(signals.loops, 3);
    // A loop in a loop is where time goes.
    plain * u32::from(signals.loop_depth.clamp(1, 4))
}

/// Every unit worth looking at.
#[must_use]
pub fn candidates(graph: &Graph<'_>, routes: &[Route], costs: &Costs) -> Vec<Candidate> {
    let collect = Collect { graph, costs };
    let mut found: Vec<Candidate> = Vec::new();
    let mut routed: BTreeSet<Place> = BTreeSet::new();
    for route in routes {
        if routed.insert(route.place) {
            found.extend(collect.route(route));
        }
    }
    for (at, file) in graph.sources().files.iter().enumerate() {
        if !graph.sources().is_own(file) {
            continue;
        }
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        found.extend(collect.call_sites(at, file));
        let functions = collect.functions(at, file, &routed);
        found.extend(collect.module(at, file, functions.len()));
        found.extend(functions);
        if found.len() > MOST {
            break;
        }
    }
    let places: Vec<Place> = found.iter().map(|candidate| candidate.place).collect();
    for (candidate, reached) in found.iter_mut().zip(graph.reach(&places)) {
        candidate.reaches = collect.reaches(reached);
    }
    found
}

struct Collect<'g> {
    graph: &'g Graph<'g>,
    costs: &'g Costs,
}

impl Collect<'_> {
    fn file(&self, place: Place) -> Option<&File> {
        self.graph.sources().files.get(place.file as usize)
    }

    fn node(&self, place: Place) -> Option<&Node> {
        self.file(place)?.facts.nodes.get(place.node as usize)
    }

    fn spot(&self, place: Place, line: u32) -> Spot {
        let file = self.file(place).map(|file| file.shown.clone()).unwrap_or_default();
        let within = self.node(place).map(|node| node.name.clone()).unwrap_or_default();
        Spot { file, line, within }
    }

    fn route(&self, route: &Route) -> Option<Candidate> {
        let rendering = route.framework == Framework::React;
        let kind = match route.middleware {
            _ if rendering => UnitKind::Function,
            true => UnitKind::Middleware,
            false => UnitKind::Route,
        };
        let node = self.node(route.place)?;
        let named = if node.name.is_empty() || node.name == "default" { "" } else { node.name.as_str() };
        let name = match (route.middleware, named) {
            _ if rendering => format!("React SSR {}", if named.is_empty() { "entry" } else { named }),
            (true, "") => format!("middleware at {}", route.path),
            (true, name) => format!("{name} at {}", route.path),
            (false, _) => format!("{} {}", route.method, route.path),
        };
        let mut candidate = self.candidate(kind, route.place, name);
        candidate.route = Some(route.clone());
        Some(candidate)
    }

    /// Groups the calls of known packages by function and package.
    fn call_sites(&self, at: u32, file: &File) -> Vec<Candidate> {
        let mut sites: BTreeMap<(u32, String), Vec<PackageUse>> = BTreeMap::new();
        for index in 0..file.facts.nodes.len() {
            let place = Place { file: at, node: u32::try_from(index).unwrap_or(0) };
            for used in self.package_uses(place) {
                let within = self.enclosing_function(file, place.node);
                sites.entry((within, used.name.clone())).or_default().push(used);
            }
        }
        let mut found = Vec::new();
        let in_function = |node: u32| {
            let kind = file.facts.nodes.get(node as usize).map(|node| node.kind);
            matches!(kind, Some(NodeKind::Function | NodeKind::Method))
        };
        let called: BTreeSet<String> =
            sites.keys().filter(|(node, _)| in_function(*node)).map(|(_, package)| package.clone()).collect();
        for ((node, package), uses) in sites {
            // What a module makes once is part of the calls of what it made.
            if !in_function(node) && called.contains(&package) {
                continue;
            }
            let place = Place { file: at, node };
            let line = uses.iter().flat_map(|used| &used.at).map(|spot| spot.line).min().unwrap_or(0);
            let within = self.node(place).map(|node| node.name.clone()).unwrap_or_default();
            let name = if within.is_empty() || within == "default" {
                format!("{package} in {}:{line}", file.shown)
            } else {
                format!("{package} in {within}")
            };
            let mut candidate = self.candidate(UnitKind::CallSite, place, name);
            candidate.packages = merged(uses);
            candidate.work = candidate.packages.first().map_or(Work::Glue, |used| used.work);
            candidate.package = Some(package);
            found.push(candidate);
        }
        found
    }

    /// The function around a node; the node itself if it is one, or if there is none around it.
    fn enclosing_function(&self, file: &File, node: u32) -> u32 {
        let mut at = node;
        for _ in 0..64 {
            match file.facts.nodes.get(at as usize) {
                Some(found)
                    if matches!(found.kind, NodeKind::Function | NodeKind::Method) && !found.name.is_empty() =>
                {
                    return at;
                }
                Some(found) if at != 0 => at = found.parent,
                _ => break,
            }
        }
        node
    }

    /// The functions of a file that cost something, or look as if they did; the hottest.
    fn functions(&self, at: u32, file: &File, routed: &BTreeSet<Place>) -> Vec<Candidate> {
        let mut hottest: Vec<(f64, u32, Place)> = Vec::new();
        for (node, index) in file.facts.nodes.iter().zip(0_u32..) {
            let place = Place { file: at, node: index };
            // A callback without a name belongs to whoever passes it.
            if !matches!(node.kind, NodeKind::Function | NodeKind::Method)
                || node.name.is_empty()
                || routed.contains(&place)
            {
                continue;
            }
            let share = self.costs.of(place).map_or(0.0, |cost| cost.share);
            let heat = heat(&node.signals);
            if share >= SHARE || heat >= HOT / 2 && node.signals.awaits == 0 {
                hottest.push((share, heat, place));
            }
        }
        hottest.sort_by(|a, b| b.0.total_cmp(&a.0).then((b.1, a.2).cmp(&(a.1, b.2))));
        hottest.truncate(MOST_OF_FILE);
        let found = hottest.into_iter().filter_map(|(share, _, place)| {
            let candidate = self.candidate(UnitKind::Function, place, name_of(file, self.node(place)?));
            (share >= SHARE || heat(&candidate.signals) >= HOT).then_some(candidate)
        });
        found.collect()
    }

    /// A file as a whole, when several of its functions are units.
    fn module(&self, at: u32, file: &File, functions: usize) -> Option<Candidate> {
        let nodes = u32::try_from(file.facts.nodes.len()).ok()?;
        if functions < 2 || file.facts.exports.is_empty() {
            return None;
        }
        let place = Place { file: at, node: nodes };
        Some(self.candidate(UnitKind::Module, place, file.shown.clone()))
    }

    fn candidate(&self, kind: UnitKind, place: Place, name: String) -> Candidate {
        let (own, foreign) = self.graph.closure(place);
        let mut signals = Signals::default();
        let mut files = BTreeSet::new();
        let mut uses = Vec::new();
        let mut size = Size::default();
        let mut spans: Vec<(u32, u32, u32)> = Vec::new();
        for part in &own {
            let Some(node) = self.node(*part) else { continue };
            uses.extend(self.package_uses(*part));
            if node.kind == NodeKind::Body {
                continue;
            }
            signals = signals.plus(node.signals);
            files.insert(part.file);
            size.functions += u32::from(matches!(node.kind, NodeKind::Function | NodeKind::Method));
            spans.push((part.file, node.line, node.end_line));
        }
        size.lines = lines(&mut spans);
        size.files = u32::try_from(files.len()).unwrap_or(u32::MAX);
        let owners = foreign.iter().filter_map(|place| self.graph.sources().owner(self.file(*place)?));
        size.packages = owners.map(|owner| owner.name.clone()).collect::<BTreeSet<_>>().into_iter().collect();
        size.state = self.state(&own);
        let signature = self.node(place).map(signature).unwrap_or_default();
        let packages = merged(uses);
        let work = work(&signals, &packages);
        Candidate {
            kind,
            place,
            name,
            route: None,
            package: None,
            own,
            signature,
            size,
            signals,
            reaches: Vec::new(),
            packages,
            work,
        }
    }

    /// Variables outside of the moved code that it changes, or that other code changes under it.
    fn state(&self, own: &[Place]) -> Vec<String> {
        if own.len() > MOST_PARTS {
            return vec!["more than can be told".to_owned()];
        }
        let mut names = BTreeSet::new();
        for part in own {
            let (Some(node), Some(file)) = (self.node(*part), self.file(*part)) else { continue };
            let moved = |offset: u32| {
                own.iter().filter(|other| other.file == part.file).filter_map(|other| self.node(*other)).any(|other| {
                    matches!(other.kind, NodeKind::Function | NodeKind::Method)
                        && (other.start..other.end).contains(&offset)
                })
            };
            names.extend(node.outer.iter().filter(|outer| !moved(outer.declared)).map(|outer| outer.name.clone()));
            // A variable of the module that some function changes.
            let changed = |node: &&Node| {
                let all = file.facts.nodes.iter().flat_map(|other| &other.outer);
                all.into_iter().any(|outer| outer.written && outer.declared == node.start)
            };
            names.extend(
                Some(node).filter(|node| node.kind == NodeKind::Value).filter(changed).map(|node| node.name.clone()),
            );
        }
        names.into_iter().collect()
    }

    /// The packages of the map that a node uses.
    fn package_uses(&self, place: Place) -> Vec<PackageUse> {
        let (Some(node), Some(file)) = (self.node(place), self.file(place)) else { return Vec::new() };
        let mut found = Vec::new();
        for used in &node.uses {
            let Used::Import(imported) = &used.what else { continue };
            if imported.name.is_empty() || imported.member == "#" && !imported.called {
                continue;
            }
            let Some(request) = file.facts.imports.get(imported.import as usize) else { continue };
            let (name, version) = match file.resolved.get(imported.import as usize) {
                Some(Resolved::File(target)) => {
                    let owner =
                        self.graph.sources().files.get(*target as usize).and_then(|f| self.graph.sources().owner(f));
                    match owner {
                        Some(owner) if !owner.own => (owner.name.clone(), owner.version.clone()),
                        _ => continue,
                    }
                }
                Some(Resolved::Missing(_) | Resolved::Native(_)) => (package_name(&request.specifier), String::new()),
                _ => continue,
            };
            let Some(known) = crates::known(&name).filter(|known| known.covers(&version)) else { continue };
            // Where a thing is only declared, its use elsewhere is the call.
            if node.kind == NodeKind::Body && !imported.called {
                continue;
            }
            let exported = if matches!(imported.name.as_str(), "*" | "default") { "" } else { imported.name.as_str() };
            let member = [exported, imported.member.trim_start_matches('#')].join(" ").trim().replace(' ', ".");
            found.push(PackageUse {
                name,
                version,
                members: if member.is_empty() { Vec::new() } else { vec![member] },
                at: vec![self.spot(place, used.line)],
                krate: known.krate.clone(),
                crate_version: known.crate_version.clone(),
                work: known.work,
                differences: known.differences.clone(),
            });
        }
        found
    }

    fn reaches(&self, reached: Vec<Reached>) -> Vec<Reach> {
        let mut reaches: Vec<Reach> = reached
            .into_iter()
            .map(|reached| {
                let (status, note) = portability::look_up(&reached.api);
                let owner = |place: Place| self.graph.sources().owner(self.file(place)?);
                let foreign = reached.chain.iter().filter_map(|step| owner(step.place)).find(|owner| !owner.own);
                let by_package = foreign.map(|owner| owner.name.clone());
                let chain = reached.chain.iter().map(|step| self.spot(step.place, step.line)).collect();
                Reach { api: reached.api, status, note, chain, by_package }
            })
            .filter(|reach| reach.status != Status::Works || reach.by_package.is_none())
            .collect();
        reaches.sort_by(|a, b| (b.status, a.chain.len(), &a.api).cmp(&(a.status, b.chain.len(), &b.api)));
        reaches
    }
}

fn name_of(file: &File, node: &Node) -> String {
    let class = file.facts.nodes.get(node.parent as usize).filter(|parent| parent.kind == NodeKind::Class);
    match (class, node.name.as_str()) {
        (Some(class), name) if !class.name.is_empty() => format!("{}.{name}", class.name),
        (_, "default") => format!("default of {}", file.shown),
        (_, name) => name.to_owned(),
    }
}

/// The package that a specifier names: `@scope/name` of `@scope/name/inside`.
fn package_name(specifier: &str) -> String {
    let parts = if specifier.starts_with('@') { 2 } else { 1 };
    specifier.split('/').take(parts).collect::<Vec<_>>().join("/")
}

/// Uses of the same package in one.
fn merged(uses: Vec<PackageUse>) -> Vec<PackageUse> {
    let mut all: BTreeMap<String, PackageUse> = BTreeMap::new();
    for used in uses {
        match all.get_mut(&used.name) {
            Some(known) => {
                known.members.extend(used.members);
                known.at.extend(used.at);
                known.members.sort();
                known.members.dedup();
                known.at.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
                known.at.dedup();
            }
            None => drop(all.insert(used.name.clone(), used)),
        }
    }
    all.into_values().collect()
}

/// Lines covered by spans of files, each line once.
fn lines(spans: &mut [(u32, u32, u32)]) -> u32 {
    spans.sort_unstable();
    let (mut total, mut covered) = (0_u32, (u32::MAX, 0_u32));
    for (file, first, last) in spans.iter().copied() {
        let from = if covered.0 == file { first.max(covered.1 + 1) } else { first };
        total = total.saturating_add((last + 1).saturating_sub(from));
        covered = (file, if covered.0 == file { covered.1.max(last) } else { last });
    }
    total
}

/// The kind of work that outweighs the others.
fn work(signals: &Signals, packages: &[PackageUse]) -> Work {
    let computing = packages.iter().find(|used| !matches!(used.work, Work::Glue));
    if let Some(used) =
        computing.filter(|used| crates::known(&used.name).is_some_and(|it| it.advice != crates::Remedy::Leave))
    {
        return used.work;
    }
    let weigh = |count: u16, weight: u32| u32::from(count) * weight;
    let numeric = weigh(signals.arithmetic, 1) + weigh(signals.bitwise, 2);
    let all = [
        (numeric, Work::Numeric),
        (weigh(signals.bytes, 3) + weigh(signals.bitwise, 1), Work::Bytes),
        (weigh(signals.strings, 2), Work::Text),
        (weigh(signals.regex, 3), Work::Regex),
        (weigh(signals.json, 4), Work::Json),
    ];
    let most = all.into_iter().max_by_key(|(weight, _)| *weight);
    match most {
        Some((weight, work)) if weight >= 4 && heat(signals) >= HOT => work,
        _ => Work::Glue,
    }
}

fn signature(node: &Node) -> Signature {
    let parameters = node.params.iter().map(|param| Parameter { name: param.name.clone(), kind: param.kind.clone() });
    let parameters: Vec<_> = parameters.collect();
    let wit = crate::wit::function(node);
    Signature { parameters, returns: node.returns.clone(), is_async: node.is_async, wit }
}

/// Whether a framework calls the unit with requests.
#[must_use]
pub fn serves(candidate: &Candidate) -> Option<Framework> {
    candidate.route.as_ref().map(|route| route.framework)
}
