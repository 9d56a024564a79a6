//! Which requests and lines are asked for: filters, read from the query of an address as the dashboard and the command line send it.

use crate::id::{RequestId, TraceId};
use crate::kept::Kept;
use crate::log::{Log, Severity, Source};
use crate::record::Outcome;
use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Things of one page, unless asked otherwise, and at most.
const PAGE: usize = 100;
const MOST: usize = 1000;

/// Which requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Requests {
    /// Part of host, path, id or error, in any case.
    pub text: Option<String>,
    pub route: Option<String>,
    /// Of the component or upstream that answered or was tried first.
    pub destination: Option<String>,
    pub method: Option<String>,
    pub status: Option<RangeInclusive<u16>>,
    pub outcome: Option<String>,
    pub slower: Option<Duration>,
    /// Failed, truncated, 500 and more, or answered by a fallback.
    pub problems: bool,
    /// Only those that met no instance.
    pub cold: bool,
    pub trace: Option<TraceId>,
    pub page: Page,
}

/// Which lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Logs {
    pub text: Option<String>,
    pub name: Option<String>,
    pub source: Option<String>,
    pub severity: Option<Severity>,
    pub request: Option<RequestId>,
    pub trace: Option<TraceId>,
    pub page: Page,
}

/// How many, and from where on backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    pub limit: usize,
    /// Only what is older than the thing with this number.
    pub before: Option<u64>,
    /// Only what is newer.
    pub after: Option<u64>,
}

/// What can't be understood of a query, as a sentence.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{key}={value}`: {why}")]
pub struct BadQuery {
    pub key: String,
    pub value: String,
    pub why: &'static str,
}

impl Default for Page {
    fn default() -> Self {
        Self { limit: PAGE, before: None, after: None }
    }
}

/// Key and value pairs of a query, decoded.
pub fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, String)> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    query.split('&').filter(|pair| !pair.is_empty()).map(move |pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (Cow::Borrowed(key), decode(value))
    })
}

impl Page {
    fn set(&mut self, key: &str, value: &str) -> Result<bool, &'static str> {
        const NUMBER: &str = "a number is expected";
        match key {
            "limit" => self.limit = value.parse::<usize>().map_err(|_| NUMBER)?.clamp(1, MOST),
            "before" => self.before = Some(value.parse().map_err(|_| NUMBER)?),
            "after" => self.after = Some(value.parse().map_err(|_| NUMBER)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether a thing with this number is on it.
    #[must_use]
    pub fn has(&self, number: u64) -> bool {
        self.before.is_none_or(|before| number < before) && self.after.is_none_or(|after| number > after)
    }
}

impl Requests {
    /// Reads a query; empty values count as absent.
    ///
    /// # Errors
    /// When a value is not what its key needs, or a key is unknown.
    pub fn parse(query: &str) -> Result<Self, BadQuery> {
        let mut filter = Self {
            text: None,
            route: None,
            destination: None,
            method: None,
            status: None,
            outcome: None,
            slower: None,
            problems: false,
            cold: false,
            trace: None,
            page: Page::default(),
        };
        for (key, value) in pairs(query).filter(|(_, value)| !value.is_empty()) {
            filter.set(&key, &value).map_err(|why| BadQuery { key: key.into_owned(), value, why })?;
        }
        Ok(filter)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), &'static str> {
        let text = || Some(value.to_owned());
        match key {
            "text" => self.text = Some(value.to_lowercase()),
            "route" => self.route = text(),
            "destination" => self.destination = text(),
            "method" => self.method = Some(value.to_ascii_uppercase()),
            "outcome" => self.outcome = text(),
            "status" => self.status = Some(status(value).ok_or("a status (404) or a class (5xx) is expected")?),
            "slower_ms" => {
                let ms: f64 = value.parse().map_err(|_| "milliseconds are expected")?;
                self.slower = Some(Duration::try_from_secs_f64(ms / 1000.0).map_err(|_| "milliseconds are expected")?);
            }
            "problems" => self.problems = flag(value)?,
            "cold" => self.cold = flag(value)?,
            "trace" => self.trace = Some(value.parse().map_err(|_| "a trace id has 32 hex digits")?),
            _ if self.page.set(key, value)? => {}
            _ => return Err("there is no such filter"),
        }
        Ok(())
    }

    /// Whether a request is one of them; the page apart.
    #[must_use]
    pub fn matches(&self, kept: &Kept) -> bool {
        let record = &kept.record;
        let named = |name: &String| {
            [&record.destination, &record.fallback_from]
                .into_iter()
                .flatten()
                .any(|destination| **destination == **name)
        };
        let failed = matches!(record.outcome, Outcome::Failed | Outcome::Truncated) || record.status >= 500;
        self.trace.is_none_or(|trace| record.trace_id == trace)
            && self.status.as_ref().is_none_or(|status| status.contains(&record.status))
            && self.slower.is_none_or(|slower| record.duration >= slower)
            && (!self.problems || failed || record.fallback_from.is_some())
            && (!self.cold || record.run.is_some_and(|run| run.reused == 0))
            && self.method.as_ref().is_none_or(|method| record.method.as_str() == method)
            && self.route.as_ref().is_none_or(|route| record.route.as_deref() == Some(route))
            && self.outcome.as_ref().is_none_or(|outcome| record.outcome.name() == outcome)
            && self.destination.as_ref().is_none_or(named)
            && self.text.as_ref().is_none_or(|text| {
                has(&record.path, text)
                    || has(&record.host, text)
                    || record.error.as_ref().is_some_and(|error| has(error, text))
                    || (text.len() >= 8 && has(&record.id.to_string(), text))
            })
    }
}

impl Logs {
    /// Reads a query; empty values count as absent.
    ///
    /// # Errors
    /// When a value is not what its key needs, or a key is unknown.
    pub fn parse(query: &str) -> Result<Self, BadQuery> {
        let mut filter = Self {
            text: None,
            name: None,
            source: None,
            severity: None,
            request: None,
            trace: None,
            page: Page::default(),
        };
        for (key, value) in pairs(query).filter(|(_, value)| !value.is_empty()) {
            filter.set(&key, &value).map_err(|why| BadQuery { key: key.into_owned(), value, why })?;
        }
        Ok(filter)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), &'static str> {
        match key {
            "text" => self.text = Some(value.to_lowercase()),
            "name" => self.name = Some(value.to_owned()),
            "source" => self.source = Some(value.to_owned()),
            "severity" => self.severity = Some(severity(value).ok_or("trace, debug, info, warn, error or fatal")?),
            "request" => self.request = Some(value.parse().map_err(|_| "a request id has 32 hex digits")?),
            "trace" => self.trace = Some(value.parse().map_err(|_| "a trace id has 32 hex digits")?),
            _ if self.page.set(key, value)? => {}
            _ => return Err("there is no such filter"),
        }
        Ok(())
    }

    /// Whether a line is one of them; the page apart.
    #[must_use]
    pub fn matches(&self, log: &Log) -> bool {
        // Both together ask for what belongs to either: the lines of a request are those of its trace too.
        let belongs = match (self.request, self.trace) {
            (None, None) => true,
            (request, trace) => {
                (request.is_some() && log.request == request) || (trace.is_some() && log.trace == trace)
            }
        };
        belongs
            && self.severity.is_none_or(|least| log.severity >= least)
            && self.name.as_ref().is_none_or(|name| log.name.as_deref() == Some(name))
            && self.source.as_ref().is_none_or(|source| is_source(log.source, source))
            && self.text.as_ref().is_none_or(|text| has(&log.body, text))
    }
}

/// `guest` is all that guests write.
fn is_source(source: Source, asked: &str) -> bool {
    source.name() == asked || (asked == "guest" && matches!(source, Source::Stdout | Source::Stderr))
}

/// `needle` is in lower case.
fn has(text: &str, needle: &str) -> bool {
    let (text, needle) = (text.as_bytes(), needle.as_bytes());
    if text.is_ascii() {
        return needle.is_empty() || text.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle));
    }
    String::from_utf8_lossy(text).to_lowercase().as_bytes().windows(needle.len().max(1)).any(|window| window == needle)
}

fn status(text: &str) -> Option<RangeInclusive<u16>> {
    if let Ok(status) = text.parse::<u16>() {
        return Some(status..=status);
    }
    let class: u16 = text.strip_suffix("xx")?.parse().ok().filter(|class| (1..=5).contains(class))?;
    Some(class * 100..=class * 100 + 99)
}

fn flag(value: &str) -> Result<bool, &'static str> {
    match value {
        "1" | "true" | "yes" => Ok(true),
        "0" | "false" | "no" => Ok(false),
        _ => Err("1 or 0 is expected"),
    }
}

fn severity(text: &str) -> Option<Severity> {
    let all = [Severity::Trace, Severity::Debug, Severity::Info, Severity::Warn, Severity::Error, Severity::Fatal];
    all.into_iter().find(|severity| severity.name().eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::{Logs, Requests, has};
    use std::time::Duration;

    #[test]
    fn queries() {
        let filter = Requests::parse("text=Caf%C3%A9+x&status=5xx&slower_ms=1.5&problems=1&limit=7&route=").unwrap();
        assert_eq!(filter.text.as_deref(), Some("café x"));
        assert_eq!(filter.status, Some(500..=599));
        assert_eq!(filter.slower, Some(Duration::from_micros(1500)));
        assert!(filter.problems && filter.route.is_none());
        assert_eq!(filter.page.limit, 7);
        let bad = |query: &str| Requests::parse(query).unwrap_err().to_string();
        assert_eq!(bad("status=9xx"), "`status=9xx`: a status (404) or a class (5xx) is expected");
        assert_eq!(bad("slower_ms=-1"), "`slower_ms=-1`: milliseconds are expected");
        assert_eq!(bad("colour=red"), "`colour=red`: there is no such filter");
        assert!(Logs::parse("severity=warn&trace=0af7651916cd43dd8448eb211c80319c").is_ok());
    }

    #[test]
    fn text_in_any_case() {
        assert!(has("/Api/Users", "api/u") && !has("/api", "users"));
        assert!(has("/CAFÉ", "café") && has("x", ""));
    }
}
