//! What a case must show: the attackers get what they should, no neighbour loses a request, memory stays under its cap, and
//! afterwards everything is as before. In the long form also: the neighbour's 99th percentile and `/livez` under their bars.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::json;

use super::app::App;
use super::case::Attack;
use super::client;
use super::probe::{Seen, Window};
use super::vitals::Vitals;

/// `/livez` answers within.
const LIVE: Duration = Duration::from_millis(50);
/// Descriptors that may come and go with the neighbours themselves.
const DESCRIPTORS: usize = 8;
/// Instance memory that neighbours may hold at a moment, in bytes.
const INSTANCES: u64 = 32 << 20;

/// What one case showed.
pub struct Row {
    pub attack: &'static Attack,
    pub got: Result<String>,
    pub alone: Window,
    pub beside: Window,
    /// Resident memory at most, in KiB.
    pub most: u64,
    /// What it must stay under, in KiB.
    pub cap: u64,
    pub recovered: Result<Duration>,
}

/// The bar: twice what it is alone, or 3 ms more.
pub fn bar(alone: Duration) -> Duration {
    (alone * 2).max(alone + Duration::from_millis(3))
}

impl Row {
    /// Whether nothing of it is left in the host.
    pub fn is_past(&self) -> bool {
        self.most <= self.cap && self.recovered.is_ok()
    }

    /// What is wrong, by whatever load the machine has.
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if let Err(error) = &self.got {
            wrong.push(format!("attackers: {error:#}"));
        }
        let lost = self.beside.lost();
        if lost > 0 {
            wrong.push(format!("{lost} neighbour requests lost, the first: {}", self.beside.first_loss()));
        }
        if self.most > self.cap {
            wrong.push(format!("RSS reached {} MiB, the cap is {} MiB", self.most / 1024, self.cap / 1024));
        }
        if let Err(error) = &self.recovered {
            wrong.push(format!("not recovered: {error:#}"));
        }
        wrong
    }

    /// What is too slow, on a machine that does nothing else.
    pub fn slow(&self) -> Vec<String> {
        let mut slow = Vec::new();
        let pairs = [
            ("neighbour", &self.alone.component, &self.beside.component),
            ("upstream", &self.alone.upstream, &self.beside.upstream),
            ("new connections'", &self.alone.fresh, &self.beside.fresh),
        ];
        for (name, alone, beside) in pairs {
            let bar = bar(alone.p99);
            if beside.p99 > bar {
                slow.push(format!("{name} p99 {:.1?}, the bar is {bar:.1?}", beside.p99));
            }
        }
        if self.beside.live.max > LIVE {
            slow.push(format!("/livez took {:.1?}, the bar is {LIVE:?}", self.beside.live.max));
        }
        slow
    }

    pub fn json(&self) -> serde_json::Value {
        let seen = |seen: &Seen| {
            json!({
                "count": seen.count, "lost": seen.lost, "p50_us": seen.p50.as_micros(), "p99_us": seen.p99.as_micros(),
                "max_us": seen.max.as_micros(),
            })
        };
        let window = |window: &Window| {
            json!({
                "component": seen(&window.component), "fresh": seen(&window.fresh),
                "upstream": seen(&window.upstream), "livez": seen(&window.live),
            })
        };
        json!({
            "attack": self.attack.name,
            "what": self.attack.what,
            "got": self.got.as_ref().map_or_else(|error| format!("{error:#}"), Clone::clone),
            "alone": window(&self.alone),
            "beside": window(&self.beside),
            "rss_kib": self.most,
            "rss_cap_kib": self.cap,
            "recovered_ms": self.recovered.as_ref().ok().map(Duration::as_millis),
            "wrong": self.wrong(),
            "slow": self.slow(),
        })
    }
}

/// Waits until nothing of the attack is left: no request, instance memory or descriptor, and the attacker's own component
/// answers again. How long that took.
pub fn recovered(app: &App, attack: &Attack, start: &Vitals, at_most: Duration) -> Result<Duration> {
    let begin = Instant::now();
    loop {
        let left = leftover(app, attack, start)?;
        if left.is_empty() {
            return Ok(begin.elapsed());
        }
        if begin.elapsed() > at_most {
            bail!("after {at_most:.0?} there {}", left.join(", "));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn leftover(app: &App, attack: &Attack, start: &Vitals) -> Result<Vec<String>> {
    let now = Vitals::of(app)?;
    let mut left = Vec::new();
    if now.running > 0 {
        left.push(format!("run {} requests", now.running));
    }
    if now.instances > start.instances + INSTANCES {
        left.push(format!("are {} MiB in instances", now.instances >> 20));
    }
    if now.descriptors > start.descriptors + DESCRIPTORS {
        left.push(format!("are {} descriptors, {} at the start", now.descriptors, start.descriptors));
    }
    if left.is_empty() && !attack.afterwards.is_empty() {
        let answer = client::get(app.addr, attack.afterwards, Duration::from_secs(5));
        if answer != "200" {
            left.push(format!("comes {answer:?} from {}", attack.afterwards));
        }
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_the_larger_of_both() {
        let ms = Duration::from_millis;
        assert_eq!(bar(ms(1)), ms(4));
        assert_eq!(bar(ms(10)), ms(20));
    }
}
