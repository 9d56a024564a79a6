//! One request of a route in a rollout, from its version to its outcome. Counted exactly once, when it is dropped with the
//! request's record.

use crate::rollout::counted::One;
use crate::rollout::steered::{Chosen, Steered};
use coracle_host::{Cause, Failure, Response};
use coracle_rollout::assign::VERSION;
use coracle_rollout::breaker::Outcome as Went;
use coracle_rollout::version::Arm;
use coracle_telemetry::{Blame, Outcome};
use http::header::SET_COOKIE;
use http::{HeaderName, HeaderValue};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Why the other version answered.
const FALLBACK: HeaderName = HeaderName::from_static("x-coracle-fallback");
const VERSION_HEADER: HeaderName = HeaderName::from_static(VERSION);

/// A request on its way through one version.
pub struct Observed {
    steered: Arc<Steered>,
    chosen: Chosen,
    shard: usize,
    /// The version could not answer: how.
    failed: Option<Failed>,
    /// The other version answered instead.
    fell_back: bool,
}

#[derive(Clone, Copy)]
struct Failed {
    why: &'static str,
    trap: bool,
    too_much: bool,
    /// The client's fault: says nothing about the version.
    client: bool,
}

impl Observed {
    pub fn new(steered: Arc<Steered>, chosen: Chosen, shard: usize) -> Self {
        if let Some(counts) = steered.shard(shard) {
            counts.running(chosen.choice.arm, 1);
        }
        Self { steered, chosen, shard, failed: None, fell_back: false }
    }

    pub fn arm(&self) -> Arm {
        self.chosen.choice.arm
    }

    /// The version gave no answer.
    pub fn failed(&mut self, failure: &Failure) {
        let too_much = matches!(failure.cause, Cause::Busy { .. } | Cause::NoRoom { .. });
        let trap = matches!(failure.cause, Cause::Trap | Cause::CpuLimit | Cause::MemoryLimit | Cause::Instantiate);
        self.failed =
            Some(Failed { why: word(&failure.cause), trap, too_much, client: failure.blame == Blame::Client });
    }

    /// The other version is asked instead.
    pub fn fell_back(&mut self) {
        self.fell_back = true;
    }

    /// Says which version answered, and sets the cookies that keep a client on it.
    pub fn tag(&self, response: &mut Response) {
        let split = &self.steered.current.load().split;
        let answered = if self.fell_back { self.arm().other() } else { self.arm() };
        if let Ok(label) = HeaderValue::from_str(split.label(answered)) {
            response.headers_mut().insert(VERSION_HEADER, label);
        }
        if let (true, Some(failed)) = (self.fell_back, self.failed) {
            response.headers_mut().insert(FALLBACK, HeaderValue::from_static(failed.why));
        }
        for cookie in &self.chosen.choice.cookies {
            if let Ok(cookie) = HeaderValue::from_str(cookie) {
                response.headers_mut().append(SET_COOKIE, cookie);
            }
        }
    }

    /// Counts it. `latency` is the time to the answer's head, `status` 0 when there was none.
    pub fn end(self, status: u16, latency: Duration, outcome: Outcome) {
        let arm = self.arm();
        let Some(shard) = self.steered.shard(self.shard) else { return };
        let current = self.steered.current.load();
        let gone = self.failed.is_none() && status == 0;
        if gone || self.failed.is_some_and(|failed| failed.client) {
            return;
        }
        let mut one = One { client_error: (400..500).contains(&status), error: status >= 500, ..One::default() };
        if let Some(failed) = self.failed {
            one = One { error: true, trap: failed.trap, ..One::default() };
        } else {
            one.error |= outcome == Outcome::Truncated;
            one.over_slo = self.steered.slo_p99().is_some_and(|limit| latency > limit);
            match &current.thresholds {
                Some(thresholds) => one.slower = Some(thresholds.exceeded(latency)),
                None if arm == Arm::Old => shard.learn(latency),
                None => {}
            }
        }
        let minute = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_secs() / 60);
        shard.count(arm, self.chosen.choice.key, minute, &one);
        if arm == Arm::New {
            let too_much = status == 429 || self.failed.is_some_and(|failed| failed.too_much);
            self.steered.report(match one.error {
                _ if too_much => Went::TooMuch,
                true => Went::Failure,
                false => Went::Success,
            });
        }
    }
}

/// What happened, in a word for a header.
pub fn word(cause: &Cause) -> &'static str {
    match cause {
        Cause::Busy { .. } => "busy",
        Cause::NoRoom { .. } => "no-room",
        Cause::NotLoaded { .. } => "not-loaded",
        Cause::Closing => "closing",
        Cause::Instantiate => "instantiate",
        Cause::Trap => "trap",
        Cause::CpuLimit => "cpu-limit",
        Cause::MemoryLimit => "memory-limit",
        Cause::Deadline => "deadline",
        Cause::NoResponse => "no-response",
        Cause::ErrorCode(_) => "error-code",
        Cause::Unreachable => "unreachable",
        Cause::UpstreamTimeout => "upstream-timeout",
        Cause::UpstreamProtocol => "upstream-protocol",
        Cause::BodyTooLarge | Cause::HeadersTooLarge => "too-large",
        Cause::ClientGone => "client-gone",
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        if let Some(counts) = self.steered.shard(self.shard) {
            counts.running(self.arm(), -1);
        }
    }
}
