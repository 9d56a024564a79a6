//! What others send by OTLP (the user's Node server, his browser) on its way into the store. Decides by content type how to read;
//! who may send is the listener's business.

use crate::metrics::names::Name;
use crate::otlp::{self, json, proto};
use crate::telemetry::Telemetry;
use std::io::Read as _;

/// Bytes of a message, unpacked.
pub const MOST: usize = 16 << 20;

/// Which of the three paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Traces,
    Metrics,
    Logs,
}

/// How a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Protobuf,
    Json,
}

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    #[error("the content type is neither application/x-protobuf nor application/json")]
    Type,
    #[error("the content encoding is neither gzip nor identity")]
    Encoding,
    #[error("the message has more than {MOST} bytes")]
    TooLarge,
    #[error("the message can't be read: {0}")]
    Unreadable(String),
}

impl Signal {
    /// The signal of a path.
    #[must_use]
    pub fn of(path: &str) -> Option<Self> {
        match path {
            "/v1/traces" => Some(Self::Traces),
            "/v1/metrics" => Some(Self::Metrics),
            "/v1/logs" => Some(Self::Logs),
            _ => None,
        }
    }
}

impl Encoding {
    /// The encoding that a content type names.
    ///
    /// # Errors
    /// When it is neither.
    pub fn of(content_type: &str) -> Result<Self, NotTaken> {
        match content_type.split(';').next().unwrap_or_default().trim() {
            "application/x-protobuf" | "application/protobuf" => Ok(Self::Protobuf),
            "application/json" => Ok(Self::Json),
            _ => Err(NotTaken::Type),
        }
    }

    /// The value of `Content-Type` of the answer.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }

    fn read<T: prost::Message + Default + serde::de::DeserializeOwned>(self, body: &[u8]) -> Result<T, NotTaken> {
        match self {
            Self::Protobuf => T::decode(body).map_err(|error| NotTaken::Unreadable(error.to_string())),
            Self::Json => json::read(body).map_err(|error| NotTaken::Unreadable(error.to_string())),
        }
    }
}

/// A body as it was before it was packed.
///
/// # Errors
/// When the encoding is unknown, the body broken or too large.
pub fn unpack(body: &[u8], encoding: Option<&str>) -> Result<Vec<u8>, NotTaken> {
    match encoding.unwrap_or("identity") {
        "identity" | "" => Ok(body.to_vec()),
        "gzip" => {
            let mut unpacked = Vec::new();
            let reader = flate2::read::MultiGzDecoder::new(body);
            let read = reader.take(MOST as u64 + 1).read_to_end(&mut unpacked);
            read.map_err(|error| NotTaken::Unreadable(error.to_string()))?;
            if unpacked.len() > MOST { Err(NotTaken::TooLarge) } else { Ok(unpacked) }
        }
        _ => Err(NotTaken::Encoding),
    }
}

impl Telemetry {
    /// Takes a message and returns the answer's body.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn receive(&self, signal: Signal, encoding: Encoding, body: &[u8], now: u64) -> Result<Vec<u8>, NotTaken> {
        let (rejected, why) = match signal {
            Signal::Traces => self.receive_spans(encoding.read(body)?),
            Signal::Logs => {
                let logs = otlp::read_logs(encoding.read(body)?, now);
                self.received("logs", logs.len());
                logs.into_iter().for_each(|log| self.log(log));
                (0, "")
            }
            Signal::Metrics => {
                let message: proto::Metrics = encoding.read(body)?;
                let scopes = message.resource_metrics.iter().flat_map(|group| &group.scope_metrics);
                let count: usize = scopes.map(|scope| scope.metrics.len()).sum();
                (count, "metrics of others are not kept here; send them to a collector")
            }
        };
        let name = match signal {
            Signal::Traces => "rejectedSpans",
            Signal::Metrics => "rejectedDataPoints",
            Signal::Logs => "rejectedLogRecords",
        };
        Ok(match encoding {
            Encoding::Protobuf => {
                let partial = proto::Partial {
                    rejected: i64::try_from(rejected).unwrap_or(i64::MAX),
                    error_message: why.to_owned(),
                };
                let answer = proto::Exported { partial_success: (rejected > 0).then_some(partial) };
                prost::Message::encode_to_vec(&answer)
            }
            Encoding::Json if rejected == 0 => b"{}".to_vec(),
            Encoding::Json => {
                let answer =
                    serde_json::json!({ "partialSuccess": { name: rejected.to_string(), "errorMessage": why } });
                answer.to_string().into_bytes()
            }
        })
    }

    fn receive_spans(&self, message: proto::Traces) -> (usize, &'static str) {
        let (groups, unread) = otlp::read_spans(message);
        for (origin, spans) in groups {
            self.received("traces", spans.len());
            spans.into_iter().for_each(|span| self.store.receive(&origin, span));
        }
        (unread, if unread > 0 { "some spans have no valid trace and span id" } else { "" })
    }

    #[expect(clippy::cast_precision_loss, reason = "a count of spans")]
    fn received(&self, signal: &str, count: usize) {
        self.metrics.add(Name::Received, &[signal], count as f64);
    }
}
