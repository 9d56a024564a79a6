//! The neighbour's clients: requests at a fixed rate, whatever happens to the ones before (an open loop).
//!
//! Each lane is a thread with one connection and a timetable. A request counts from the moment it was due, so that a stall
//! shows in all the requests it held up and not only in the one that waited.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::app::App;
use super::client;

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Another component, over kept connections.
    Component,
    /// The same, a new connection each.
    Fresh,
    /// A server behind the host.
    Upstream,
    /// The admin listener's `/livez`.
    Live,
}

/// How many of each there are, and how often each asks. Together 220 requests a second, and 50 of `/livez`.
const LANES: [(Lane, usize, Duration); 4] = [
    (Lane::Component, 6, Duration::from_millis(40)),
    (Lane::Upstream, 2, Duration::from_millis(40)),
    (Lane::Fresh, 1, Duration::from_millis(50)),
    (Lane::Live, 1, Duration::from_millis(20)),
];

/// A request that takes longer counts as lost.
const PATIENCE: Duration = Duration::from_secs(10);

struct Sample {
    lane: Lane,
    due: Instant,
    /// From being due to the last byte, or what went wrong.
    took: Result<Duration, String>,
}

#[derive(Default)]
struct Shared {
    samples: Mutex<Vec<Sample>>,
    /// Of each thread: when the request was due that it is about.
    about: Mutex<Vec<Instant>>,
    stop: AtomicBool,
}

pub struct Probe {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What one lane saw in a time.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub count: usize,
    pub p50: Duration,
    pub p99: Duration,
    pub max: Duration,
    pub lost: usize,
    /// What went wrong with the first of them.
    pub first: String,
}

/// What all lanes saw in a time.
#[derive(Debug, Clone)]
pub struct Window {
    pub component: Seen,
    pub fresh: Seen,
    pub upstream: Seen,
    pub live: Seen,
}

impl Window {
    pub fn asked(&self) -> usize {
        [&self.component, &self.fresh, &self.upstream, &self.live].iter().map(|seen| seen.count).sum()
    }

    pub fn lost(&self) -> usize {
        [&self.component, &self.fresh, &self.upstream, &self.live].iter().map(|seen| seen.lost).sum()
    }

    pub fn first_loss(&self) -> &str {
        let mut all = [&self.component, &self.fresh, &self.upstream, &self.live].into_iter();
        all.find(|seen| seen.lost > 0).map_or("", |seen| &seen.first)
    }
}

impl Probe {
    pub fn start(app: &App) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let begin = Instant::now();
        let mut threads = Vec::new();
        for (lane, count, every) in LANES {
            let (addr, path) = match lane {
                Lane::Component | Lane::Fresh => (app.addr, "/neighbour"),
                Lane::Upstream => (app.addr, "/behind"),
                Lane::Live => (app.admin, "/livez"),
            };
            for number in 0..count {
                let phase = every * u32::try_from(number)? / u32::try_from(count)?;
                let index = threads.len();
                lock(&shared.about).push(begin);
                let shared = Arc::clone(&shared);
                let asker = Asker { lane, addr, path, connection: None };
                threads.push(thread::spawn(move || keep_asking(asker, &shared, index, begin + phase, every)));
            }
        }
        Ok(Self { shared, threads })
    }

    /// Waits until the neighbours are answered, and forgets what was before.
    pub fn settle(&self, time: Duration) -> Result<()> {
        let begin = Instant::now();
        thread::sleep(time);
        let window = self.window(begin + time / 2, begin + time);
        ensure!(window.lost() == 0, "the neighbour is not answered: {}", window.first_loss());
        Ok(())
    }

    /// What was seen of requests that were due in this time; waits for those that are not answered yet.
    pub fn window(&self, from: Instant, to: Instant) -> Window {
        let limit = Instant::now() + PATIENCE + Duration::from_secs(1);
        while lock(&self.shared.about).iter().any(|about| *about < to) && Instant::now() < limit {
            thread::sleep(Duration::from_millis(5));
        }
        let samples = lock(&self.shared.samples);
        let within = |lane| samples.iter().filter(move |one| one.lane == lane && one.due >= from && one.due < to);
        let seen = |lane| Seen::of(within(lane));
        Window {
            component: seen(Lane::Component),
            fresh: seen(Lane::Fresh),
            upstream: seen(Lane::Upstream),
            live: seen(Lane::Live),
        }
    }

    pub fn stop(self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| drop(thread.join()));
    }
}

impl Seen {
    fn of<'a>(samples: impl Iterator<Item = &'a Sample>) -> Self {
        let mut seen = Self::default();
        let mut times = Vec::new();
        for sample in samples {
            match &sample.took {
                Ok(took) => times.push(*took),
                Err(error) => {
                    seen.lost += 1;
                    if seen.first.is_empty() {
                        seen.first = format!("{:?}: {error}", sample.lane);
                    }
                    times.push(PATIENCE);
                }
            }
        }
        times.sort_unstable();
        let at = |share: usize| {
            let rank = (times.len() * share).div_ceil(100).saturating_sub(1);
            times.get(rank).copied().unwrap_or_default()
        };
        Self { count: times.len(), p50: at(50), p99: at(99), max: at(100), ..seen }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep_asking(mut asker: Asker, shared: &Shared, index: usize, mut due: Instant, every: Duration) {
    while !shared.stop.load(Ordering::Relaxed) {
        if let Some(about) = lock(&shared.about).get_mut(index) {
            *about = due;
        }
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let took = asker.ask().map(|()| due.elapsed()).map_err(|error| format!("{error:#}"));
        let lost = took.is_err();
        lock(&shared.samples).push(Sample { lane: asker.lane, due, took });
        due += every;
        if lost {
            // One loss is told once: what it held up was not asked at all.
            due = due.max(Instant::now());
        }
    }
}

struct Asker {
    lane: Lane,
    addr: SocketAddr,
    path: &'static str,
    connection: Option<TcpStream>,
}

impl Asker {
    /// One request and its whole answer, which must be a 200.
    fn ask(&mut self) -> Result<()> {
        let mut stream = match self.connection.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect_timeout(&self.addr, PATIENCE).context("no connection")?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream
            }
        };
        let (path, addr) = (self.path, self.addr);
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\n\r\n").as_bytes()).context("not sent")?;
        let mut answer = Vec::new();
        let mut chunk = [0; 4096];
        while !client::whole(&answer) {
            let count = stream.read(&mut chunk).context("no answer")?;
            ensure!(count > 0, "the connection was closed");
            answer.extend_from_slice(chunk.get(..count).unwrap_or_default());
        }
        ensure!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
        if self.lane != Lane::Fresh {
            self.connection = Some(stream);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_all_requests_and_losses_count_as_the_longest() {
        let due = Instant::now();
        let sample = |ms: u64| Sample { lane: Lane::Component, due, took: Ok(Duration::from_millis(ms)) };
        let mut samples: Vec<Sample> = (1..=200).map(sample).collect();
        let seen = Seen::of(samples.iter());
        assert_eq!((seen.p50.as_millis(), seen.p99.as_millis(), seen.max.as_millis()), (100, 198, 200));
        samples.push(Sample { lane: Lane::Component, due, took: Err("gone".to_owned()) });
        let seen = Seen::of(samples.iter());
        assert_eq!((seen.count, seen.lost, seen.max), (201, 1, PATIENCE));
        assert_eq!(seen.first, "Component: gone");
        assert_eq!(Seen::of([].iter()).p99, Duration::ZERO);
    }
}
