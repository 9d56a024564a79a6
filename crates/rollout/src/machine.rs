//! The state of all rollouts, worked out from the log; and what may follow what.
//!
//! ```text
//! Draft → Verifying → Shadowing → Ramping ⇄ Holding → Baking → Promoted
//!   └─────────┴───────────┴──────────┴─────────┴─────────┴────────┴───▶ RollingBack → RolledBack
//! any but the last two: Frozen ⇄ (where it was), Superseded
//! ```
//! Rolling back is legal from everywhere and asks nothing of the old version. `apply` refuses what must not be, whoever asks:
//! what can't be applied is never written.

use crate::document::Document;
use crate::event::{Cause, Entry, Event, Why};
use crate::verdict::Thresholds;
use crate::version::Version;
use coracle_manifest::rollout::{Share, Step};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How far a rollout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    Draft,
    Verifying,
    Shadowing,
    Ramping,
    Holding,
    Baking,
    Promoted,
    RollingBack,
    RolledBack,
    Superseded,
    Frozen,
}

/// One rollout.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    pub id: String,
    pub document: Document,
    pub phase: Phase,
    /// The position of the step that runs, or waits.
    pub step: usize,
    /// What the new version answers now.
    pub share: Share,
    /// What of the requests is copied to it now.
    pub shadow: Share,
    /// When it was created, and when the phase or step began: milliseconds since 1970.
    pub created: u64,
    pub since: u64,
    /// When the running step began; waiting doesn't change it.
    pub step_since: u64,
    pub held: Option<Why>,
    /// Why it waits, goes back or is frozen.
    pub reason: Option<String>,
    pub cause: Option<Cause>,
    pub thresholds: Option<Thresholds>,
    /// A person promoted it without a proof, and why.
    pub forced: Option<String>,
    /// Where a thaw goes back to.
    thaw: Option<Thaw>,
}

/// What freezing has put aside.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Thaw {
    phase: Phase,
    share: Share,
    shadow: Share,
    held: Option<Why>,
}

/// All rollouts of one log.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    pub rollouts: BTreeMap<String, Rollout>,
    /// The latest rollout of each route, by app and route.
    latest: BTreeMap<(String, String), String>,
    /// Versions that were rolled back.
    pub quarantined: BTreeSet<Version>,
    /// Of the last entry; 0 before the first.
    pub seq: u64,
}

/// Why something may not happen, for whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("there is no rollout `{0}`")]
    Unknown(String),
    #[error("a rollout that is {} can't be {action}", .phase.word())]
    Phase { phase: Phase, action: &'static str },
    #[error("{version} was rolled back before: say --retry to try it again, or give a new version")]
    Quarantined { version: String },
    #[error(
        "nothing proves yet that the new version is no worse: see `coracle rollout explain`, or promote it with --force and a --reason"
    )]
    Unproven,
    #[error("a forced promotion needs a reason that others can read later")]
    NoReason,
    #[error("the rollout `{0}` of this route is frozen: thaw or abort it first")]
    Frozen(String),
    #[error("the log has an entry that can't follow the one before it: {0}")]
    Order(String),
}

impl Phase {
    /// As it stands in sentences.
    pub fn word(self) -> &'static str {
        match self {
            Self::Draft => "a draft",
            Self::Verifying => "verifying",
            Self::Shadowing => "shadowing",
            Self::Ramping => "ramping",
            Self::Holding => "holding",
            Self::Baking => "baking",
            Self::Promoted => "promoted",
            Self::RollingBack => "rolling back",
            Self::RolledBack => "rolled back",
            Self::Superseded => "superseded",
            Self::Frozen => "frozen",
        }
    }

    /// True when nothing will happen any more by itself.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Promoted | Self::RolledBack | Self::Superseded)
    }

    /// True while the verdict has something to say about it.
    pub fn is_judged(self) -> bool {
        matches!(self, Self::Shadowing | Self::Ramping | Self::Holding | Self::Baking)
    }
}

impl History {
    /// The state after all entries.
    ///
    /// # Errors
    /// When an entry can't follow those before it.
    pub fn fold<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<Self, Refused> {
        let mut history = Self::default();
        for entry in entries {
            history.apply(entry)?;
        }
        Ok(history)
    }

    /// The rollout that a route is in, or was last in.
    pub fn latest(&self, app: &str, route: &str) -> Option<&Rollout> {
        self.rollouts.get(self.latest.get(&(app.to_owned(), route.to_owned()))?)
    }

    /// The version that a route goes back to when `new` fails, as far as the log knows: that of the rollout it is in, else the
    /// one that was promoted last.
    pub fn base(&self, app: &str, route: &str, new: &Version) -> Option<Version> {
        if let Some(latest) = self.latest(app, route).filter(|latest| latest.document.new == *new) {
            return Some(latest.document.old.clone());
        }
        let of_route = self.rollouts.values().filter(|one| one.document.app == app && one.document.route == route);
        let promoted = of_route.filter(|one| one.phase == Phase::Promoted).max_by_key(|one| one.since);
        promoted.map(|one| one.document.new.clone())
    }

    pub fn find(&self, id: &str) -> Result<&Rollout, Refused> {
        self.rollouts.get(id).ok_or_else(|| Refused::Unknown(id.to_owned()))
    }

    /// The state after one more entry.
    ///
    /// # Errors
    /// When it may not follow; nothing has changed then.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Refused> {
        if entry.seq != self.seq + 1 {
            return Err(Refused::Order(format!("{} after {}", entry.seq, self.seq)));
        }
        if let Event::Created { document, retry } = &entry.event {
            self.create(entry, document, *retry)?;
        } else {
            let mut rollout = self.find(&entry.rollout)?.clone();
            rollout.step_to(entry)?;
            if let Event::RollbackStarted { .. } = entry.event {
                self.quarantined.insert(rollout.document.new.clone());
            }
            self.rollouts.insert(entry.rollout.clone(), rollout);
        }
        self.seq = entry.seq;
        Ok(())
    }

    fn create(&mut self, entry: &Entry, document: &Document, retry: bool) -> Result<(), Refused> {
        if self.rollouts.contains_key(&entry.rollout) {
            return Err(Refused::Order(format!("`{}` is there already", entry.rollout)));
        }
        if let Some(before) = self.latest(&document.app, &document.route)
            && !before.phase.is_over()
        {
            return Err(Refused::Order(format!("`{}` of the same route isn't over", before.id)));
        }
        if self.quarantined.contains(&document.new) && !retry {
            return Err(Refused::Quarantined { version: document.new.to_string() });
        }
        self.quarantined.remove(&document.new);
        self.latest.insert((document.app.clone(), document.route.clone()), entry.rollout.clone());
        self.rollouts.insert(entry.rollout.clone(), Rollout::new(entry, document.clone()));
        Ok(())
    }
}

impl Rollout {
    fn new(entry: &Entry, document: Document) -> Self {
        Self {
            id: entry.rollout.clone(),
            document,
            phase: Phase::Draft,
            step: 0,
            share: Share::default(),
            shadow: Share::default(),
            created: entry.time,
            since: entry.time,
            step_since: entry.time,
            held: None,
            reason: None,
            cause: None,
            thresholds: None,
            forced: None,
            thaw: None,
        }
    }

    /// The step that runs or waits.
    pub fn current(&self) -> Option<Step> {
        self.document.steps.get(self.step).copied()
    }

    fn step_to(&mut self, entry: &Entry) -> Result<(), Refused> {
        let refuse = |action| Err(Refused::Phase { phase: self.phase, action });
        match &entry.event {
            Event::Created { .. } => return Err(Refused::Order("created twice".to_owned())),
            Event::Verifying if self.phase == Phase::Draft => self.enter(Phase::Verifying, entry.time),
            Event::Verifying => return refuse("verified"),
            Event::Baseline { thresholds } => self.thresholds = Some(*thresholds),
            Event::Step { step } => return self.begin_step(*step, entry),
            Event::Held { why, reason } => {
                if !matches!(self.phase, Phase::Shadowing | Phase::Ramping | Phase::Holding | Phase::Baking) {
                    return refuse("held");
                }
                self.enter(Phase::Holding, entry.time);
                (self.held, self.reason) = (Some(*why), Some(reason.clone()));
            }
            Event::Resumed if self.phase == Phase::Holding => {
                let phase = self.phase_of_step();
                self.enter(phase, entry.time);
            }
            Event::Resumed => return refuse("resumed"),
            Event::Promoted { forced } => return self.promote(forced.as_deref(), entry),
            Event::RollbackStarted { cause, reason } => {
                if matches!(self.phase, Phase::RollingBack | Phase::RolledBack | Phase::Superseded) {
                    return refuse("rolled back");
                }
                self.enter(Phase::RollingBack, entry.time);
                self.serve(Share::default(), Share::default());
                (self.cause, self.reason, self.thaw) = (Some(*cause), Some(reason.clone()), None);
            }
            Event::RolledBack if self.phase == Phase::RollingBack => {
                let reason = self.reason.take();
                self.enter(Phase::RolledBack, entry.time);
                self.reason = reason;
            }
            Event::RolledBack => return refuse("called rolled back"),
            Event::Superseded { by } => {
                if self.phase.is_over() || matches!(self.phase, Phase::Frozen | Phase::RollingBack) {
                    return refuse("superseded");
                }
                self.enter(Phase::Superseded, entry.time);
                self.serve(Share::default(), Share::default());
                self.reason = Some(format!("{by} took its place"));
            }
            Event::Frozen { reason } => {
                if self.phase.is_over() || matches!(self.phase, Phase::Frozen | Phase::RollingBack) {
                    return refuse("frozen");
                }
                let thaw = Thaw { phase: self.phase, share: self.share, shadow: self.shadow, held: self.held };
                self.enter(Phase::Frozen, entry.time);
                self.serve(Share::default(), Share::default());
                (self.thaw, self.reason) = (Some(thaw), Some(reason.clone()));
            }
            Event::Thawed => return self.thaw(entry),
        }
        Ok(())
    }

    /// Begins a step: the next one, or the first. Entering the bake takes a proof.
    fn begin_step(&mut self, step: usize, entry: &Entry) -> Result<(), Refused> {
        let follows = match self.phase {
            Phase::Verifying => step == 0,
            Phase::Shadowing | Phase::Ramping | Phase::Holding => step == self.step + 1,
            _ => false,
        };
        let Some(what) = self.document.steps.get(step).copied().filter(|_| follows) else {
            return Err(Refused::Phase { phase: self.phase, action: "moved to that step" });
        };
        if matches!(what, Step::Bake { .. }) && !entry.is_proven() {
            return Err(Refused::Unproven);
        }
        self.step = step;
        self.step_since = entry.time;
        match what {
            Step::Shadow { share, .. } => self.serve(Share::default(), share),
            Step::Weight { share, .. } => self.serve(share.max(self.share), Share::default()),
            Step::Bake { .. } => self.serve(Share::ALL, Share::default()),
            Step::Ask => {}
        }
        let phase = self.phase_of_step();
        self.enter(phase, entry.time);
        Ok(())
    }

    fn phase_of_step(&self) -> Phase {
        match self.current() {
            Some(Step::Shadow { .. }) => Phase::Shadowing,
            Some(Step::Bake { .. }) => Phase::Baking,
            Some(Step::Ask) if self.share == Share::default() => Phase::Shadowing,
            Some(Step::Weight { .. } | Step::Ask) | None => Phase::Ramping,
        }
    }

    fn promote(&mut self, forced: Option<&str>, entry: &Entry) -> Result<(), Refused> {
        if !self.phase.is_judged() {
            return Err(Refused::Phase { phase: self.phase, action: "promoted" });
        }
        match forced {
            None if !entry.is_proven() => return Err(Refused::Unproven),
            Some(reason) if reason.trim().is_empty() || entry.actor.trim().is_empty() => return Err(Refused::NoReason),
            _ => {}
        }
        self.enter(Phase::Promoted, entry.time);
        self.serve(Share::ALL, Share::default());
        self.forced = forced.map(str::to_owned);
        Ok(())
    }

    /// Back to where it was, but waiting: whoever thaws looks before it goes on.
    fn thaw(&mut self, entry: &Entry) -> Result<(), Refused> {
        let Some(thaw) = self.thaw.take().filter(|_| self.phase == Phase::Frozen) else {
            return Err(Refused::Phase { phase: self.phase, action: "thawed" });
        };
        let (phase, held) = match thaw.phase {
            Phase::Draft | Phase::Verifying => (thaw.phase, None),
            _ => (Phase::Holding, Some(Why::Manual)),
        };
        self.enter(phase, entry.time);
        self.serve(thaw.share, thaw.shadow);
        self.held = held;
        self.reason = held.map(|_| "it was thawed: look, then resume it".to_owned());
        Ok(())
    }

    fn enter(&mut self, phase: Phase, time: u64) {
        self.phase = phase;
        self.since = time;
        (self.held, self.reason) = (None, None);
    }

    fn serve(&mut self, share: Share, shadow: Share) {
        (self.share, self.shadow) = (share, shadow);
    }
}
