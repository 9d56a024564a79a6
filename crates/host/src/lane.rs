//! The slow lane of a shard: guests that have computed for a slice go on one at a time, between looks at the sockets.
//!
//! ```text
//! guest past its slice ─▶ its component's queue ─┐      one turn a round, components in turn
//!                                                ├─▶ conductor: [ sockets and everybody else ─▶ one turn ] ─▶ …
//! guest past its slice ─▶ its component's queue ─┘
//! ```
//! Whoever waits for a socket or is new to a guest waits for one slice at most, however many guests compute. A component
//! gets as many turns as another, whatever the number of its guests, times its weight; one that has used up its CPU time of
//! this second gets none until it may again.

use crate::limits::Allowance;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A component's part in the lanes of all shards.
#[derive(Debug)]
pub(crate) struct Lineage {
    number: u64,
    /// Turns in a row.
    weight: u32,
    allowance: Option<Arc<Allowance>>,
}

impl Lineage {
    /// A component of this weight, which may be held to an allowance.
    pub(crate) fn new(weight: u32, allowance: Option<Arc<Allowance>>) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self { number: NEXT.fetch_add(1, Ordering::Relaxed), weight: weight.max(1), allowance })
    }

    /// A number no other component of this process has.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn weight(&self) -> u32 {
        self.weight
    }

    fn debt(&self) -> Option<Duration> {
        self.allowance.as_ref().and_then(|allowance| allowance.debt())
    }
}

/// The lane of one thread.
#[derive(Default)]
struct Lane {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The first may have a turn next.
    queues: VecDeque<Queue>,
    /// A conductor is on its way.
    conducted: bool,
}

struct Queue {
    lineage: Arc<Lineage>,
    waiting: VecDeque<Weak<Ticket>>,
    /// Turns it may still have in a row.
    left: u32,
}

/// One guest's place in a queue; gone when the guest is.
#[derive(Default)]
struct Ticket {
    granted: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

thread_local! {
    static LANE: Arc<Lane> = Arc::default();
}

/// Returns when a guest of this component may compute for another slice. Needs a runtime.
pub(crate) fn turn(lineage: &Arc<Lineage>) -> BoxFuture<'static, ()> {
    let lane = LANE.with(Arc::clone);
    let ticket = Arc::new(Ticket::default());
    if lane.enqueue(lineage, &ticket) {
        tokio::spawn(conduct(lane));
    }
    Turn(ticket).boxed()
}

/// Gives one turn a round until nobody waits. Yielding to the runtime lets it look at the sockets first.
async fn conduct(lane: Arc<Lane>) {
    let mut post = Post { lane, left: false };
    loop {
        tokio::task::yield_now().await;
        match post.lane.next() {
            Next::Turn(ticket) => ticket.grant(),
            Next::Later(pause) => tokio::time::sleep(pause).await,
            Next::Nobody => {
                post.left = true;
                return;
            }
        }
    }
}

/// A conductor's post. Its runtime may end before the thread does: then the next who comes needs another conductor.
struct Post {
    lane: Arc<Lane>,
    /// It was left in order, for nobody was waiting.
    left: bool,
}

impl Drop for Post {
    fn drop(&mut self) {
        if !self.left {
            self.lane.state().conducted = false;
        }
    }
}

enum Next {
    Turn(Arc<Ticket>),
    /// All that wait have to wait for their allowance.
    Later(Duration),
    Nobody,
}

impl Lane {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a conductor is needed now.
    fn enqueue(&self, lineage: &Arc<Lineage>, ticket: &Arc<Ticket>) -> bool {
        let mut state = self.state();
        let place = Arc::downgrade(ticket);
        match state.queues.iter_mut().find(|queue| queue.lineage.number == lineage.number) {
            Some(queue) => queue.waiting.push_back(place),
            None => {
                let queue = Queue { lineage: Arc::clone(lineage), waiting: [place].into(), left: lineage.weight };
                state.queues.push_back(queue);
            }
        }
        !std::mem::replace(&mut state.conducted, true)
    }

    fn next(&self) -> Next {
        let mut state = self.state();
        let mut soonest: Option<Duration> = None;
        for _ in 0..state.queues.len() {
            let Some(mut queue) = state.queues.pop_front() else { break };
            if let Some(debt) = queue.lineage.debt() {
                soonest = Some(soonest.map_or(debt, |soonest| soonest.min(debt)));
                state.queues.push_back(queue);
                continue;
            }
            let Some(ticket) = std::iter::from_fn(|| queue.waiting.pop_front()).find_map(|place| place.upgrade())
            else {
                // Its guests are gone or have had their turn. One that comes back finds its place at the end.
                continue;
            };
            queue.left = queue.left.saturating_sub(1);
            if queue.left == 0 {
                queue.left = queue.lineage.weight;
                state.queues.push_back(queue);
            } else {
                state.queues.push_front(queue);
            }
            return Next::Turn(ticket);
        }
        match soonest {
            Some(debt) => Next::Later(debt.clamp(LEAST_PAUSE, MOST_PAUSE)),
            None => {
                state.conducted = false;
                Next::Nobody
            }
        }
    }
}

/// New guests may come while all others are held back.
const LEAST_PAUSE: Duration = Duration::from_millis(1);
const MOST_PAUSE: Duration = Duration::from_millis(20);

impl Ticket {
    fn grant(&self) {
        self.granted.store(true, Ordering::Release);
        if let Some(waker) = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take() {
            waker.wake();
        }
    }
}

struct Turn(Arc<Ticket>);

impl Future for Turn {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        *self.0.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        if self.0.granted.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[cfg(test)]
mod tests {
    use super::{Lane, Lineage, Next, Ticket};
    use std::sync::Arc;

    /// Who of `guests` gets the next turns; a guest queues again after its turn.
    fn turns(guests: &[(&Arc<Lineage>, char)], rounds: usize) -> String {
        let lane = Lane::default();
        let tickets: Vec<(Arc<Ticket>, &Arc<Lineage>, char)> =
            guests.iter().map(|(lineage, name)| (Arc::default(), *lineage, *name)).collect();
        for (ticket, lineage, _) in &tickets {
            lane.enqueue(lineage, ticket);
        }
        let mut order = String::new();
        for _ in 0..rounds {
            let Next::Turn(ticket) = lane.next() else { break };
            for (own, lineage, name) in &tickets {
                if Arc::ptr_eq(own, &ticket) {
                    order.push(*name);
                    lane.enqueue(lineage, own);
                }
            }
        }
        order
    }

    #[test]
    fn components_take_turns_however_many_guests_they_have() {
        let (many, one) = (Lineage::new(1, None), Lineage::new(1, None));
        assert_eq!(turns(&[(&many, 'a'), (&many, 'b'), (&many, 'c'), (&one, 'x')], 8), "axbxcxax");
    }

    #[test]
    fn a_weight_is_a_number_of_turns() {
        let (heavy, light) = (Lineage::new(3, None), Lineage::new(1, None));
        assert_eq!(turns(&[(&heavy, 'h'), (&light, 'l')], 8), "hhhlhhhl");
    }

    #[test]
    fn guests_that_are_gone_are_passed_over() {
        let lineage = Lineage::new(1, None);
        let lane = Lane::default();
        let kept = Arc::<Ticket>::default();
        assert!(lane.enqueue(&lineage, &Arc::default()), "the first needs a conductor");
        assert!(!lane.enqueue(&lineage, &kept), "one is enough");
        assert!(matches!(lane.next(), Next::Turn(ticket) if Arc::ptr_eq(&ticket, &kept)));
        assert!(matches!(lane.next(), Next::Nobody));
        assert!(lane.enqueue(&lineage, &kept), "it has ended with the last");
    }
}
