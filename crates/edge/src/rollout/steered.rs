//! One route in a rollout, as its requests see it: both versions and which of them to take. The writer swaps `Current`;
//! requests read it with one atomic load.

use crate::destination::Destination;
use crate::rollout::compared::Compared;
use crate::rollout::counted::Shard;
use arc_swap::ArcSwap;
use coracle_host::Request;
use coracle_manifest::rollout::Share;
use coracle_rollout::assign::{Asked, Choice, Split, choose};
use coracle_rollout::breaker::{Breaker, Outcome, Pass};
use coracle_rollout::budget::Budget;
use coracle_rollout::document::Document;
use coracle_rollout::machine::Phase;
use coracle_rollout::verdict::Thresholds;
use coracle_rollout::version::Arm;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Semaphore;

/// Copies under way at the same time; further ones are left out.
const COPIES: usize = 8;

/// A route with two versions.
pub struct Steered {
    /// What the manifest asks for.
    pub document: Document,
    pub old: Destination,
    pub new: Destination,
    pub current: ArcSwap<Current>,
    pub(super) shards: Vec<Shard>,
    /// Copies that may be under way.
    pub(super) copies: Arc<Semaphore>,
    compared: Compared,
    /// Why no copies go to the new version.
    pub no_copies: Option<String>,
    breaker: Mutex<Breaker>,
    budget: Mutex<Budget>,
}

/// How a rollout stands.
pub struct Current {
    pub split: Split,
    pub shadow: Share,
    pub phase: Phase,
    pub thresholds: Option<Thresholds>,
}

/// What was decided for one request.
pub struct Chosen {
    pub choice: Choice,
    /// Its outcome decides whether the breaker of the new version closes.
    pub probe: bool,
    /// The new version was chosen, but its breaker is open.
    pub refused: bool,
}

impl Steered {
    /// Everything goes to the old version until the writer says otherwise.
    pub fn new(
        document: Document,
        (old, new): (Destination, Destination),
        no_copies: Option<String>,
        shards: usize,
    ) -> Arc<Self> {
        let split = Split {
            id: String::new(),
            old: document.old.clone(),
            new: document.new.clone(),
            old_label: document.old.to_string(),
            new_label: document.new.to_string(),
            share: Share::default(),
            keys: document.keys.clone(),
            new_is_live: false,
            old_until: None,
            skew: document.skew,
            secret: None,
        };
        let current = Current { split, shadow: Share::default(), phase: Phase::Draft, thresholds: None };
        let now = Instant::now();
        let compared = Compared::new(&document.ignore);
        Arc::new(Self {
            document,
            copies: Arc::new(Semaphore::new(COPIES)),
            compared,
            no_copies,
            old,
            new,
            current: ArcSwap::from_pointee(current),
            shards: (0..shards.max(1)).map(|_| Shard::new()).collect(),
            breaker: Mutex::new(Breaker::new(coracle_rollout::breaker::Settings::default(), now)),
            budget: Mutex::new(Budget::new(coracle_rollout::budget::Settings::default(), now)),
        })
    }

    pub fn compared(&self) -> &Compared {
        &self.compared
    }

    pub fn destination(&self, arm: Arm) -> &Destination {
        match arm {
            Arm::Old => &self.old,
            Arm::New => &self.new,
        }
    }

    /// The version for a request.
    pub fn choose(&self, request: &Request, client: IpAddr) -> Chosen {
        let asked = Asked { headers: request.headers(), query: request.uri().query(), client, secure: false };
        let current = self.current.load();
        let mut choice = choose(&current.split, &asked, SystemTime::now(), rand::random());
        let pass = match choice.arm {
            Arm::Old => Pass::Yes,
            Arm::New => self.breaker.lock().map_or(Pass::Yes, |mut breaker| breaker.pass(Instant::now())),
        };
        let refused = pass == Pass::No;
        if refused {
            choice.arm = Arm::Old;
        }
        if let Ok(mut budget) = self.budget.lock() {
            budget.deposit(Instant::now());
        }
        Chosen { choice, probe: pass == Pass::Probe, refused }
    }

    /// True when a failed request may be tried on the other version; it is counted then.
    pub fn may_retry(&self) -> bool {
        self.budget.lock().is_ok_and(|mut budget| budget.withdraw(Instant::now()))
    }

    /// Tells the breaker how a request of the new version went.
    pub(super) fn report(&self, outcome: Outcome) {
        if let Ok(mut breaker) = self.breaker.lock() {
            breaker.report(outcome, Instant::now());
        }
    }

    pub fn breaker_is_open(&self) -> bool {
        self.breaker.lock().is_ok_and(|breaker| breaker.is_open())
    }

    /// No request is on the new version.
    pub(super) fn is_drained(&self) -> bool {
        self.shards.iter().map(|shard| shard.on(Arm::New)).sum::<i64>() <= 0
    }

    pub(super) fn shard(&self, number: usize) -> Option<&Shard> {
        self.shards.get(number % self.shards.len().max(1))
    }

    pub(super) fn slo_p99(&self) -> Option<Duration> {
        self.document.settings.slo_p99
    }
}
