//! What a person, a manifest or the verdict wants to happen, and the events that it comes to. Pure: nothing is written here.

use crate::document::Document;
use crate::event::{Cause, Event, Why};
use crate::machine::{History, Phase, Refused, Rollout};
use crate::verdict::{Answer, Verdict};
use coracle_manifest::rollout::Step;
use std::time::Duration;

/// A wish about a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Pause {
        reason: String,
    },
    Resume,
    /// With a reason, without a proof.
    Promote {
        force: Option<String>,
    },
    Abort {
        reason: String,
    },
    Freeze {
        reason: String,
    },
    Thaw,
}

/// What is known when the clock ticks.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Milliseconds since 1970.
    pub now: u64,
    pub verdict: &'a Verdict,
    /// Answers of the new version that count, in this step and before.
    pub answered: u64,
    pub compared: u64,
    /// Why nothing is copied to the new version.
    pub no_copies: Option<&'a str>,
    /// The new version is loaded and may be asked; why not, if not.
    pub fit: Option<Result<(), &'a str>>,
    pub breaker_open: bool,
    /// No request is on the new version any more.
    pub drained: bool,
}

/// Fewer answers say nothing at all; a step doesn't end before.
pub const LEAST_ANSWERS: u64 = 20;

/// What starting a rollout comes to: for each event the id of the rollout it is about. `id` is that of the new one.
///
/// # Errors
/// When the route is frozen or the new version quarantined.
pub fn start(history: &History, id: &str, document: Document, retry: bool) -> Result<Vec<(String, Event)>, Refused> {
    let mut events = Vec::new();
    if history.quarantined.contains(&document.new) && !retry {
        return Err(Refused::Quarantined { version: document.new.to_string() });
    }
    if let Some(before) = history.latest(&document.app, &document.route) {
        match before.phase {
            Phase::Frozen => return Err(Refused::Frozen(before.id.clone())),
            Phase::RollingBack => events.push((before.id.clone(), Event::RolledBack)),
            phase if !phase.is_over() => events.push((before.id.clone(), Event::Superseded { by: id.to_owned() })),
            _ => {}
        }
    }
    events.push((id.to_owned(), Event::Created { document: Box::new(document), retry }));
    Ok(events)
}

/// What a wish comes to; nothing when it is so already.
///
/// # Errors
/// When it may not be.
pub fn decide(rollout: &Rollout, command: &Command, verdict: &Verdict) -> Result<Option<Event>, Refused> {
    let refuse = |action| Err(Refused::Phase { phase: rollout.phase, action });
    match command {
        Command::Abort { reason } => match rollout.phase {
            Phase::RollingBack | Phase::RolledBack | Phase::Superseded => Ok(None),
            _ => Ok(Some(Event::RollbackStarted { cause: Cause::Abort, reason: reason.clone() })),
        },
        Command::Pause { reason } => match rollout.phase {
            Phase::Shadowing | Phase::Ramping | Phase::Holding | Phase::Baking => {
                Ok(Some(Event::Held { why: Why::Manual, reason: reason.clone() }))
            }
            _ => refuse("paused"),
        },
        Command::Resume => match (rollout.phase, rollout.held) {
            (Phase::Holding, Some(Why::Gate)) => next_step(rollout, verdict).map(Some),
            (Phase::Holding, _) => Ok(Some(Event::Resumed)),
            (Phase::Shadowing | Phase::Ramping | Phase::Baking, _) => Ok(None),
            _ => refuse("resumed"),
        },
        Command::Promote { force } => match rollout.phase {
            Phase::Promoted => Ok(None),
            phase if !phase.is_judged() => refuse("promoted"),
            _ if force.is_none() && verdict.answer != Answer::NotWorse => Err(Refused::Unproven),
            _ => Ok(Some(Event::Promoted { forced: force.clone() })),
        },
        Command::Freeze { reason } => match rollout.phase {
            Phase::Frozen => Ok(None),
            phase if phase.is_over() || phase == Phase::RollingBack => refuse("frozen"),
            _ => Ok(Some(Event::Frozen { reason: reason.clone() })),
        },
        Command::Thaw if rollout.phase == Phase::Frozen => Ok(Some(Event::Thawed)),
        Command::Thaw => refuse("thawed"),
    }
}

/// What happens by itself, if anything does. Who did it: "verdict", "breaker" or "clock".
pub fn advance(rollout: &Rollout, facts: &Facts<'_>) -> Option<(&'static str, Event)> {
    let back = |actor, cause, reason: String| Some((actor, Event::RollbackStarted { cause, reason }));
    match rollout.phase {
        Phase::Draft => Some(("clock", Event::Verifying)),
        Phase::Verifying => match facts.fit? {
            Ok(()) => Some(("clock", Event::Step { step: 0 })),
            Err(why) => back("clock", Cause::Unfit, why.to_owned()),
        },
        Phase::RollingBack if facts.drained => Some(("clock", Event::RolledBack)),
        phase if phase.is_judged() => {
            if facts.verdict.answer == Answer::Regressed {
                return back("verdict", Cause::Regressed, causes(facts.verdict));
            }
            if facts.breaker_open && phase != Phase::Shadowing {
                return back("breaker", Cause::Breaker, "so many requests failed that its breaker opened".to_owned());
            }
            on_the_way(rollout, facts)
                .map(|event| (if matches!(event, Event::RollbackStarted { .. }) { "verdict" } else { "clock" }, event))
        }
        _ => None,
    }
}

/// A short line about what raised the alarm.
fn causes(verdict: &Verdict) -> String {
    let words: Vec<_> = verdict.alarms().map(|finding| finding.measure.word()).collect();
    words.join(" and ")
}

fn on_the_way(rollout: &Rollout, facts: &Facts<'_>) -> Option<Event> {
    let step = rollout.current()?;
    if matches!(rollout.held, Some(Why::Manual | Why::Gate)) {
        return None;
    }
    let time = match step {
        Step::Ask => {
            return Some(Event::Held {
                why: Why::Gate,
                reason: "the step asks a person: resume it, or abort".to_owned(),
            });
        }
        Step::Shadow { time, .. } | Step::Weight { time, .. } | Step::Bake { time } => time,
    };
    if Duration::from_millis(facts.now.saturating_sub(rollout.step_since)) < time {
        return None;
    }
    match missing(rollout, step, facts) {
        None if matches!(step, Step::Bake { .. }) => Some(Event::Promoted { forced: None }),
        None => Some(Event::Step { step: rollout.step + 1 }),
        Some(reason) if rollout.document.roll_back_inconclusive => {
            Some(Event::RollbackStarted { cause: Cause::Inconclusive, reason })
        }
        Some(_) if rollout.phase == Phase::Holding => None,
        Some(reason) => Some(Event::Held { why: Why::Inconclusive, reason }),
    }
}

/// Why a step whose time is over can't end.
fn missing(rollout: &Rollout, step: Step, facts: &Facts<'_>) -> Option<String> {
    let next = rollout.document.steps.get(rollout.step + 1);
    let few = |count: u64, what: &str| {
        (count < LEAST_ANSWERS).then(|| format!("only {count} {what}; it takes {LEAST_ANSWERS} to say anything"))
    };
    let enough = match step {
        Step::Shadow { .. } if facts.no_copies.is_some() => {
            facts.no_copies.map(|why| format!("{why}: remove the shadow step"))
        }
        Step::Shadow { .. } => few(facts.compared, "answers were compared"),
        Step::Weight { .. } => few(facts.answered, "requests were answered by the new version"),
        Step::Ask | Step::Bake { .. } => None,
    };
    let proof = matches!(step, Step::Bake { .. }) || matches!(next, Some(Step::Bake { .. }) | None);
    enough.or_else(|| {
        (proof && facts.verdict.answer != Answer::NotWorse)
            .then(|| "not enough evidence yet that the new version is no worse".to_owned())
    })
}

fn next_step(rollout: &Rollout, verdict: &Verdict) -> Result<Event, Refused> {
    let step = rollout.step + 1;
    match rollout.document.steps.get(step) {
        Some(Step::Bake { .. }) if verdict.answer != Answer::NotWorse => Err(Refused::Unproven),
        _ => Ok(Event::Step { step }),
    }
}
