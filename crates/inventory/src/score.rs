//! The order of units: a score whose every term is shown with its evidence. Data that is missing adds nothing to the score
//! and takes from the confidence, so that it never raises a rank.

use crate::collect::{Candidate, heat};
use crate::cost::Cost;
use crate::model::{self, Gain, Interval};
use crate::portability::{self, Status};
use crate::unit::{Action, Advice, Score, Term, UnitKind, Verdict};

/// Weights of the terms; together 1.
const GAIN: f64 = 0.55;
const ISOLATION: f64 = 0.20;
const CODE: f64 = 0.15;
const WHOLE: f64 = 0.10;

/// What a score is made from.
pub struct Known<'k> {
    pub candidate: &'k Candidate,
    pub cost: Option<&'k Cost>,
    pub gain: Option<&'k Gain>,
    pub advice: &'k Advice,
    pub isolation: &'k [String],
    /// Bytes of a call were recorded, not guessed.
    pub bytes_recorded: bool,
    /// The gain after the move, if somebody measured it; it stands in for the prediction.
    pub measured: Option<f64>,
}

#[must_use]
pub fn score(known: &Known<'_>) -> Score {
    let terms = vec![gain(known), isolation(known), code(known), whole(known)];
    let portability = portability(known);
    let effort = effort(known.candidate);
    let (confidence, missing) = confidence(known);
    let sum: f64 = terms.iter().map(|term| term.value * term.weight).sum();
    let disproved = known.measured.is_some_and(|measured| measured <= 0.0);
    let acting = match (known.advice.action, known.advice.verdict) {
        (Action::Leave, _) => 0.1,
        _ if disproved => 0.1,
        (_, Verdict::Now) => 1.0,
        (_, Verdict::Prototype) => 0.9,
        (_, Verdict::NotYet | Verdict::Never) => 0.3,
    };
    // A hundred lines cost nothing against what they bring; ten thousand cost all of it.
    let value = 100.0 * sum * portability * acting / (1.0 + effort) * (0.5 + 0.5 * confidence);
    let value = if value.is_finite() { value.clamp(0.0, 100.0) } else { 0.0 };
    Score { value, terms, portability, effort, confidence, missing }
}

fn gain(known: &Known<'_>) -> Term {
    let (value, evidence) = match (known.measured, known.gain) {
        (Some(measured), _) => {
            (measured, format!("{:.1} % of the busy time, measured after the move", measured * 100.0))
        }
        (None, Some(gain)) => {
            let [low, high] = gain.of_busy;
            let text = format!("{:.1} to {:.1} % of the busy time: {}", low * 100.0, high * 100.0, gain.formula);
            let [least, most] = gain.of_work;
            (middle([least.max(-1.0), most]), text)
        }
        (None, None) => match known.cost {
            // Its time is known and its calls are not: half of what there would be without any boundary.
            Some(cost) => {
                let [slow, fast] = model::speedup(
                    known.candidate.work,
                    known.candidate.packages.first().map(|used| used.name.as_str()),
                );
                let saved = middle([1.0 - 1.0 / slow, 1.0 - 1.0 / fast]);
                (
                    0.5 * cost.share * saved,
                    format!("{:.1} % of the busy time; calls were not counted", cost.share * 100.0),
                )
            }
            None => (0.0, "nothing was measured".to_owned()),
        },
    };
    Term { name: "gain", value: value.clamp(0.0, 1.0).sqrt(), weight: GAIN, evidence }
}

/// On the cautious side of the middle.
fn middle([low, high]: Interval) -> f64 {
    low + (high - low) * 0.45
}

fn isolation(known: &Known<'_>) -> Term {
    let value = (known.isolation.len() as f64 / 2.0).min(1.0);
    let evidence = if known.isolation.is_empty() {
        "nothing speaks for isolating it".to_owned()
    } else {
        known.isolation.join("; ")
    };
    Term { name: "isolation", value, weight: ISOLATION, evidence }
}

fn code(known: &Known<'_>) -> Term {
    let heat = heat(&known.candidate.signals);
    let packaged = known.candidate.packages.iter().any(|used| !used.krate.is_empty());
    let looks = (f64::from(heat) / 200.0).min(1.0);
    let value = if packaged { looks.max(0.8) } else { looks };
    let evidence = match known.candidate.packages.first().filter(|_| packaged) {
        Some(used) => format!("{} does what the crate {} does", used.name, used.krate),
        None => format!("its code computes to a degree of {heat} (200 is much)"),
    };
    Term { name: "code", value, weight: CODE, evidence }
}

fn whole(known: &Known<'_>) -> Term {
    let (value, evidence) = match known.candidate.kind {
        UnitKind::Route => (1.0, "a route: Coracle's front door sends it elsewhere, Node stays the fallback"),
        UnitKind::Middleware => (0.8, "middleware: it moves to the front door"),
        UnitKind::Module => (0.5, "a module with a boundary of its own"),
        UnitKind::CallSite | UnitKind::Function => (0.2, "called from code that stays"),
    };
    Term { name: "whole", value, weight: WHOLE, evidence: evidence.to_owned() }
}

/// The product over what is reached. Code that is written anew only answers for what it uses itself.
fn portability(known: &Known<'_>) -> f64 {
    let anew = known.advice.action != Action::Move;
    let reaches = known.candidate.reaches.iter().filter(|reach| !anew || reach.by_package.is_none());
    let product: f64 = reaches
        .map(|reach| match (reach.status, anew) {
            (Status::Works, _) => 1.0,
            (Status::Shimmed, true) => 0.99,
            (Status::Shimmed, false) => 0.95,
            (Status::Partial, true) => 0.95,
            (Status::Partial, false) => 0.8,
            (Status::Unknown, _) => 0.7,
            (Status::Blocked, true) if portability::only_in_javascript(&reach.api) => 0.95,
            (Status::Blocked, true) => 0.5,
            (Status::Blocked, false) => 0.0,
        })
        .product();
    // State shared with code that stays is a boundary that has to be drawn first.
    let state = if known.candidate.size.state.is_empty() { 1.0 } else { 0.6 };
    product * state
}

/// From 0: thousands of lines, weighed by what has to be understood.
fn effort(candidate: &Candidate) -> f64 {
    let typed = if candidate.signature.wit.is_some() || candidate.route.is_some() { 0.0 } else { 0.05 };
    f64::from(candidate.size.lines) / 1000.0 + 0.02 * f64::from(candidate.size.files.saturating_sub(1)) + typed
}

fn confidence(known: &Known<'_>) -> (f64, Vec<String>) {
    let mut confidence = 1.0;
    let mut missing = Vec::new();
    let mut lacks = |holds: bool, factor: f64, text: &str| {
        if !holds {
            confidence *= factor;
            missing.push(text.to_owned());
        }
    };
    lacks(known.cost.is_some(), 0.4, "no CPU profile: run with --record, or give --profile");
    lacks(known.cost.is_some_and(|cost| cost.calls.is_some()), 0.7, "calls were not counted: give --coverage");
    lacks(known.bytes_recorded, 0.8, "bytes in and out are guessed");
    let typed = known.candidate.signature.parameters.iter().all(|parameter| parameter.kind.is_some());
    lacks(typed || known.candidate.route.is_some(), 0.9, "its parameters have no types");
    let unknown = known.candidate.reaches.iter().any(|reach| reach.status == Status::Unknown);
    lacks(!unknown, 0.8, "it reaches APIs that are unknown");
    (confidence, missing)
}
