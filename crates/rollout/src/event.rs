//! What has happened to rollouts, one entry after the other: the only thing that is kept. Everything else is worked out from
//! it. Entries are JSON in the log, so that an auditor can read them with anything.

use crate::document::Document;
use crate::verdict::{Answer, Thresholds, Verdict};
use serde::{Deserialize, Serialize};

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// From 1, without gaps.
    pub seq: u64,
    /// Milliseconds since 1970.
    pub time: u64,
    /// Who: "manifest", "verdict", "breaker", or a person's name.
    pub actor: String,
    /// The id of the rollout.
    pub rollout: String,
    #[serde(flatten)]
    pub event: Event,
    /// What the decision rested on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Verdict>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// Asked for. `retry` lifts the quarantine of its new version.
    Created {
        document: Box<Document>,
        retry: bool,
    },
    /// The new version is being looked at.
    Verifying,
    /// What is usual for the old version.
    Baseline {
        thresholds: Thresholds,
    },
    /// A step begins.
    Step {
        step: usize,
    },
    /// It waits.
    Held {
        why: Why,
        reason: String,
    },
    /// A person lets it go on.
    Resumed,
    /// The new version is the version.
    Promoted {
        /// Why a person did so without a proof.
        forced: Option<String>,
    },
    /// From now on the old version answers everything.
    RollbackStarted {
        cause: Cause,
        reason: String,
    },
    /// The new version has finished its last request.
    RolledBack,
    /// Another one takes its place.
    Superseded {
        by: String,
    },
    /// The old version answers everything until somebody thaws it.
    Frozen {
        reason: String,
    },
    Thawed,
}

/// Why it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// For more evidence. It goes on by itself.
    Inconclusive,
    /// At a step that asks.
    Gate,
    /// A person said so.
    Manual,
}

/// Why it goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// A person said so.
    Abort,
    Regressed,
    /// The breaker of the new version opened.
    Breaker,
    /// The time was over without a proof.
    Inconclusive,
    /// It can't be loaded, or isn't what it should be.
    Unfit,
}

impl Entry {
    /// True when it carries a proof that the new version isn't worse.
    pub fn is_proven(&self) -> bool {
        self.evidence.as_ref().is_some_and(|verdict| verdict.answer == Answer::NotWorse)
    }
}
