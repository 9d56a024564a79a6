//! Which traces are kept: decided twice. At the head, so that others downstream know; at the end, so that what is worth a look is there
//! even if the head said no.

use crate::context::Parent;
use crate::id::TraceId;
use crate::record::{Outcome, Record};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// The decision at the head, with the settings of the decision at the end.
#[derive(Debug)]
pub struct Sampler {
    pub rule: Rule,
    /// A caller that has decided is followed.
    pub by_parent: bool,
    /// Requests that take this long are kept.
    pub slow: Duration,
    /// The second that is counted in, and how many were kept in it.
    second: AtomicU64,
}

/// Which traces are kept when no caller has decided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    All,
    None,
    /// This share of them, by their id: all processes that use the share keep the same traces.
    Share(f64),
    /// The first so many of each second: all while there are few, and a bounded cost when there are many.
    PerSecond(u32),
}

/// Why a trace was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    Sampled,
    /// It ended without a good answer, or with a status of 500 or more.
    Error,
    /// Another destination had to answer.
    FellBack,
    Slow,
}

impl Sampler {
    #[must_use]
    pub fn new(rule: Rule, by_parent: bool, slow: Duration) -> Self {
        Self { rule, by_parent, slow, second: AtomicU64::new(0) }
    }

    /// The decision at the head. `now`: seconds on any clock that goes forward.
    #[must_use]
    pub fn samples(&self, parent: Option<&Parent>, trace: TraceId, now: u64) -> bool {
        if let (Some(parent), true) = (parent, self.by_parent) {
            return parent.sampled;
        }
        match self.rule {
            Rule::All => true,
            Rule::None => false,
            Rule::Share(share) => by_id(trace, share),
            Rule::PerSecond(most) => self.within(most, now),
        }
    }

    fn within(&self, most: u32, now: u64) -> bool {
        let counted = self.second.load(Relaxed);
        let this = now << 32;
        if counted & !0xffff_ffff != this {
            // Two threads may both begin the second: then one more is kept.
            self.second.store(this | 1, Relaxed);
            return most > 0;
        }
        (counted & 0xffff_ffff) < u64::from(most) && (self.second.fetch_add(1, Relaxed) & 0xffff_ffff) < u64::from(most)
    }

    /// The decision at the end.
    #[must_use]
    pub fn keeps(&self, sampled: bool, record: &Record) -> Option<Why> {
        if record.fallback_from.is_some() {
            return Some(Why::FellBack);
        }
        if matches!(record.outcome, Outcome::Failed | Outcome::Truncated) || record.status >= 500 {
            return Some(Why::Error);
        }
        if record.duration >= self.slow {
            return Some(Why::Slow);
        }
        sampled.then_some(Why::Sampled)
    }
}

/// Whether the trace is in this share, by the last 56 bits of its id (the random ones, by Trace Context level 2).
fn by_id(trace: TraceId, share: f64) -> bool {
    const BITS: u32 = 56;
    #[expect(clippy::cast_possible_truncation, reason = "the last bits are meant")]
    let random = (trace.get() as u64) & ((1 << BITS) - 1);
    #[expect(clippy::cast_precision_loss, reason = "53 bits of precision are enough for a share")]
    let at = random as f64 / (1_u64 << BITS) as f64;
    at >= 1.0 - share
}

#[cfg(test)]
mod tests {
    use super::{Rule, Sampler};
    use crate::context::Parent;
    use crate::id::{SpanId, TraceId};
    use std::time::Duration;

    fn sampler(rule: Rule) -> Sampler {
        Sampler::new(rule, true, Duration::from_secs(1))
    }

    #[test]
    fn a_share_of_traces_is_kept_by_their_id() {
        let kept = |share: f64| {
            let sampler = sampler(Rule::Share(share));
            let ids = (1..10_000_u128).map(|n| TraceId::new(n.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)));
            ids.filter(|id| sampler.samples(None, id.unwrap(), 0)).count()
        };
        assert_eq!(kept(0.0), 0);
        assert!((2300..2700).contains(&kept(0.25)), "{}", kept(0.25));
        assert_eq!(kept(1.0), 9_999);
    }

    #[test]
    fn so_many_a_second() {
        let sampler = sampler(Rule::PerSecond(3));
        let trace = TraceId::new(1).unwrap();
        let kept = |second| (0..10).filter(|_| sampler.samples(None, trace, second)).count();
        assert_eq!((kept(5), kept(5), kept(6)), (3, 0, 3));
        assert!(!Sampler::new(Rule::PerSecond(0), true, Duration::ZERO).samples(None, trace, 5));
    }

    #[test]
    fn a_caller_that_has_decided_is_followed() {
        let (trace, span) = (TraceId::new(1).unwrap(), SpanId::new(1).unwrap());
        let parent = |sampled| Parent { trace, span, sampled };
        assert!(sampler(Rule::None).samples(Some(&parent(true)), trace, 0));
        assert!(!sampler(Rule::All).samples(Some(&parent(false)), trace, 0));
        let alone = Sampler::new(Rule::All, false, Duration::ZERO);
        assert!(alone.samples(Some(&parent(false)), trace, 0));
    }
}
