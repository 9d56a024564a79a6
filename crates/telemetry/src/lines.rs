//! Log lines on their way out: collected in memory, written by a thread of their own, several at once.
//!
//! A shard that writes its lines itself pays a system call for each, and stands still when nobody reads the other end. So
//! writing a line is an append; what can't be written is dropped beyond a limit, counted, and said once there is room.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes that may wait to be written.
const MOST: usize = 4 << 20;
/// Lines that come within this time leave in one write.
const COLLECT: Duration = Duration::from_millis(2);

/// The way to a log. Copies lead to the same one; lines of several threads never mix.
#[derive(Clone)]
pub struct Lines(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Told when there is something to write.
    filled: Condvar,
    /// Told when everything has been written.
    drained: Condvar,
}

#[derive(Default)]
struct State {
    text: Vec<u8>,
    dropped: u64,
    /// The thread is writing what it took.
    writing: bool,
    /// The thread waits to be told.
    idle: bool,
}

impl Lines {
    /// Starts the thread that writes to `out`. `notice` makes the line that tells how many were dropped.
    ///
    /// # Errors
    /// When the thread can't be started.
    pub fn to(mut out: impl Write + Send + 'static, notice: fn(u64) -> String) -> io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::default(), filled: Condvar::new(), drained: Condvar::new() });
        let lines = Self(Arc::clone(&shared));
        // The thread lives as long as the process: a log has no end of its own.
        std::thread::Builder::new().name("log".to_owned()).spawn(move || {
            let mut text = Vec::new();
            loop {
                shared.wait();
                std::thread::sleep(COLLECT);
                let dropped = shared.take(&mut text);
                if dropped > 0 {
                    text.extend_from_slice(notice(dropped).as_bytes());
                    text.push(b'\n');
                }
                // A closed or full output loses lines, never a request.
                let _ = out.write_all(&text).and_then(|()| out.flush());
            }
        })?;
        Ok(lines)
    }

    /// Adds a line, which ends with a line feed. Never waits for the output.
    pub fn push(&self, line: &[u8]) {
        let mut state = self.0.state();
        if state.text.len() + line.len() > MOST {
            state.dropped += 1;
            return;
        }
        state.text.extend_from_slice(line);
        if state.idle {
            state.idle = false;
            self.0.filled.notify_one();
        }
    }

    /// Returns when everything has been written, or after `most`.
    pub fn flush_within(&self, most: Duration) {
        let state = self.0.state();
        let unwritten = |state: &mut State| !state.text.is_empty() || state.dropped > 0 || state.writing;
        drop(self.0.drained.wait_timeout_while(state, most, unwritten));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when there is something to write.
    fn wait(&self) {
        let mut state = self.state();
        state.writing = false;
        if state.text.is_empty() && state.dropped == 0 {
            self.drained.notify_all();
        }
        while state.text.is_empty() && state.dropped == 0 {
            state.idle = true;
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.idle = false;
    }

    /// Takes all lines into `text`, and how many were dropped.
    fn take(&self, text: &mut Vec<u8>) -> u64 {
        text.clear();
        let mut state = self.state();
        std::mem::swap(&mut state.text, text);
        state.writing = true;
        std::mem::take(&mut state.dropped)
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lines")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Lines, MOST};
    use std::io::Write;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    /// An output that takes a write only when it is let.
    struct Blocked {
        let_go: Receiver<()>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Blocked {
        fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
            let _ = self.let_go.recv();
            let _ = self.written.send(text.to_vec());
            Ok(text.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_blocked_output_holds_nobody_up_and_what_was_dropped_is_told() {
        let (go, let_go) = channel();
        let (written, outcome) = channel();
        let lines = Lines::to(Blocked { let_go, written }, |dropped| format!("dropped {dropped}")).unwrap();
        let line = vec![b'x'; MOST / 4];
        for _ in 0..12 {
            lines.push(&line);
        }
        drop(go);
        lines.flush_within(Duration::from_secs(20));
        let text: Vec<u8> = outcome.try_iter().flatten().collect();
        let kept = text.iter().filter(|byte| **byte == b'x').count() / line.len();
        let notice = String::from_utf8(text.into_iter().filter(|byte| *byte != b'x').collect()).unwrap();
        // The thread may have taken some before the buffer was full.
        assert!((4..=8).contains(&kept), "{kept} lines were kept");
        assert_eq!(notice.trim(), format!("dropped {}", 12 - kept));
    }

    #[test]
    fn lines_of_threads_do_not_mix() {
        let (go, let_go) = channel();
        let (written, outcome) = channel();
        let lines = Lines::to(Blocked { let_go, written }, |dropped| format!("dropped {dropped}")).unwrap();
        drop(go);
        std::thread::scope(|scope| {
            for letter in [b'a', b'b', b'c'] {
                let lines = lines.clone();
                scope.spawn(move || (0..1000).for_each(|_| lines.push(&[letter, letter, letter, b'\n'])));
            }
        });
        lines.flush_within(Duration::from_secs(20));
        let text = String::from_utf8(outcome.try_iter().flatten().collect()).unwrap();
        assert_eq!(text.lines().count(), 3000);
        assert!(text.lines().all(|line| matches!(line, "aaa" | "bbb" | "ccc")));
    }
}
