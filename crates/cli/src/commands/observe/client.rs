//! The way to the admin listener: HTTP/1.0, so that an answer simply ends, and a stream of events is lines as they come.

use crate::exit::Failure;
use anyhow::{Context as _, anyhow};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const CONNECT: Duration = Duration::from_secs(5);
/// Bytes of an answer.
const MOST: u64 = 256 << 20;

pub struct Client {
    pub admin: SocketAddr,
    pub token: String,
}

impl Client {
    /// The JSON of a path.
    ///
    /// # Errors
    /// When nobody answers, or not with what was asked for.
    pub fn get(&self, path: &str) -> Result<Value, Failure> {
        self.find(path)?.ok_or_else(|| {
            Failure::mend(anyhow!(
                "the process at {} has no {path}: its telemetry is off, or it is of another version",
                self.admin
            ))
        })
    }

    /// The same; `None` when there is no such thing.
    ///
    /// # Errors
    /// Likewise.
    pub fn find(&self, path: &str) -> Result<Option<Value>, Failure> {
        let (status, body) = self.ask(path)?;
        if status == 404 {
            return Ok(None);
        }
        let mut text = Vec::new();
        let read = body.take(MOST).read_to_end(&mut text).context("the answer broke off").map_err(Failure::mend);
        read?;
        let value: Value = serde_json::from_slice(&text).unwrap_or_default();
        if status == 200 {
            return Ok(Some(value));
        }
        let detail = value.get("detail").and_then(Value::as_str).unwrap_or("without a reason");
        Err(Failure::mend(anyhow!("the process at {} answered {status}: {detail}", self.admin)))
    }

    /// Calls `take` with each event of a path, until the process ends.
    ///
    /// # Errors
    /// When nobody answers, and what `take` returns.
    pub fn follow(&self, path: &str, mut take: impl FnMut(&Value) -> Result<(), Failure>) -> Result<(), Failure> {
        let (status, body) = self.ask(path)?;
        if status != 200 {
            return Err(Failure::mend(anyhow!("the process at {} answered {status}", self.admin)));
        }
        for line in body.lines() {
            let line = line.context("the process has ended").map_err(Failure::mend)?;
            if let Some(event) = line.strip_prefix("data: ").and_then(|json| serde_json::from_str(json).ok()) {
                take(&event)?;
            }
        }
        Ok(())
    }

    /// Status and body.
    fn ask(&self, path: &str) -> Result<(u16, BufReader<TcpStream>), Failure> {
        let asked = || -> anyhow::Result<_> {
            let mut stream = TcpStream::connect_timeout(&self.admin, CONNECT)?;
            write!(
                stream,
                "GET {path} HTTP/1.0\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\r\n",
                self.admin, self.token
            )?;
            let mut reader = BufReader::new(stream);
            let mut head = String::new();
            reader.read_line(&mut head)?;
            let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
            let status = status.context("the answer is no HTTP")?;
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line)? == 0 || line.trim_end().is_empty() {
                    return Ok((status, reader));
                }
            }
        };
        asked()
            .with_context(|| {
                format!("no answer from {}; is an app running, and is this its admin address?", self.admin)
            })
            .map_err(Failure::mend)
    }
}

/// A query of these pairs.
pub fn query<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut query = String::new();
    for (key, value) in pairs {
        let _ = write!(query, "{key}=");
        for byte in value.bytes() {
            // Writing to a String can't fail.
            let _ = match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => write!(query, "{}", char::from(byte)),
                _ => write!(query, "%{byte:02X}"),
            };
        }
        query.push('&');
    }
    query
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_query_is_encoded() {
        assert_eq!(super::query([("text", "a b&c=é")].into_iter()), "text=a%20b%26c%3D%C3%A9&");
    }
}
