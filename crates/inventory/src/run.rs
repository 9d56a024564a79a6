//! One run from top to bottom: read the project, join the measurements, judge every unit, rank.

use crate::advice::{Case, advise};
use crate::cache::Cache;
use crate::collect::{self, Candidate};
use crate::cost::{Cost, Costs};
use crate::crates;
use crate::frameworks;
use crate::graph::{Graph, Place};
use crate::measure::{self, Recorded};
use crate::model::{self, Interval};
use crate::notes::{Note, NoteKind};
use crate::portability;
use crate::project::Project;
use crate::score::{Known, score};
use crate::unit::{Action, Inventory, Rests, Sample, Scope, Unit, UnitKind, Verdict};
use crate::walk::{self, Progress, Sources};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What to read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub root: PathBuf,
    /// Where execution begins; none means to look for it.
    pub entries: Vec<PathBuf>,
    /// V8 CPU profiles (`node --cpu-prof`).
    pub profiles: Vec<PathBuf>,
    /// Directories of V8 coverage (`NODE_V8_COVERAGE`).
    pub coverage: Vec<PathBuf>,
    /// V8 heap profiles (`node --heap-prof`).
    pub heaps: Vec<PathBuf>,
    /// Requests recorded by `coracle inventory --record`.
    pub requests: Vec<PathBuf>,
    /// Where facts are kept between runs.
    pub cache: Option<PathBuf>,
    /// Gains measured after a move, by unit: parts of the busy time.
    pub measured: BTreeMap<String, f64>,
}

/// Units in the result; the rest are not worth a line.
const MOST: usize = 200;

/// Makes the inventory of a project. Whatever goes wrong is in its notes.
pub fn run(options: &Options, progress: &(dyn Fn(Progress) + Sync)) -> Inventory {
    let project = Project::open(&options.root, &options.entries);
    let mut cache = Cache::open(options.cache.as_deref());
    let mut sources = walk::walk(&project, &mut cache, progress);
    let mut notes = std::mem::take(&mut sources.notes);
    if let Err(error) = cache.save() {
        let file = options.cache.as_deref().unwrap_or(&options.root).display().to_string();
        notes.push(Note::new(
            NoteKind::Limit,
            file,
            0,
            format!("the cache for the next run can't be written: {error}"),
        ));
    }
    let graph = Graph::new(&sources);
    let files = measure::Files { profiles: &options.profiles, coverage: &options.coverage, heaps: &options.heaps };
    let routes = frameworks::routes(&graph, &project);
    let costs = measure::read(files, &graph, &routes, &mut notes);
    let requests = measure::requests(&options.requests, &mut notes);
    // One that takes every method and path may run before or behind others: it answers alone only if it is looked at itself.
    let alone = routes.iter().filter(|route| !route.middleware && route.method != "*").map(|route| route.place);
    let handlers: BTreeSet<Place> = alone.collect();
    let handlers: Vec<Place> = handlers.into_iter().collect();
    let candidates = collect::candidates(&graph, &routes, &costs);
    let known = Joined {
        sources: &sources,
        costs: &costs,
        requests: &requests,
        measured: &options.measured,
        handlers: &handlers,
    };
    let mut units: Vec<Unit> = candidates.iter().map(|candidate| known.unit(candidate)).collect();
    nest(&mut units, &candidates);
    rank(&mut units);
    units.truncate(MOST);
    notes.sort();
    notes.dedup();
    let own = || sources.files.iter().filter(|file| sources.is_own(file));
    Inventory {
        format: 1,
        scope: Scope {
            root: project.root.display().to_string(),
            entries: project.entries.iter().map(|entry| shown(&project, entry)).collect(),
            files: sources.files.len(),
            lines: sources.lines(),
            own_files: own().count(),
            own_lines: own().map(|file| u64::from(file.facts.lines)).sum(),
            packages: sources.packages.iter().filter(|owner| !owner.own).count(),
            from_cache: sources.cached,
        },
        rests_on: Rests {
            portability: portability::version().to_owned(),
            crates: crates::version().to_owned(),
            constants: model::constants().version.clone(),
        },
        profiled: costs.profiled,
        verdict: verdict(&units, costs.profiled),
        units,
        notes,
        busy_us: costs.busy_us,
        duration_us: costs.duration_us,
        flame: costs.flame,
    }
}

fn shown(project: &Project, path: &std::path::Path) -> String {
    path.strip_prefix(&project.root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// The best first; the order of equals is that of the code.
pub fn rank(units: &mut [Unit]) {
    units.sort_by(|a, b| {
        let by_part = a.part_of.is_some().cmp(&b.part_of.is_some());
        let by_action = (a.advice.action == Action::Leave).cmp(&(b.advice.action == Action::Leave));
        let by_score = b.score.value.total_cmp(&a.score.value);
        by_part.then(by_action).then(by_score).then_with(|| (&a.file, a.line, &a.name).cmp(&(&b.file, b.line, &b.name)))
    });
}

fn verdict(units: &[Unit], profiled: bool) -> String {
    let worth = units.iter().filter(|unit| unit.stands_alone() && unit.advice.action != Action::Leave).count();
    let now = units.iter().filter(|unit| unit.stands_alone() && unit.advice.verdict == Verdict::Now).count();
    match (worth, now, profiled) {
        (0, _, true) => "Nothing is worth moving.".to_owned(),
        (0, _, false) => "Nothing looks worth moving; a profile (--record) would make that certain.".to_owned(),
        (worth, 0, true) => format!("{worth} units may be worth moving; none is certain to gain."),
        (worth, now, true) => format!("{now} of {worth} units gain for certain, as far as the model goes."),
        (worth, _, false) => format!("{worth} units may be worth moving; measure them first (--record)."),
    }
}

/// Call sites and functions that one worthwhile route alone reaches are part of it: one line for the same work, not three.
fn nest(units: &mut [Unit], candidates: &[Candidate]) {
    let routes: Vec<(String, &Candidate)> = units
        .iter()
        .zip(candidates)
        .filter(|(unit, _)| matches!(unit.kind, UnitKind::Route | UnitKind::Middleware))
        .filter(|(unit, _)| unit.advice.action != Action::Leave)
        .map(|(unit, candidate)| (unit.id.clone(), candidate))
        .collect();
    for (unit, candidate) in units.iter_mut().zip(candidates) {
        if !matches!(unit.kind, UnitKind::CallSite | UnitKind::Function) {
            continue;
        }
        let mut reaching = routes.iter().filter(|(_, route)| route.own.binary_search(&candidate.place).is_ok());
        if let (Some((id, _)), None) = (reaching.next(), reaching.next()) {
            unit.part_of = Some(id.clone());
        }
    }
}

/// All that is known beside the candidates themselves.
struct Joined<'j> {
    sources: &'j Sources,
    costs: &'j Costs,
    requests: &'j [Recorded],
    measured: &'j BTreeMap<String, f64>,
    /// Routes that answer alone.
    handlers: &'j [Place],
}

impl Joined<'_> {
    fn unit(&self, candidate: &Candidate) -> Unit {
        let file = self.sources.files.get(candidate.place.file as usize);
        let node = file.and_then(|file| file.facts.nodes.get(candidate.place.node as usize));
        let whole = (1, file.map_or(1, |file| file.facts.lines));
        let (mut line, mut end_line) = node.map_or(whole, |node| (node.line, node.end_line));
        let site = candidate.packages.iter().flat_map(|used| &used.at).next();
        if let (UnitKind::CallSite, Some(spot)) = (candidate.kind, site) {
            (line, end_line) = (spot.line, spot.line);
        }
        let shown = file.map(|file| file.shown.clone()).unwrap_or_default();
        let id = format!("{}:{shown}:{}", candidate.kind.name().replace(' ', "-"), candidate.name);
        let cost = self.cost(candidate);
        let isolation = isolation(candidate);
        let (bytes, bytes_from, samples) = self.traffic(candidate);
        let whole = candidate.kind == UnitKind::Route;
        let asked = self.requests.iter().map(|recorded| recorded.count).sum();
        let around_us = if whole { self.costs.around_us(candidate.place, self.handlers, asked) } else { 0.0 };
        let case = Case {
            candidate,
            cost: cost.as_ref(),
            bytes,
            isolation: &isolation,
            around_us,
            part: self.part(candidate, cost.as_ref()),
        };
        let (advice, gain) = advise(&case);
        let measured_gain = self.measured.get(&id).copied();
        let score = score(&Known {
            candidate,
            cost: cost.as_ref(),
            gain: gain.as_ref(),
            advice: &advice,
            isolation: &isolation,
            bytes_recorded: bytes_from == "recorded",
            measured: measured_gain,
        });
        let excerpt = file.map(|file| excerpt(&file.path, line, end_line)).unwrap_or_default();
        Unit {
            id,
            kind: candidate.kind,
            name: candidate.name.clone(),
            file: shown,
            line,
            end_line,
            part_of: None,
            framework: collect::serves(candidate),
            signature: candidate.signature.clone(),
            size: candidate.size.clone(),
            signals: candidate.signals,
            work: candidate.work,
            reaches: candidate.reaches.clone(),
            packages: candidate.packages.clone(),
            isolation,
            cost,
            bytes,
            bytes_from,
            gain,
            measured_gain,
            advice,
            score,
            samples,
            excerpt,
        }
    }

    fn cost(&self, candidate: &Candidate) -> Option<Cost> {
        match (&candidate.package, candidate.kind) {
            (Some(package), _) => self.costs.in_package(candidate.place, package),
            (None, UnitKind::Module) => self.costs.of_all(&candidate.own),
            (None, _) => self.costs.of(candidate.place),
        }
    }

    /// The part of a unit's time that goes into the packages of the map that it uses.
    fn part(&self, candidate: &Candidate, cost: Option<&Cost>) -> f64 {
        let Some(cost) = cost.filter(|cost| candidate.package.is_none() && cost.inclusive_us > 0.0) else { return 1.0 };
        if candidate.packages.is_empty() {
            return 1.0;
        }
        let names: Vec<&str> = candidate.packages.iter().map(|used| used.name.as_str()).collect();
        let inside =
            self.costs.packages.iter().filter(|((place, name), _)| {
                names.contains(&name.as_str()) && candidate.own.binary_search(place).is_ok()
            });
        (inside.map(|(_, us)| us).sum::<f64>() / cost.inclusive_us).clamp(0.0, 1.0)
    }

    /// Bytes of a call, where the number comes from, and samples.
    fn traffic(&self, candidate: &Candidate) -> (Interval, &'static str, Vec<Sample>) {
        let guessed = ([64.0, 16.0 * 1024.0], "guessed", Vec::new());
        let Some(route) = &candidate.route else { return guessed };
        let exact = !route.middleware && route.method != "*";
        let went = |recorded: &&Recorded| recorded.went_to(&route.method, &route.path, exact);
        let requests: Vec<&Recorded> = self.requests.iter().filter(went).collect();
        let count: u64 = requests.iter().map(|recorded| recorded.count).sum();
        if count == 0 {
            return guessed;
        }
        let bytes: f64 = requests.iter().map(|recorded| recorded.bytes_in + recorded.bytes_out).sum();
        let each = (bytes / count as f64).max(0.0);
        let samples = requests.iter().flat_map(|recorded| recorded.samples()).take(10).collect();
        ([each, each], "recorded", samples)
    }
}

/// Why it is good to have a unit isolated, whatever it costs.
fn isolation(candidate: &Candidate) -> Vec<String> {
    let mut why = Vec::new();
    let untrusted =
        candidate.packages.iter().filter(|used| crates::known(&used.name).is_some_and(|known| known.untrusted));
    let names: Vec<_> = untrusted.map(|used| used.name.as_str()).collect();
    if !names.is_empty() {
        why.push(format!("what strangers send goes into {}", names.join(", ")));
        if candidate.route.is_some() {
            why.push("third-party code runs on the text of a request".to_owned());
        }
    }
    why
}

/// The first lines of a span; long lines are cut.
fn excerpt(path: &std::path::Path, line: u32, end_line: u32) -> String {
    const LINES: usize = 14;
    let Ok(bytes) = std::fs::read(path) else { return String::new() };
    let text = String::from_utf8_lossy(&bytes);
    let count = (end_line.saturating_sub(line) as usize + 1).min(LINES);
    let lines = text.lines().skip(line.saturating_sub(1) as usize).take(count);
    lines.map(|line| line.chars().take(140).collect::<String>()).collect::<Vec<_>>().join("\n")
}
