//! What waits to be exported: bounded in items and bytes. Who adds never waits; what does not fit is counted and gone.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// A queue of things that each stand for some items of some bytes.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    /// Told when a batch is full, and when nothing more will come.
    full: Notify,
    /// Told when nothing more will come.
    ending: Notify,
    most: usize,
    most_bytes: usize,
    batch: usize,
}

struct State<T> {
    things: VecDeque<(T, usize, usize)>,
    items: usize,
    bytes: usize,
    closed: bool,
}

impl<T> Queue<T> {
    pub(super) fn new(most: usize, most_bytes: usize, batch: usize) -> Self {
        let state = State { things: VecDeque::new(), items: 0, bytes: 0, closed: false };
        Self { state: Mutex::new(state), full: Notify::new(), ending: Notify::new(), most, most_bytes, batch }
    }

    /// Adds a thing; `false` when there is no room.
    pub(super) fn push(&self, thing: T, items: usize, bytes: usize) -> bool {
        let mut state = self.state();
        // One that is larger than the queue may be sent when it is alone.
        let fits = state.items + items <= self.most && state.bytes + bytes <= self.most_bytes;
        if state.closed || !(fits || state.things.is_empty()) {
            return false;
        }
        state.things.push_back((thing, items, bytes));
        state.items += items;
        state.bytes += bytes;
        if state.items >= self.batch {
            self.full.notify_one();
        }
        true
    }

    /// Returns when a batch is full or nothing more will come.
    pub(super) async fn filled(&self) {
        loop {
            {
                let state = self.state();
                if state.items >= self.batch || state.closed {
                    return;
                }
            }
            self.full.notified().await;
        }
    }

    /// Takes a batch, at least one thing if there is one, and how many items it stands for.
    pub(super) fn take(&self) -> (Vec<T>, usize) {
        let mut state = self.state();
        let (mut taken, mut count) = (Vec::new(), 0);
        while let Some((_, items, _)) = state.things.front() {
            if count > 0 && count + items > self.batch {
                break;
            }
            let Some((thing, items, bytes)) = state.things.pop_front() else { break };
            state.items -= items;
            state.bytes -= bytes;
            count += items;
            taken.push(thing);
        }
        (taken, count)
    }

    /// Whether nothing more will come.
    pub(super) fn closed(&self) -> bool {
        self.state().closed
    }

    /// Returns when nothing more will come.
    pub(super) async fn ending(&self) {
        loop {
            let told = self.ending.notified();
            if self.closed() {
                return;
            }
            told.await;
        }
    }

    /// Takes no more.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.full.notify_one();
        self.ending.notify_waiters();
    }

    /// Whether it is closed and empty.
    pub(super) fn over(&self) -> bool {
        let state = self.state();
        state.closed && state.things.is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Queue;

    #[test]
    fn bounded_in_items_and_bytes() {
        let queue = Queue::new(10, 100, 4);
        assert!(queue.push("a", 3, 10) && queue.push("b", 3, 10) && queue.push("c", 3, 10));
        assert!(!queue.push("d", 3, 10), "items");
        assert!(!queue.push("e", 1, 90), "bytes");
        assert_eq!(queue.take(), (vec!["a"], 3));
        assert!(queue.push("f", 1, 1));
        assert_eq!(queue.take(), (vec!["b"], 3));
        assert_eq!(queue.take(), (vec!["c", "f"], 4));
        assert!(queue.push("larger than all", 99, 999), "alone it goes");
        queue.close();
        assert!(!queue.push("late", 1, 1) && !queue.over());
        assert_eq!(queue.take().1, 99);
        assert!(queue.over());
    }
}
