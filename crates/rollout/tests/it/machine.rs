//! The state machine: the usual way, what may not be, and what holds whatever happens.

use crate::support::{document, price, verdict};
use coracle_manifest::rollout::Share;
use coracle_rollout::command::{Command, Facts, advance, decide, start};
use coracle_rollout::event::{Cause, Entry, Event, Why};
use coracle_rollout::machine::{History, Phase, Refused, Rollout};
use coracle_rollout::verdict::{Answer, Verdict};
use proptest::prelude::*;

const STEPS: &[&str] = &["shadow 20% for 10s", "1% for 10s", "ask", "50% for 10s", "bake 10s"];

struct Story {
    history: History,
    entries: Vec<Entry>,
    now: u64,
    id: String,
}

impl Story {
    fn new(steps: &[&str]) -> Self {
        let mut story = Self { history: History::default(), entries: Vec::new(), now: 0, id: "r1".into() };
        for (id, event) in start(&story.history, "r1", document("aa", steps), false).unwrap() {
            story.write(&id, "manifest", event, None).unwrap();
        }
        story
    }

    fn write(&mut self, id: &str, actor: &str, event: Event, evidence: Option<Verdict>) -> Result<(), Refused> {
        let (seq, time, rollout) = (self.history.seq + 1, self.now, id.to_owned());
        let entry = Entry { seq, time, actor: actor.into(), rollout, event, evidence };
        self.history.apply(&entry)?;
        self.entries.push(entry);
        Ok(())
    }

    fn rollout(&self) -> &Rollout {
        self.history.find(&self.id).unwrap()
    }

    /// Ticks each second until nothing happens for `seconds`.
    fn run(&mut self, seconds: u64, answer: Answer) {
        for _ in 0..seconds {
            self.now += 1000;
            while self.tick(answer, false) {}
        }
    }

    fn tick(&mut self, answer: Answer, breaker_open: bool) -> bool {
        let verdict = verdict(answer);
        let facts = Facts {
            now: self.now,
            verdict: &verdict,
            answered: 1000,
            compared: 1000,
            no_copies: None,
            fit: Some(Ok(())),
            breaker_open,
            drained: true,
        };
        let Some((actor, event)) = advance(self.rollout(), &facts) else { return false };
        let id = self.id.clone();
        self.write(&id, actor, event, Some(verdict)).unwrap();
        true
    }

    fn say(&mut self, command: Command, answer: Answer) -> Result<(), Refused> {
        let verdict = verdict(answer);
        let id = self.id.clone();
        match decide(self.rollout(), &command, &verdict)? {
            Some(event) => self.write(&id, "ada", event, Some(verdict)),
            None => Ok(()),
        }
    }

    fn is(&self) -> (Phase, u16) {
        (self.rollout().phase, self.rollout().share.basis_points())
    }
}

#[test]
fn the_usual_way_from_node_to_promoted() {
    let mut story = Story::new(STEPS);
    assert_eq!(story.is(), (Phase::Draft, 0));
    story.run(1, Answer::NotEnough);
    assert_eq!((story.is(), story.rollout().shadow), ((Phase::Shadowing, 0), Share::from_basis_points(2000)));
    story.run(10, Answer::NotEnough);
    assert_eq!((story.is(), story.rollout().shadow), ((Phase::Ramping, 100), Share::default()));
    story.run(100, Answer::NotEnough);
    assert_eq!((story.is(), story.rollout().held), ((Phase::Holding, 100), Some(Why::Gate)), "it asks");
    story.say(Command::Resume, Answer::NotEnough).unwrap();
    assert_eq!(story.is(), (Phase::Ramping, 5000));
    story.run(100, Answer::NotEnough);
    assert_eq!(
        (story.is(), story.rollout().held),
        ((Phase::Holding, 5000), Some(Why::Inconclusive)),
        "no proof, no bake"
    );
    story.run(1, Answer::NotWorse);
    assert_eq!(story.is(), (Phase::Baking, 10_000), "it goes on by itself");
    story.run(10, Answer::NotWorse);
    assert_eq!(story.is(), (Phase::Promoted, 10_000));
    assert_eq!(History::fold(&story.entries).unwrap(), story.history, "the log says it all");
}

#[test]
fn a_regression_goes_back_and_the_version_is_quarantined() {
    let mut story = Story::new(STEPS);
    story.run(15, Answer::NotEnough);
    story.run(1, Answer::Regressed);
    assert_eq!(story.is(), (Phase::RolledBack, 0));
    assert_eq!(story.rollout().cause, Some(Cause::Regressed));
    let again = start(&story.history, "r2", document("aa", STEPS), false);
    assert_eq!(again, Err(Refused::Quarantined { version: price("aa").to_string() }));
    assert!(start(&story.history, "r2", document("aa", STEPS), true).is_ok(), "unless it is asked for");
    assert!(start(&story.history, "r2", document("bb", STEPS), false).is_ok());
}

#[test]
fn an_open_breaker_goes_back() {
    let mut story = Story::new(STEPS);
    story.run(15, Answer::NotEnough);
    assert!(story.tick(Answer::NotEnough, true));
    assert_eq!((story.rollout().phase, story.rollout().cause), (Phase::RollingBack, Some(Cause::Breaker)));
}

#[test]
fn nothing_is_promoted_without_a_proof_or_a_reason() {
    let mut story = Story::new(STEPS);
    story.run(15, Answer::NotEnough);
    let force = |reason: &str| Command::Promote { force: Some(reason.into()) };
    assert_eq!(story.say(Command::Promote { force: None }, Answer::NotEnough), Err(Refused::Unproven));
    assert_eq!(story.say(force("  "), Answer::NotEnough), Err(Refused::NoReason));
    story.say(force("a fix that can't wait"), Answer::NotEnough).unwrap();
    assert_eq!(
        (story.is(), story.rollout().forced.as_deref()),
        ((Phase::Promoted, 10_000), Some("a fix that can't wait"))
    );
    let mut story = Story::new(STEPS);
    story.run(15, Answer::NotEnough);
    story.say(Command::Promote { force: None }, Answer::NotWorse).unwrap();
    assert_eq!(story.is(), (Phase::Promoted, 10_000), "or with one, at once");
}

#[test]
fn abort_wins_after_promotion_too() {
    let mut story = Story::new(STEPS);
    story.run(15, Answer::NotEnough);
    story.say(Command::Promote { force: Some("now".into()) }, Answer::NotEnough).unwrap();
    story.say(Command::Abort { reason: "it burns".into() }, Answer::NotWorse).unwrap();
    assert_eq!(story.is(), (Phase::RollingBack, 0));
    for command in [
        Command::Promote { force: Some("no".into()) },
        Command::Resume,
        Command::Thaw,
        Command::Freeze { reason: String::new() },
    ] {
        assert!(story.say(command.clone(), Answer::NotWorse).is_err(), "{command:?}");
    }
    story.run(1, Answer::NotWorse);
    assert_eq!(story.is(), (Phase::RolledBack, 0));
    story.say(Command::Abort { reason: "again".into() }, Answer::NotWorse).unwrap();
    assert_eq!(story.is(), (Phase::RolledBack, 0), "saying it twice is no mistake");
}

#[test]
fn frozen_serves_the_old_version_and_a_thaw_waits() {
    let mut story = Story::new(STEPS);
    story.run(15, Answer::NotEnough);
    story.say(Command::Freeze { reason: "black friday".into() }, Answer::NotEnough).unwrap();
    story.run(100, Answer::Regressed);
    assert_eq!(story.is(), (Phase::Frozen, 0));
    assert_eq!(start(&story.history, "r2", document("bb", STEPS), false), Err(Refused::Frozen("r1".into())));
    story.say(Command::Thaw, Answer::NotEnough).unwrap();
    assert_eq!((story.is(), story.rollout().held), ((Phase::Holding, 100), Some(Why::Manual)));
}

#[test]
fn a_newer_version_takes_the_place() {
    let mut story = Story::new(STEPS);
    story.run(15, Answer::NotEnough);
    for (id, event) in start(&story.history, "r2", document("bb", STEPS), false).unwrap() {
        story.write(&id, "manifest", event, None).unwrap();
    }
    assert_eq!(story.is(), (Phase::Superseded, 0));
    assert_eq!(story.history.latest("shop", "/price/*").map(|rollout| rollout.id.as_str()), Some("r2"));
}

#[test]
fn too_few_answers_hold_a_step() {
    let story = Story::new(&["10% for 1s"]);
    let none = verdict(Answer::NotWorse);
    let mut rollout = story.rollout().clone();
    (rollout.phase, rollout.share) = (Phase::Ramping, Share::from_basis_points(1000));
    let facts = Facts {
        now: 5000,
        verdict: &none,
        answered: 19,
        compared: 0,
        no_copies: None,
        fit: None,
        breaker_open: false,
        drained: true,
    };
    assert!(matches!(advance(&rollout, &facts), Some((_, Event::Held { why: Why::Inconclusive, .. }))));
    let facts = Facts { answered: 20, ..facts };
    assert_eq!(advance(&rollout, &facts), Some(("clock", Event::Step { step: 1 })));
    rollout.document.roll_back_inconclusive = true;
    let facts = Facts { answered: 19, ..facts };
    assert!(matches!(
        advance(&rollout, &facts),
        Some(("verdict", Event::RollbackStarted { cause: Cause::Inconclusive, .. }))
    ));
}

/// Something that happens.
#[derive(Debug, Clone)]
enum Happens {
    Say(Command, Answer),
    Ticks(u8, Answer, bool),
    /// An event that nobody decided, as a broken or hostile writer would put it.
    Forged(Event, Answer),
}

fn answers() -> impl Strategy<Value = Answer> {
    prop_oneof![Just(Answer::NotEnough), Just(Answer::NotWorse), Just(Answer::Regressed)]
}

fn commands() -> impl Strategy<Value = Command> {
    prop_oneof![
        Just(Command::Pause { reason: "lunch".into() }),
        Just(Command::Resume),
        Just(Command::Promote { force: None }),
        Just(Command::Promote { force: Some("because".into()) }),
        Just(Command::Abort { reason: "no".into() }),
        Just(Command::Freeze { reason: "wait".into() }),
        Just(Command::Thaw),
    ]
}

fn forged() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::Verifying),
        (0..7_usize).prop_map(|step| Event::Step { step }),
        Just(Event::Held { why: Why::Gate, reason: String::new() }),
        Just(Event::Resumed),
        Just(Event::Promoted { forced: None }),
        Just(Event::Promoted { forced: Some(String::new()) }),
        Just(Event::RollbackStarted { cause: Cause::Abort, reason: String::new() }),
        Just(Event::RolledBack),
        Just(Event::Superseded { by: "r9".into() }),
        Just(Event::Frozen { reason: String::new() }),
        Just(Event::Thawed),
    ]
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        3 => (commands(), answers()).prop_map(|(command, answer)| Happens::Say(command, answer)),
        4 => (1..30_u8, answers(), any::<bool>()).prop_map(|(ticks, answer, open)| Happens::Ticks(ticks, answer, open && ticks == 1)),
        2 => (forged(), answers()).prop_map(|(event, answer)| Happens::Forged(event, answer)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_happens_the_rules_hold(story in proptest::collection::vec(happens(), 1..40)) {
        let mut now = Story::new(STEPS);
        for one in story {
            let before = now.rollout().clone();
            let from = now.entries.len();
            match one {
                Happens::Say(command, answer) => drop(now.say(command, answer)),
                Happens::Ticks(ticks, answer, open) => {
                    now.now += u64::from(ticks) * 1000;
                    while now.tick(answer, open) {}
                }
                Happens::Forged(event, answer) => {
                    let id = now.id.clone();
                    drop(now.write(&id, "mallory", event, Some(verdict(answer))));
                }
            }
            hold(&before, &now, from)?;
        }
        // Rolling back is legal from wherever it ended, whatever is known of anything.
        let phase = now.rollout().phase;
        now.say(Command::Abort { reason: "enough".into() }, Answer::Regressed).unwrap();
        if !matches!(phase, Phase::Superseded | Phase::RolledBack) {
            prop_assert_eq!(now.is(), (Phase::RollingBack, 0));
        }
        prop_assert_eq!(now.rollout().share, Share::default());
        prop_assert_eq!(&History::fold(&now.entries).unwrap(), &now.history);
    }
}

/// What must hold after the entries from `from` on.
fn hold(before: &Rollout, story: &Story, from: usize) -> Result<(), TestCaseError> {
    let after = story.rollout();
    let new = story.entries.get(from..).unwrap_or_default();
    let returned = |entry: &Entry| {
        matches!(entry.event, Event::RollbackStarted { .. } | Event::Frozen { .. } | Event::Superseded { .. })
    };
    let ramps = |phase: Phase| {
        matches!(phase, Phase::Shadowing | Phase::Ramping | Phase::Holding | Phase::Baking | Phase::Promoted)
    };
    if ramps(before.phase) && ramps(after.phase) && !new.iter().any(returned) {
        prop_assert!(after.share >= before.share, "weights are monotone: {:?} to {:?}", before.share, after.share);
    }
    for entry in new {
        if let Event::Promoted { forced } = &entry.event {
            let reasoned = forced.as_ref().is_some_and(|reason| !reason.trim().is_empty()) && !entry.actor.is_empty();
            prop_assert!(reasoned || entry.is_proven(), "promoted without proof: {entry:?}");
        }
    }
    if matches!(before.phase, Phase::RollingBack | Phase::RolledBack) {
        prop_assert!(
            matches!(after.phase, Phase::RollingBack | Phase::RolledBack),
            "nothing undoes an abort: {:?}",
            after.phase
        );
    }
    if matches!(after.phase, Phase::RollingBack | Phase::RolledBack) {
        prop_assert!(story.history.quarantined.contains(&after.document.new));
        prop_assert!(start(&story.history, "r2", after.document.clone(), false).is_err());
    }
    if matches!(
        after.phase,
        Phase::RollingBack | Phase::RolledBack | Phase::Frozen | Phase::Superseded | Phase::Draft | Phase::Verifying
    ) {
        prop_assert_eq!((after.share, after.shadow), (Share::default(), Share::default()));
    }
    Ok(())
}
