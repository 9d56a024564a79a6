//! What a case is, and what it works with: the app under attack, and the time it has.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::app::App;

/// One attack.
pub struct Attack {
    /// In kebab case; how the command line names it.
    pub name: &'static str,
    /// What is done, in a sentence.
    pub what: &'static str,
    pub run: fn(&Scene<'_>) -> Result<Tally>,
    /// At least one of these must have come. Labels are those of `client::ask`; a `*` at the end stands for any rest.
    pub must: &'static [&'static str],
    /// These may come beside them; anything else is a failure.
    pub may: &'static [&'static str],
    /// A harmless path of the attacker's component, which answers 200 afterwards.
    pub afterwards: &'static str,
    /// How long the long form attacks, if longer than usual: when a timeout of the host is what ends it.
    pub at_least: Duration,
}

/// How often the attackers got what.
#[derive(Debug, Default)]
pub struct Tally(pub BTreeMap<String, usize>);

impl Tally {
    pub fn add(&mut self, label: impl Into<String>) {
        *self.0.entry(label.into()).or_default() += 1;
    }

    pub fn merge(&mut self, other: Self) {
        for (label, count) in other.0 {
            *self.0.entry(label).or_default() += count;
        }
    }

    /// The commonest first.
    pub fn text(&self) -> String {
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_by(|a, b| b.1.cmp(a.1));
        all.iter().map(|(label, count)| format!("{label} ×{count}")).collect::<Vec<_>>().join(", ")
    }
}

fn matches(pattern: &str, label: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == label, |start| label.starts_with(start))
}

/// What any attacker may get: a limit has stopped it, on a slow machine sooner than what the case is about.
const STOPPED: [&str; 4] = ["500 cpu-limit", "504 deadline", "503 no-room", "503 busy"];

impl Attack {
    /// Whether the command line means this one: by name, by the beginning of it, or by saying nothing.
    pub fn is_named(&self, names: &[String]) -> bool {
        names.is_empty() || names.iter().any(|name| self.name.starts_with(name.as_str()))
    }

    /// Whether it can go on beside others: it writes no manifest and starts no host.
    pub fn keeps_to_requests(&self) -> bool {
        !matches!(self.name, "unread-log" | "compile-bomb")
    }

    /// Whether the attackers got what they should; and what they got.
    pub fn judge(&self, tally: Tally) -> Result<String> {
        let text = tally.text();
        let expected =
            |label: &str| self.must.iter().chain(self.may).chain(&STOPPED).any(|pattern| matches(pattern, label));
        let strange: Vec<&str> = tally.0.keys().map(String::as_str).filter(|label| !expected(label)).collect();
        ensure!(strange.is_empty(), "unexpected: {}; got {text}", strange.join(", "));
        let met = tally.0.keys().any(|label| self.must.iter().any(|pattern| matches(pattern, label)));
        ensure!(met, "none of {:?}; got {text}", self.must);
        Ok(text)
    }
}

/// What an attack works with.
pub struct Scene<'a> {
    pub app: &'a App,
    pub end: Instant,
}

impl Scene<'_> {
    pub fn addr(&self) -> SocketAddr {
        self.app.addr
    }

    pub fn goes_on(&self) -> bool {
        Instant::now() < self.end
    }

    /// What is left.
    pub fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Several attackers side by side, each doing the same again and again until the end, with a pause in between so that
    /// the machine is left to the host.
    pub fn each(&self, attackers: usize, pause: Duration, act: impl Fn(usize) -> String + Sync) -> Tally {
        let one = |number: usize| {
            let mut tally = Tally::default();
            // Not all at once.
            thread::sleep(pause * u32::try_from(number).unwrap_or(0) / u32::try_from(attackers).unwrap_or(1));
            while self.goes_on() {
                tally.add(act(number));
                thread::sleep(pause.min(self.left()));
            }
            tally
        };
        let mut all = Tally::default();
        thread::scope(|scope| {
            let one = &one;
            let started: Vec<_> = (0..attackers).map(|number| scope.spawn(move || one(number))).collect();
            for attacker in started {
                match attacker.join() {
                    Ok(tally) => all.merge(tally),
                    Err(_) => all.add("an attacker panicked"),
                }
            }
        });
        all
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn attack(must: &'static [&'static str], may: &'static [&'static str]) -> Attack {
        let run = |_: &Scene<'_>| Ok(Tally::default());
        Attack { name: "spin-a", what: "", run, must, may, afterwards: "/", at_least: Duration::ZERO }
    }

    fn tally(labels: &[&str]) -> Tally {
        let mut tally = Tally::default();
        labels.iter().for_each(|label| tally.add(*label));
        tally
    }

    #[test]
    fn what_attackers_get_is_held_against_what_they_should() {
        let attack = attack(&["500 cpu-limit"], &["503 *"]);
        let got = attack.judge(tally(&["503 busy", "500 cpu-limit", "500 cpu-limit"])).unwrap();
        assert_eq!(got, "500 cpu-limit ×2, 503 busy ×1");
        assert!(attack.judge(tally(&["503 busy"])).is_err());
        assert!(attack.judge(tally(&["500 cpu-limit", "200"])).is_err());
        assert!(attack.judge(tally(&[])).is_err());
    }

    #[test]
    fn a_case_is_named_by_its_beginning() {
        let attack = attack(&[], &[]);
        assert!(attack.is_named(&[]));
        assert!(attack.is_named(&["trap".to_owned(), "spin".to_owned()]));
        assert!(!attack.is_named(&["trap".to_owned()]));
    }
}
