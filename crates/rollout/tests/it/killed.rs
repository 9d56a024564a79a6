//! The log: what was acknowledged survives a kill -9; what doesn't belong is refused.

use crate::support::{document, look, seen};
use coracle_rollout::event::Event;
use coracle_rollout::log::{Draft, Log, LogError};
use coracle_rollout::verdict::Settings;
use redb::{Database, TableDefinition};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

const STEPS: &[&str] = &["10% for 1s"];
const FOLDER: &str = "CORACLE_TEST_LOG";

fn draft<'a>(rollout: &'a str, event: Event) -> Draft<'a> {
    Draft { time: 1, actor: "ada", rollout, event, evidence: None }
}

fn created(digest: &str) -> Event {
    Event::Created { document: Box::new(document(digest, STEPS)), retry: false }
}

/// Writes until it is killed; says each entry that was acknowledged. Run by the test below, in a process of its own.
#[test]
fn child() {
    let Some(path) = std::env::var_os(FOLDER) else { return println!("run by `what_was_acknowledged_survives`") };
    let mut log = Log::open(Path::new(&path)).unwrap();
    log.record(&[draft("r1", created("aa")), draft("r1", Event::Verifying), draft("r1", Event::Step { step: 0 })])
        .unwrap();
    for round in 0_u64.. {
        let event = if round % 2 == 0 {
            Event::Held { why: coracle_rollout::event::Why::Manual, reason: "x".repeat(round as usize % 5000) }
        } else {
            Event::Resumed
        };
        let entries = log.record(&[draft("r1", event)]).unwrap();
        println!("written {}", entries[0].seq);
    }
}

#[test]
fn what_was_acknowledged_survives() {
    for lines in [1, 7, 40] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollouts.redb");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::child", "--nocapture"])
            .env(FOLDER, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut seqs = said.filter_map(|line| line.split_once("written ")?.1.trim().parse::<u64>().ok());
        let last = seqs.nth(lines - 1).unwrap();
        // SIGKILL: no destructor, no flush.
        child.kill().unwrap();
        child.wait().unwrap();
        let acknowledged = seqs.last().unwrap_or(last);
        let log = Log::open(&path).unwrap();
        let entries = log.entries(1).unwrap();
        assert!(entries.len() as u64 >= acknowledged, "{} entries, {acknowledged} were acknowledged", entries.len());
        assert!(entries.iter().zip(1..).all(|(entry, seq)| entry.seq == seq));
        assert_eq!(log.history().seq, entries.len() as u64);
    }
}

#[test]
fn two_processes_may_not_decide() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rollouts.redb");
    let _first = Log::open(&path).unwrap();
    assert!(matches!(Log::open(&path), Err(LogError::InUse(_))));
}

#[test]
fn a_newer_format_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rollouts.redb");
    drop(Log::open(&path).unwrap());
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(TableDefinition::<&str, u64>::new("meta")).unwrap().insert("format", 2).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let Err(error) = Log::open(&path) else { panic!("it was opened") };
    let text = error.to_string();
    assert!(
        text.contains("newer version (format 2, this one knows 1)") && text.contains("move the file away"),
        "{text}"
    );
}

#[test]
fn what_may_not_follow_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("below").join("rollouts.redb");
    let mut log = Log::open(&path).unwrap();
    assert!(
        log.record(&[draft("r1", created("aa")), draft("r1", Event::Promoted { forced: None })]).is_err(),
        "all or none"
    );
    assert_eq!((log.history().seq, log.entries(1).unwrap().len()), (0, 0));
    log.record(&[draft("r1", created("aa"))]).unwrap();
    drop(log);
    let log = Log::open(&path).unwrap();
    assert_eq!(log.entries(1).unwrap().len(), 1);
    assert_eq!(log.history().find("r1").unwrap().document, document("aa", STEPS));
}

#[test]
fn evidence_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rollouts.redb");
    let judge = seen(Settings::default(), &look((100, 1), (900, 3)), 50);
    let log = Log::open(&path).unwrap();
    log.keep("r1", Some(&judge)).unwrap();
    drop(log);
    let log = Log::open(&path).unwrap();
    let kept = log.kept("r1").unwrap().unwrap();
    assert_eq!(kept.verdict().findings[0].seen, judge.verdict().findings[0].seen);
    assert_eq!(kept.verdict().answer, judge.verdict().answer);
    log.keep("r1", None).unwrap();
    assert!(log.kept("r1").unwrap().is_none());
}
