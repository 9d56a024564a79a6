//! The one thread that decides: it owns the log and the evidence, looks at the counters four times a second, and tells the
//! routes which version to take. Wishes of people and of reloads come through its queue, so that nothing happens at the same
//! time.

use crate::rollout::handle::{Ask, NotDone, Rollouts};
use crate::rollout::steered::{Current, Steered};
use crate::rollout::views::View;
use arc_swap::ArcSwap;
use coracle_rollout::assign::Split;
use coracle_rollout::command::{self, Command, Facts, advance, decide};
use coracle_rollout::event::Event;
use coracle_rollout::log::{Draft, Log, LogError};
use coracle_rollout::machine::{History, Phase, Refused, Rollout};
use coracle_rollout::verdict::{Judge, Look, Thresholds};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// Between two looks.
const TICK: Duration = Duration::from_millis(250);
/// Between two times that the evidence is written down.
const KEEP: Duration = Duration::from_secs(5);
/// So many latencies of the old version make its thresholds; fewer do after a while.
const BASELINE: u64 = 1000;
const BASELINE_PATIENCE: Duration = Duration::from_secs(10);

/// A route that the manifest puts in a rollout.
pub struct Adopted {
    pub steered: Arc<Steered>,
    /// Why the new version can't be asked, if it can't.
    pub unfit: Option<String>,
}

/// A rollout that a route in use is in.
struct Running {
    adopted: Adopted,
    judge: Judge,
    baseline: Histogram<u64>,
    kept: Instant,
}

struct Writer {
    log: Log,
    /// By the id of the rollout.
    running: BTreeMap<String, Running>,
    /// Routes whose rollout the log refuses: they stay on the old version.
    refused: Vec<Adopted>,
    /// As last shown; those that are over stay as they were.
    shown: BTreeMap<String, View>,
    views: Arc<ArcSwap<Vec<View>>>,
    history: Arc<ArcSwap<History>>,
}

/// Opens the log and starts the thread.
///
/// # Errors
/// When the log can't be used.
pub fn start(path: &Path) -> Result<(Rollouts, JoinHandle<()>), LogError> {
    let log = Log::open(path)?;
    let (asks, asked) = mpsc::channel();
    let views = Arc::new(ArcSwap::from_pointee(Vec::new()));
    let history = Arc::new(ArcSwap::from_pointee(log.history().clone()));
    let mut writer = Writer {
        log,
        running: BTreeMap::new(),
        refused: Vec::new(),
        shown: BTreeMap::new(),
        views: Arc::clone(&views),
        history: Arc::clone(&history),
    };
    let run = move || writer.run(&asked);
    let thread = std::thread::Builder::new().name("rollouts".to_owned()).spawn(run).map_err(LogError::Folder)?;
    Ok((Rollouts { views, history, asks }, thread))
}

impl Writer {
    fn run(&mut self, asked: &mpsc::Receiver<Ask>) {
        let mut next = Instant::now() + TICK;
        loop {
            match asked.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Ask::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Ok(ask) => self.answer(ask),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    next = Instant::now() + TICK;
                    self.tick();
                }
            }
        }
        self.keep(true);
    }

    /// What is answered has been published before, so that whoever heard the answer sees it so.
    fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::Adopt { routes, done } => {
                self.adopt(routes);
                self.publish();
                let _ = done.send(());
            }
            Ask::Command { id, command, actor, done } => {
                let outcome = self.command(&id, &command, &actor);
                self.publish();
                let _ = done.send(outcome);
            }
            Ask::Start { route, actor, retry, done } => {
                let outcome = self.restart(&route, &actor, retry);
                self.publish();
                let _ = done.send(outcome);
            }
            Ask::Events { from, done } => {
                let _ = done.send(self.log.entries(from).map_err(not_done));
            }
            Ask::Stop => {}
        }
    }

    /// Steers the routes in use, each as the log says, and begins what is new.
    fn adopt(&mut self, routes: Vec<Adopted>) {
        self.keep(true);
        self.running.clear();
        self.refused.clear();
        for adopted in routes {
            let document = &adopted.steered.document;
            let latest = self.log.history().latest(&document.app, &document.route);
            let known =
                latest.filter(|rollout| rollout.document.is_same_change(document)).map(|rollout| rollout.id.clone());
            match known.map_or_else(|| self.begin(&adopted.steered, "manifest", false), Ok) {
                Ok(id) => self.enter(id, adopted),
                Err(error) => {
                    let route = &document.route;
                    tracing::warn!(route, "the route stays on {}: {}", document.old, error);
                    self.refused.push(adopted);
                }
            }
        }
    }

    /// Writes a new rollout into the log.
    fn begin(&mut self, steered: &Steered, actor: &str, retry: bool) -> Result<String, LogError> {
        let id = format!("r{}", self.log.history().rollouts.len() + 1);
        let events = command::start(self.log.history(), &id, steered.document.clone(), retry)?;
        let time = now();
        let draft = |(rollout, event): &(String, Event)| (rollout.clone(), event.clone());
        let events: Vec<_> = events.iter().map(draft).collect();
        let drafts: Vec<_> = events
            .iter()
            .map(|(rollout, event)| Draft { time, actor, rollout, event: event.clone(), evidence: None })
            .collect();
        self.log.record(&drafts)?;
        tracing::info!(
            rollout = id,
            route = steered.document.route,
            "{} is to take over from {}",
            steered.document.new,
            steered.document.old
        );
        Ok(id)
    }

    fn enter(&mut self, id: String, adopted: Adopted) {
        let Ok(rollout) = self.log.history().find(&id).cloned() else { return };
        let kept = self.log.kept(&id).ok().flatten();
        let mut judge = kept.unwrap_or_else(|| Judge::new(rollout.document.settings.clone()));
        if let Some(thresholds) = rollout.thresholds {
            judge.freeze(thresholds);
        }
        steer(&adopted.steered, &rollout);
        let Ok(baseline) = Histogram::new(3) else { return };
        self.running.insert(id, Running { adopted, judge, baseline, kept: Instant::now() });
    }

    fn restart(&mut self, route: &str, actor: &str, retry: bool) -> Result<View, NotDone> {
        let asked = |adopted: &Adopted| {
            let document = &adopted.steered.document;
            document.route == route || document.new.name() == route
        };
        let at = self.refused.iter().position(asked);
        let id = self.running.iter().find(|(_, running)| asked(&running.adopted)).map(|(id, _)| id.clone());
        let steered = match (&id, at) {
            (Some(id), _) => self.running.get(id).map(|running| Arc::clone(&running.adopted.steered)),
            (None, Some(at)) => self.refused.get(at).map(|adopted| Arc::clone(&adopted.steered)),
            (None, None) => None,
        };
        let Some(steered) = steered else {
            return Err(NotDone::Unknown(format!("no route `{route}` of the manifest has a rollout")));
        };
        let fresh = self.begin(&steered, actor, retry).map_err(not_done)?;
        let adopted = match (id, at) {
            (Some(id), _) => self.running.remove(&id).map(|running| running.adopted),
            (None, Some(at)) => Some(self.refused.remove(at)),
            (None, None) => None,
        };
        if let Some(adopted) = adopted {
            self.enter(fresh.clone(), adopted);
        }
        self.view(&fresh)
    }

    fn command(&mut self, id: &str, command: &Command, actor: &str) -> Result<View, NotDone> {
        let rollout = self.log.history().find(id).map_err(|error| NotDone::Unknown(error.to_string()))?;
        let verdict = match self.running.get(id) {
            Some(running) => running.judge.verdict(),
            None => self.kept(rollout).verdict(),
        };
        let event = decide(rollout, command, &verdict).map_err(|error| NotDone::Refused(error.to_string()))?;
        if let Some(event) = event {
            let draft = Draft { time: now(), actor, rollout: id, event, evidence: Some(verdict) };
            self.record(id, draft).map_err(not_done)?;
        }
        self.view(id)
    }

    fn view(&self, id: &str) -> Result<View, NotDone> {
        let rollout = self.log.history().find(id).map_err(|error| NotDone::Unknown(error.to_string()))?;
        Ok(self.view_of(rollout))
    }

    fn view_of(&self, rollout: &Rollout) -> View {
        let running = self.running.get(&rollout.id);
        let verdict = running.map_or_else(|| self.kept(rollout).verdict(), |running| running.judge.verdict());
        let open = running.is_some_and(|running| running.adopted.steered.breaker_is_open());
        View::new(rollout, verdict, (running.is_some(), open))
    }

    /// The evidence as it was written down; none where nothing was.
    fn kept(&self, rollout: &Rollout) -> Judge {
        let kept = self.log.kept(&rollout.id).ok().flatten();
        kept.unwrap_or_else(|| Judge::new(rollout.document.settings.clone()))
    }

    /// Writes one event and steers the route by it.
    fn record(&mut self, id: &str, draft: Draft<'_>) -> Result<(), LogError> {
        let entries = self.log.record(std::slice::from_ref(&draft))?;
        if let Some(entry) = entries.first() {
            let rollout = self.log.history().find(id)?;
            let (phase, share) = (rollout.phase.word(), rollout.share);
            tracing::info!(rollout = id, actor = entry.actor, share = %share, reason = rollout.reason, "{} is {phase}", rollout.document.new);
            if let Some(running) = self.running.get(id) {
                steer(&running.adopted.steered, rollout);
            }
        }
        Ok(())
    }

    fn tick(&mut self) {
        for id in self.running.keys().cloned().collect::<Vec<_>>() {
            // As long as one follows from the other.
            for _ in 0..4 {
                match self.step(&id) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        tracing::error!(rollout = id, error = %crate::chain::chain(&error), "a rollout can't go on");
                        break;
                    }
                }
            }
        }
        self.keep(false);
        self.publish();
    }

    /// One look at one rollout. True when something happened.
    fn step(&mut self, id: &str) -> Result<bool, LogError> {
        let Some(running) = self.running.get_mut(id) else { return Ok(false) };
        let rollout = self.log.history().find(id)?;
        let time = now();
        running.look(rollout, time);
        if rollout.thresholds.is_none()
            && !rollout.phase.is_over()
            && let Some(thresholds) = running.baseline_of(rollout, time)
        {
            running.judge.freeze(thresholds);
            let event = Event::Baseline { thresholds };
            self.record(id, Draft { time, actor: "clock", rollout: id, event, evidence: None })?;
            return Ok(true);
        }
        let verdict = running.judge.verdict();
        let steered = &running.adopted.steered;
        let facts = Facts {
            now: time,
            verdict: &verdict,
            answered: running.judge.answered(),
            compared: running.judge.compared().n,
            no_copies: steered.no_copies.as_deref(),
            fit: Some(running.adopted.unfit.as_deref().map_or(Ok(()), Err)),
            breaker_open: steered.breaker_is_open(),
            drained: steered.is_drained(),
        };
        let Some((actor, event)) = advance(rollout, &facts) else { return Ok(false) };
        self.record(id, Draft { time, actor, rollout: id, event, evidence: Some(verdict) })?;
        Ok(true)
    }

    /// Writes the evidence down; losing some makes a verdict later, not wrong.
    fn keep(&mut self, all: bool) {
        for (id, running) in &mut self.running {
            if all || running.kept.elapsed() >= KEEP {
                running.kept = Instant::now();
                if let Err(error) = self.log.keep(id, Some(&running.judge)) {
                    tracing::warn!(rollout = id, %error, "the evidence of a rollout isn't kept");
                }
            }
        }
    }

    fn publish(&mut self) {
        let changed = self.history.load().seq != self.log.history().seq || self.shown.is_empty();
        let mut shown = std::mem::take(&mut self.shown);
        for rollout in self.log.history().rollouts.values() {
            let running = self.running.contains_key(&rollout.id);
            if running || changed || !shown.contains_key(&rollout.id) {
                let over =
                    !running && shown.get(&rollout.id).is_some_and(|view| !view.current && view.phase == rollout.phase);
                if !over {
                    shown.insert(rollout.id.clone(), self.view_of(rollout));
                }
            }
        }
        let mut views: Vec<_> = shown.values().cloned().collect();
        views.sort_by_key(|view| view.created);
        self.shown = shown;
        self.views.store(Arc::new(views));
        if changed {
            self.history.store(Arc::new(self.log.history().clone()));
        }
    }
}

impl Running {
    /// Takes the counters away, and into the evidence while there is something to judge.
    fn look(&mut self, rollout: &Rollout, time: u64) {
        let mut look = Look::default();
        for shard in &self.adopted.steered.shards {
            let (old, new) = shard.take();
            look.old.add(&old);
            look.new.add(&new);
            for latency in shard.take_baseline() {
                // It grows with what it is given (`saturating_record` would cut everything off at its first size).
                let _ = self.baseline.record(latency);
            }
        }
        look.shadow = self.adopted.steered.compared().take();
        if rollout.phase.is_judged() {
            self.judge.look(&look, Duration::from_millis(time.saturating_sub(rollout.created)));
        }
    }

    fn baseline_of(&self, rollout: &Rollout, time: u64) -> Option<Thresholds> {
        let waited = Duration::from_millis(time.saturating_sub(rollout.created)) >= BASELINE_PATIENCE;
        let enough = self.baseline.len() >= BASELINE || (waited && self.baseline.len() >= Thresholds::LEAST);
        enough.then(|| Thresholds::freeze(&self.baseline)).flatten()
    }
}

/// Tells a route how its rollout stands.
fn steer(steered: &Steered, rollout: &Rollout) {
    let document = &rollout.document;
    let until = SystemTime::UNIX_EPOCH + Duration::from_millis(rollout.since) + document.skew;
    let split = Split {
        id: rollout.id.clone(),
        old: document.old.clone(),
        new: document.new.clone(),
        old_label: document.old.to_string(),
        new_label: document.new.to_string(),
        share: rollout.share,
        keys: document.keys.clone(),
        new_is_live: rollout.share.basis_points() > 0,
        old_until: (rollout.phase == Phase::Promoted).then_some(until),
        skew: document.skew,
        secret: None,
    };
    let (shadow, phase, thresholds) = (rollout.shadow, rollout.phase, rollout.thresholds);
    steered.current.store(Arc::new(Current { split, shadow, phase, thresholds }));
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn not_done(error: LogError) -> NotDone {
    match error {
        LogError::Refused(Refused::Unknown(id)) => NotDone::Unknown(format!("there is no rollout `{id}`")),
        LogError::Refused(refused) => NotDone::Refused(refused.to_string()),
        other => NotDone::Broken(crate::chain::chain(&other)),
    }
}
