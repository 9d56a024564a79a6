//! The process's places for instances, and who gets the next one when there are none left: components in turn by their weight, not
//! whoever came first, so that one that asks a thousand times at once can't keep the others out.
//!
//! ```text
//! worker ── a place is free and nobody waits ──▶ taken
//!        └─ else its component's queue ─▶ the queue that has had least for its weight is served first ─▶ taken
//! ```
//! Start-time fair queueing: a queue's clock goes on by size / weight with each place; one that comes new starts at the clock of
//! the one last served, so that nobody saves up turns. Who needs several places waits at the head until they are free.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The places of one process. Taken and given back for each instance: one short lock each.
pub(crate) struct Places {
    total: u32,
    state: Mutex<State>,
}

struct State {
    free: u32,
    /// Places that are given up as soon as they are given back.
    owed: u32,
    /// By clock, then by component's number: who is first is served next. None is empty.
    queues: BTreeMap<(u64, u64), Queue>,
    /// Where a component's queue stands.
    clocks: HashMap<u64, u64>,
    /// The clock of the queue that was last served.
    clock: u64,
}

struct Queue {
    weight: u32,
    waiting: VecDeque<(Arc<Ticket>, u32)>,
}

#[derive(Default)]
struct Ticket(Mutex<Slot>);

enum Slot {
    Waiting(Option<Waker>),
    Granted,
    /// Taken, or given up.
    Gone,
}

impl Default for Slot {
    fn default() -> Self {
        Self::Waiting(None)
    }
}

impl Ticket {
    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Grants it; whom to wake then. `Err` when nobody waits for it any more.
    fn grant(&self) -> Result<Option<Waker>, ()> {
        let mut slot = self.slot();
        match std::mem::replace(&mut *slot, Slot::Granted) {
            Slot::Waiting(waker) => Ok(waker),
            gone => {
                *slot = gone;
                Err(())
            }
        }
    }
}

/// What one place of weight one moves a clock on.
const STEP: u64 = 1 << 20;

/// Places that an instance holds; given back when it is dropped.
pub(crate) struct Held {
    places: Arc<Places>,
    size: u32,
}

impl Places {
    pub(crate) fn new(total: u32) -> Arc<Self> {
        let state = State { free: total, owed: 0, queues: BTreeMap::new(), clocks: HashMap::new(), clock: 0 };
        Arc::new(Self { total, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that are free.
    pub(crate) fn free(&self) -> u32 {
        self.state().free
    }

    /// So many places, if they are free and nobody waits for them.
    pub(crate) fn take(self: &Arc<Self>, size: u32) -> Option<Held> {
        let mut state = self.state();
        if !state.queues.is_empty() || state.free < size {
            return None;
        }
        state.free -= size;
        Some(Held { places: Arc::clone(self), size })
    }

    /// So many places for this component, when it is its turn; `None` when there are never so many.
    pub(crate) fn wait(self: &Arc<Self>, component: u64, weight: u32, size: u32) -> Option<Wait> {
        if size > self.total {
            return None;
        }
        let ticket = Arc::<Ticket>::default();
        let mut state = self.state();
        state.enqueue(component, weight, (Arc::clone(&ticket), size));
        let wake = state.serve();
        drop(state);
        wake.into_iter().for_each(Waker::wake);
        Some(Wait { places: Arc::clone(self), ticket, size })
    }

    /// So many places, or as many as there are, in the order of asking.
    pub(crate) async fn one(self: &Arc<Self>, size: u32) -> Held {
        match self.wait(0, 1, size.clamp(1, self.total.max(1))) {
            Some(turn) => turn.await,
            None => std::future::pending().await,
        }
    }

    /// Has so many places fewer from here on; those in use are not given out again.
    pub(crate) fn give_up(&self, size: u32) {
        let mut state = self.state();
        let now = size.min(state.free);
        state.free -= now;
        state.owed += size - now;
    }

    fn give_back(&self, size: u32) {
        let mut state = self.state();
        let paid = size.min(state.owed);
        state.owed -= paid;
        state.free += size - paid;
        let wake = state.serve();
        drop(state);
        wake.into_iter().for_each(Waker::wake);
    }
}

impl State {
    fn enqueue(&mut self, component: u64, weight: u32, waiting: (Arc<Ticket>, u32)) {
        let clock = *self.clocks.entry(component).or_insert(self.clock);
        let queue = self.queues.entry((clock, component));
        queue.or_insert_with(|| Queue { weight: weight.max(1), waiting: VecDeque::new() }).waiting.push_back(waiting);
    }

    /// Gives out what is free, in turn; whom to wake.
    fn serve(&mut self) -> Vec<Waker> {
        let mut wake = Vec::new();
        while let Some(((clock, component), mut queue)) = self.queues.pop_first() {
            while queue.waiting.front().is_some_and(|(ticket, _)| matches!(*ticket.slot(), Slot::Gone)) {
                queue.waiting.pop_front();
            }
            let Some((ticket, size)) = queue.waiting.front() else {
                self.clocks.remove(&component);
                continue;
            };
            if *size > self.free {
                self.queues.insert((clock, component), queue);
                break;
            }
            let size = *size;
            let granted = ticket.grant();
            queue.waiting.pop_front();
            let next = match granted {
                Ok(waker) => {
                    wake.extend(waker);
                    self.free -= size;
                    self.clock = clock;
                    clock.saturating_add(STEP * u64::from(size) / u64::from(queue.weight))
                }
                Err(()) => clock,
            };
            if queue.waiting.is_empty() {
                self.clocks.remove(&component);
            } else {
                self.clocks.insert(component, next);
                self.queues.insert((next, component), queue);
            }
        }
        if self.queues.is_empty() {
            self.clock = 0;
        }
        wake
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.places.give_back(self.size);
    }
}

/// Waits for places; gives its turn up when it is dropped.
pub(crate) struct Wait {
    places: Arc<Places>,
    ticket: Arc<Ticket>,
    size: u32,
}

impl Future for Wait {
    type Output = Held;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Held> {
        let mut slot = self.ticket.slot();
        if let Slot::Waiting(waker) = &mut *slot {
            *waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        *slot = Slot::Gone;
        drop(slot);
        Poll::Ready(Held { places: Arc::clone(&self.places), size: self.size })
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let slot = std::mem::replace(&mut *self.ticket.slot(), Slot::Gone);
        match slot {
            Slot::Granted => self.places.give_back(self.size),
            // It may have stood at the head, before others that fit.
            Slot::Waiting(_) => self.places.give_back(0),
            Slot::Gone => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::{Held, Places, Wait};
    use futures::FutureExt as _;
    use proptest::prelude::*;
    use std::sync::Arc;

    /// Components that always ask for one more, each so many at once; how many places each got.
    fn shares(weights: &[u32], at_once: &[usize], rounds: usize) -> Vec<u32> {
        let places = Places::new(4);
        let mut running: Vec<Held> = (0..4).map(|_| places.take(1).unwrap()).collect();
        let wait = |who: usize| places.wait(who as u64, weights[who], 1).unwrap();
        let mut waiting: Vec<(usize, Wait)> = (0..weights.len())
            .flat_map(|who| (0..at_once[who]).map(move |_| who))
            .map(|who| (who, wait(who)))
            .collect();
        let mut got = vec![0; weights.len()];
        for _ in 0..rounds {
            drop(running.remove(0));
            let at = waiting.iter_mut().position(|(_, wait)| {
                let held = wait.now_or_never();
                let granted = held.is_some();
                running.extend(held);
                granted
            });
            let (who, _) = waiting.remove(at.unwrap());
            got[who] += 1;
            waiting.push((who, wait(who)));
        }
        got
    }

    #[test]
    fn who_asks_a_hundred_times_gets_no_more_than_who_asks_twice() {
        assert_eq!(shares(&[1, 1, 1], &[100, 2, 2], 30), [10, 10, 10]);
    }

    #[test]
    fn a_component_with_three_times_the_weight_gets_three_times_as_much() {
        assert_eq!(shares(&[3, 1], &[10, 50], 40), [30, 10]);
    }

    #[test]
    fn nobody_passes_those_who_wait_and_a_large_one_gets_its_turn() {
        let places = Places::new(3);
        let (first, second) = (places.take(2).unwrap(), places.take(1).unwrap());
        let mut large = places.wait(1, 1, 3).unwrap();
        let mut small = places.wait(2, 1, 1).unwrap();
        drop(second);
        assert!(
            places.take(1).is_none() && (&mut large).now_or_never().is_none() && (&mut small).now_or_never().is_none()
        );
        drop(first);
        let held = (&mut large).now_or_never().expect("three are free");
        drop(held);
        assert!(small.now_or_never().is_some());
        assert!(places.wait(1, 1, 4).is_none(), "there are never so many");
    }

    #[test]
    fn a_turn_that_is_given_up_goes_to_the_next() {
        let places = Places::new(1);
        let held = places.take(1).unwrap();
        let (large, granted) = (places.wait(1, 1, 1).unwrap(), places.wait(2, 1, 1).unwrap());
        drop(large);
        drop(held);
        // Granted, and dropped before it was looked at.
        drop(granted);
        assert!(places.take(1).is_some());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Take(u32),
        Wait { who: u64, size: u32 },
        Release(usize),
        Poll,
        GiveUp(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1..4_u32).prop_map(Step::Take),
            (0..4_u64, 1..6_u32).prop_map(|(who, size)| Step::Wait { who, size }),
            any::<prop::sample::Index>().prop_map(|at| Step::Release(at.index(1 << 16))),
            Just(Step::Poll),
            any::<prop::sample::Index>().prop_map(|at| Step::GiveUp(at.index(1 << 16))),
        ]
    }

    proptest! {
        #[test]
        fn there_are_never_more_than_there_are_and_none_is_lost(steps in prop::collection::vec(step(), 1..80)) {
            let places: Arc<Places> = Places::new(5);
            let (mut held, mut waiting): (Vec<Held>, Vec<Wait>) = (Vec::new(), Vec::new());
            for step in steps {
                match step {
                    Step::Take(size) => held.extend(places.take(size)),
                    Step::Wait { who, size } => waiting.extend(places.wait(who, who as u32 + 1, size)),
                    Step::Release(at) if !held.is_empty() => drop(held.swap_remove(at % held.len())),
                    Step::GiveUp(at) if !waiting.is_empty() => drop(waiting.swap_remove(at % waiting.len())),
                    Step::Release(_) | Step::GiveUp(_) => {}
                    Step::Poll => waiting.retain_mut(|wait| wait.now_or_never().map(|one| held.push(one)).is_none()),
                }
                prop_assert!(held.iter().map(|held| held.size).sum::<u32>() <= 5);
            }
            held.clear();
            // Whoever still waits gets a turn: nothing is stuck.
            while !waiting.is_empty() {
                let before = waiting.len();
                waiting.retain_mut(|wait| wait.now_or_never().map(drop).is_none());
                prop_assert!(waiting.len() < before, "{} wait and nobody is served", before);
            }
            let state = places.state();
            prop_assert_eq!((state.free, state.queues.len(), state.clocks.len()), (5, 0, 0));
        }
    }
}
