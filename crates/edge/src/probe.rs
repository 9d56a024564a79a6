//! Asks an upstream whether it answers: its health path by HTTP, or, without one, by a connection alone.

use crate::chain::chain;
use crate::upstream::{self, Client};
use coracle_host::empty;
use coracle_manifest::Upstream;
use http::{Method, Request, Uri};
use std::time::Duration;
use tokio::net::TcpStream;

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The question, ready to be asked again and again.
pub enum Probe {
    Path { client: Box<Client>, uri: Uri },
    Connection { host: String, port: u16 },
}

impl Probe {
    /// The question for an upstream.
    ///
    /// # Errors
    /// When its URL or health path makes no address; the text says so.
    pub fn new(spec: &Upstream) -> Result<Self, String> {
        match &spec.health {
            Some(path) => {
                let url = spec.url.join(path).map_err(|error| chain(&error))?;
                let uri = url.as_str().parse().map_err(|error: http::uri::InvalidUri| chain(&error))?;
                let client = Box::new(upstream::client(PATIENCE).map_err(|error| chain(&error))?);
                Ok(Self::Path { client, uri })
            }
            None => {
                let host = spec.url.host_str().ok_or("its URL has no host")?.trim_matches(['[', ']']).to_owned();
                Ok(Self::Connection { host, port: spec.url.port_or_known_default().unwrap_or(80) })
            }
        }
    }

    /// Asks once.
    ///
    /// # Errors
    /// When it doesn't answer, or not with 2xx; the text says what it did.
    pub async fn ask(&self) -> Result<(), String> {
        let asked = async {
            match self {
                Self::Connection { host, port } => {
                    TcpStream::connect((host.as_str(), *port)).await.map(drop).map_err(|error| error.to_string())
                }
                Self::Path { client, uri } => {
                    let mut request = Request::new(crate::lent::lend(empty()).0);
                    *request.method_mut() = Method::GET;
                    request.uri_mut().clone_from(uri);
                    let response = client.request(request).await.map_err(|error| chain(&error))?;
                    let status = response.status();
                    if status.is_success() { Ok(()) } else { Err(format!("{uri} answers {status}")) }
                }
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err("no answer".to_owned()))
    }
}
