//! The live tail: requests and lines as they come, as server-sent events. One JSON list an event, several things at once, so that a busy
//! server costs a page no more than it can show.

use super::query::{Bad, Query};
use bytes::Bytes;
use coracle_host::{Body, BodyError};
use coracle_telemetry::Telemetry;
use coracle_telemetry::store::filter::{Logs, Requests};
use coracle_telemetry::store::view::{Line, Row};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use serde::Serialize;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// How often there is a look for news.
const LOOK: Duration = Duration::from_millis(300);
/// A sign of life for proxies and pages while nothing comes.
const ALIVE: u32 = 50;
/// Things of one event; what comes faster is skipped, and said to be.
const MOST: usize = 200;

/// What is followed.
pub enum Followed {
    Requests(Box<Requests>),
    Logs(Box<Logs>),
}

#[derive(Serialize)]
struct Event<T> {
    /// Those that there was no room for.
    skipped: usize,
    things: Vec<T>,
}

impl Followed {
    /// What a path and its query ask to follow.
    ///
    /// # Errors
    /// When the query can't be understood.
    pub fn parse(path: &str, query: Query<'_>) -> Result<Option<Self>, Bad> {
        Ok(match path {
            "/api/requests/live" => Some(Self::Requests(Box::new(Requests::parse(query.0)?))),
            "/api/logs/live" => Some(Self::Logs(Box::new(Logs::parse(query.0)?))),
            _ => None,
        })
    }

    /// What has come after a number: as an event, and the last number.
    fn news(&self, telemetry: &Telemetry, after: u64) -> (u64, Option<String>) {
        let store = &telemetry.store;
        match self {
            Self::Requests(filter) => {
                let new = store.requests.after(after, 100 * MOST);
                let last = new.last().map_or(after, |(n, _)| *n);
                let rows: Vec<Row> =
                    new.iter().filter(|(_, kept)| filter.matches(kept)).map(|(n, kept)| Row::of(*n, kept)).collect();
                (last, event(rows))
            }
            Self::Logs(filter) => {
                let new = store.logs.after(after, 100 * MOST);
                let last = new.last().map_or(after, |(n, _)| *n);
                let lines: Vec<Line> =
                    new.iter().filter(|(_, log)| filter.matches(log)).map(|(n, log)| Line::of(*n, log)).collect();
                (last, event(lines))
            }
        }
    }

    fn last(&self, telemetry: &Telemetry) -> u64 {
        match self {
            Self::Requests(_) => telemetry.store.requests.last(),
            Self::Logs(_) => telemetry.store.logs.last(),
        }
    }

    /// The stream of events from now on.
    pub fn body(self, telemetry: Arc<Telemetry>) -> Body {
        let last = self.last(&telemetry);
        let first = Bytes::from_static(b"retry: 1000\n\n");
        let state = (self, telemetry, last, Some(first));
        let stream = futures::stream::unfold(state, |(followed, telemetry, mut last, first)| async move {
            if let Some(first) = first {
                return Some((frame(first), (followed, telemetry, last, None)));
            }
            for _ in 0..ALIVE {
                tokio::time::sleep(LOOK).await;
                let (newest, event) = followed.news(&telemetry, last);
                last = newest;
                if let Some(event) = event {
                    return Some((frame(Bytes::from(event)), (followed, telemetry, last, None)));
                }
            }
            Some((frame(Bytes::from_static(b":\n\n")), (followed, telemetry, last, None)))
        });
        StreamBody::new(stream).map_err(|never: Infallible| -> BodyError { match never {} }).boxed_unsync()
    }
}

fn frame(bytes: Bytes) -> Result<Frame<Bytes>, Infallible> {
    Ok(Frame::data(bytes))
}

fn event<T: Serialize>(mut things: Vec<T>) -> Option<String> {
    if things.is_empty() {
        return None;
    }
    let skipped = things.len().saturating_sub(MOST);
    things.drain(..skipped);
    let json = serde_json::to_string(&Event { skipped, things }).ok()?;
    Some(format!("data: {json}\n\n"))
}
