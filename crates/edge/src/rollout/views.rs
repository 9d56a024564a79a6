//! A rollout as the admin API and the command line show it: wire types. Fields may be added; none changes its meaning.

use coracle_rollout::event::{Cause, Why};
use coracle_rollout::machine::{Phase, Rollout};
use coracle_rollout::verdict::{Names, Verdict, explain};
use serde::Serialize;

/// One rollout at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct View {
    pub id: String,
    pub app: String,
    pub route: String,
    pub old: String,
    pub new: String,
    pub phase: Phase,
    /// The position of the step that runs or waits, and all steps.
    pub step: usize,
    pub steps: Vec<String>,
    /// What the new version answers, and what is copied to it: hundredths of a percent.
    pub share: u16,
    pub shadow: u16,
    /// Milliseconds since 1970.
    pub created: u64,
    pub since: u64,
    pub step_since: u64,
    pub held: Option<Why>,
    pub reason: Option<String>,
    pub cause: Option<Cause>,
    pub forced: Option<String>,
    /// The route is in this rollout; false for those that are over and replaced.
    pub current: bool,
    /// Too many requests of the new version failed in a row: it gets probes only.
    pub breaker_open: bool,
    pub verdict: Verdict,
    /// The verdict in words.
    pub explanation: String,
}

impl View {
    pub fn new(rollout: &Rollout, verdict: Verdict, (current, breaker_open): (bool, bool)) -> Self {
        let document = &rollout.document;
        let (old, new) = (document.old.to_string(), document.new.to_string());
        let explanation = explain(&verdict, Names { new: &new, old: &old });
        Self {
            id: rollout.id.clone(),
            app: document.app.clone(),
            route: document.route.clone(),
            phase: rollout.phase,
            step: rollout.step,
            steps: document.steps.iter().map(ToString::to_string).collect(),
            share: rollout.share.basis_points(),
            shadow: rollout.shadow.basis_points(),
            created: rollout.created,
            since: rollout.since,
            step_since: rollout.step_since,
            held: rollout.held,
            reason: rollout.reason.clone(),
            cause: rollout.cause,
            forced: rollout.forced.clone(),
            current,
            breaker_open,
            verdict,
            explanation,
            old,
            new,
        }
    }
}
