//! What to do with a unit, in words with reasons: adopt a crate, rewrite, move as it is, or leave. A plain function of what
//! was collected and measured.

use crate::collect::{Candidate, heat};
use crate::cost::Cost;
use crate::crates::{self, Remedy, Work};
use crate::model::{self, Becomes, Called, Gain, Interval, Task};
use crate::portability::{self, Status};
use crate::unit::{Action, Advice, Reach, UnitKind, Verdict};

/// Less of the busy time than this is not worth a person's day.
pub const WORTH: f64 = 0.02;
/// Code that computes at least this much by the look of it is worth measuring.
const HOT: u32 = 24;

/// What is known when a unit is judged.
pub struct Case<'c> {
    pub candidate: &'c Candidate,
    pub cost: Option<&'c Cost>,
    pub bytes: Interval,
    pub isolation: &'c [String],
    /// What Node does around a route for a request, in µs; zero when it is not known.
    pub around_us: f64,
    /// The part of its time that goes into the packages it uses; 1 when its work is its own.
    pub part: f64,
}

/// The advice and what it would gain.
#[must_use]
pub fn advise(case: &Case<'_>) -> (Advice, Option<Gain>) {
    let remedy = remedy(case);
    let called = match case.candidate.kind {
        UnitKind::Route | UnitKind::Middleware => Called::ByTheFrontDoor,
        UnitKind::CallSite | UnitKind::Function | UnitKind::Module => Called::ByNode,
    };
    let task = Task {
        work: case.candidate.work,
        package: remedy.map(|(package, _)| package),
        around_us: case.around_us,
        part: case.part,
    };
    let gain = |becomes| case.cost.and_then(|cost| model::gain(cost, task, becomes, called, case.bytes));
    let rust = gain(Becomes::Rust);
    let mut against = against(case);
    let blocked_inside = blocked(case, true);
    let (action, summary, reasons) = match remedy {
        Some((package, remedy)) => packaged(case, package, remedy, rust.as_ref()),
        None => plain(case, rust.as_ref()),
    };
    if let (Action::Rewrite | Action::Adopt, Some(api)) = (action, &blocked_inside) {
        against.push(format!("it uses {api} itself: that part has to stay in Node"));
    }
    let gain = if action == Action::Move { gain(Becomes::JavascriptComponent) } else { rust };
    if action != Action::Leave && gain.as_ref().is_some_and(|gain| gain.of_busy[1] <= 0.0) {
        against.push("it would cost CPU time: only its isolation speaks for it".to_owned());
    }
    let verdict = verdict(case, action, gain.as_ref());
    (Advice { action, verdict, summary, reasons, against }, gain)
}

/// The package of the map that decides, the dearest kind of advice first.
fn remedy<'c>(case: &Case<'c>) -> Option<(&'c str, Remedy)> {
    let known =
        case.candidate.packages.iter().filter_map(|used| Some((used.name.as_str(), crates::known(&used.name)?.advice)));
    let order = |remedy: &Remedy| match remedy {
        Remedy::Adopt => 0,
        Remedy::AdoptNative => 1,
        Remedy::Rewrite => 2,
        Remedy::Move => 3,
        Remedy::Leave => 4,
    };
    known
        .filter(|(_, remedy)| case.candidate.kind == UnitKind::CallSite || *remedy != Remedy::Leave)
        .min_by_key(|(_, remedy)| order(remedy))
}

/// A unit whose work is that of a known package.
fn packaged(case: &Case<'_>, package: &str, remedy: Remedy, gain: Option<&Gain>) -> (Action, String, Vec<String>) {
    let Some(known) = crates::known(package) else { return plain(case, gain) };
    let krate = format!("{} {}", known.krate, known.crate_version);
    let mut reasons = reasons(case);
    reasons.extend(known.differences.iter().map(|difference| format!("{package} and {}: {difference}", known.krate)));
    let cold = case.cost.is_some_and(|cost| cost.share < WORTH) || gain.is_some_and(|gain| gain.of_work[1] <= 0.0);
    let route = matches!(case.candidate.kind, UnitKind::Route | UnitKind::Middleware);
    match remedy {
        Remedy::Adopt if cold && case.isolation.is_empty() => (
            Action::Leave,
            format!("leave it: {package} costs too little here to pay for a call to a component"),
            reasons,
        ),
        Remedy::Adopt if route => {
            (Action::Adopt, format!("write it in Rust on the crate {krate}, which does what {package} does"), reasons)
        }
        Remedy::Adopt => (Action::Adopt, format!("replace {package} by the crate {krate} in a component"), reasons),
        Remedy::AdoptNative => {
            let text = format!(
                "leave {package} in Node, unless its isolation is worth more than its speed: then the crate {krate}"
            );
            (Action::Leave, text, reasons)
        }
        Remedy::Rewrite if cold => (Action::Leave, format!("leave it: {package} costs too little here"), reasons),
        Remedy::Rewrite if known.krate.is_empty() => {
            (Action::Rewrite, format!("what {package} does here has to be written in Rust"), reasons)
        }
        Remedy::Rewrite => (Action::Rewrite, format!("rewrite it in Rust; the crate {krate} helps"), reasons),
        Remedy::Move => (
            Action::Leave,
            format!("leave it: there is no crate for {package}, and as a JavaScript component it gets slower"),
            reasons,
        ),
        Remedy::Leave => (Action::Leave, format!("leave {package} where it is"), reasons),
    }
}

/// A unit of the project's own code.
fn plain(case: &Case<'_>, gain: Option<&Gain>) -> (Action, String, Vec<String>) {
    let reasons = reasons(case);
    let candidate = case.candidate;
    let route = matches!(candidate.kind, UnitKind::Route | UnitKind::Middleware);
    let share = case.cost.map(|cost| cost.share);
    let computes = candidate.work != Work::Glue;
    if !candidate.size.state.is_empty() && share.is_none_or(|share| share < 0.2) {
        let names = list(&candidate.size.state);
        return (Action::Leave, format!("leave it: it shares {names} with code that stays"), reasons);
    }
    match (share, gain) {
        (Some(share), _) if share < WORTH => {
            let text = format!("leave it: {:.1} % of the busy time are too little to gain from", share * 100.0);
            (Action::Leave, text, reasons)
        }
        (Some(_), Some(gain)) if computes && gain.of_work[1] > WORTH => (
            Action::Rewrite,
            match gain.of_work {
                [low, _] if low > 0.0 => "rewrite it in Rust: it computes, and that pays for the boundary".to_owned(),
                _ => "try it in Rust: it computes, which may pay for the boundary or not".to_owned(),
            },
            reasons,
        ),
        (Some(_), Some(_)) if computes => {
            (Action::Leave, "leave it: each call is too short to pay for the boundary".to_owned(), reasons)
        }
        (Some(_), None) if computes => {
            (Action::Rewrite, "try it in Rust: it computes; how often it is called was not counted".to_owned(), reasons)
        }
        (None, _) if computes && heat(&candidate.signals) >= HOT => {
            (Action::Rewrite, "measure it, then rewrite it in Rust: by the look of it, it computes".to_owned(), reasons)
        }
        (_, _)
            if route
                && !computes
                && !case.isolation.is_empty()
                && blocked(case, false).is_none()
                && unknown(case) == 0 =>
        {
            (
                Action::Move,
                "move it whole as a JavaScript component: it is glue, and nothing it reaches stands against it"
                    .to_owned(),
                reasons,
            )
        }
        _ => (Action::Leave, "leave it: it waits and passes on, which Node does well".to_owned(), reasons),
    }
}

fn verdict(case: &Case<'_>, action: Action, gain: Option<&Gain>) -> Verdict {
    match (action, gain) {
        (Action::Leave, _) => {
            let native = case.candidate.packages.iter().any(|used| used.work == Work::Native);
            if native { Verdict::NotYet } else { Verdict::Never }
        }
        (_, Some(gain)) if gain.of_busy[0] > WORTH => Verdict::Now,
        (_, Some(gain)) if gain.of_busy[1] > 0.0 => Verdict::Prototype,
        (_, None) => Verdict::Prototype,
        (_, Some(_)) => Verdict::NotYet,
    }
}

/// What speaks for looking at it, with numbers.
fn reasons(case: &Case<'_>) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Some(cost) = case.cost {
        reasons.push(format!("{:.1} % of the busy time", cost.share * 100.0));
        if let (Some(calls), Some(each)) = (cost.calls, cost.per_call_us) {
            reasons.push(format!("{calls} calls of {each:.0} µs"));
        }
        if cost.gc_us > 0.1 * cost.inclusive_us && cost.gc_us > 0.0 {
            reasons.push(format!(
                "{:.0} % of its time is garbage collection",
                100.0 * cost.gc_us / cost.inclusive_us.max(1.0)
            ));
        }
        if cost.regex_us > 0.1 * cost.inclusive_us && cost.regex_us > 0.0 {
            reasons.push(format!(
                "{:.0} % of its time is regular expressions",
                100.0 * cost.regex_us / cost.inclusive_us.max(1.0)
            ));
        }
    }
    let signals = &case.candidate.signals;
    if case.candidate.work != Work::Glue && heat(signals) >= HOT {
        reasons.push(format!(
            "its code computes: {} loops up to {} deep, {} operators on numbers, {} string and {} regular-expression operations",
            signals.loops,
            signals.loop_depth,
            u32::from(signals.arithmetic) + u32::from(signals.bitwise),
            signals.strings,
            signals.regex
        ));
    }
    reasons.extend(case.isolation.iter().cloned());
    reasons
}

fn against(case: &Case<'_>) -> Vec<String> {
    let mut against = Vec::new();
    let size = &case.candidate.size;
    if !size.state.is_empty() {
        against.push(format!("shares {} with code that stays", list(&size.state)));
    }
    let blocked = case.candidate.reaches.iter().filter(|reach| reach.status == Status::Blocked).count();
    if blocked > 0 {
        let apis = if blocked == 1 { "a blocked API is".to_owned() } else { format!("{blocked} blocked APIs are") };
        against.push(format!("as JavaScript it can't move: {apis} reached"));
    }
    let unknown = unknown(case);
    if unknown > 0 {
        let apis = if unknown == 1 { "one API is".to_owned() } else { format!("{unknown} APIs are") };
        against.push(format!("{apis} unknown, which is not OK"));
    }
    if case.candidate.signature.is_async && case.candidate.signals.awaits > 2 {
        against.push("it waits several times within a call".to_owned());
    }
    against
}

fn unknown(case: &Case<'_>) -> usize {
    case.candidate.reaches.iter().filter(|reach| reach.status == Status::Unknown).count()
}

/// A blocked API that is reached; `inside` asks for those that no dependency brings in.
fn blocked(case: &Case<'_>, inside: bool) -> Option<String> {
    let blocked = case.candidate.reaches.iter().filter(|reach| reach.status == Status::Blocked);
    let stays = |reach: &&Reach| reach.by_package.is_none() && !portability::only_in_javascript(&reach.api);
    blocked.filter(|reach| !inside || stays(reach)).map(|reach| reach.api.clone()).next()
}

/// At most four names.
fn list(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(4).map(String::as_str).collect();
    let more = if names.len() > 4 { format!(" and {} more", names.len() - 4) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
