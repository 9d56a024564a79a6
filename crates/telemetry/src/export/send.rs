//! One message on its way to a collector: HTTP with protobuf or JSON, or gRPC, which is the same with a frame of five bytes, a path
//! and its status in the trailers.

use super::settings::{Protocol, Target};
use crate::otlp::proto;
use bytes::{BufMut as _, Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, TE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of an answer that are read.
const ANSWER: usize = 64 * 1024;

/// A way to a collector for one kind of signal.
pub(super) struct Sender {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    target: Target,
    url: Uri,
}

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotSent {
    /// It may be taken later.
    #[error("{text}")]
    Later { text: String, after: Option<Duration> },
    /// It will never be taken.
    #[error("{0}")]
    Never(String),
}

/// What prevents a target from being used at all.
#[derive(Debug, thiserror::Error)]
pub enum BadTarget {
    #[error("the certificate file {path} can't be read: {why}")]
    Certificate { path: String, why: String },
    #[error("TLS can't be set up")]
    Tls(#[source] rustls::Error),
    #[error("the endpoint is no address for gRPC")]
    Url,
}

impl Sender {
    /// `service`: the gRPC method that takes this signal.
    pub(super) fn new(target: Target, service: &str) -> Result<Self, BadTarget> {
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls(&target)?).https_or_http();
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        let mut builder = Client::builder(TokioExecutor::new());
        builder.timer(TokioTimer::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(Duration::from_secs(90));
        let grpc = target.protocol == Protocol::Grpc;
        let client = match grpc {
            true => builder.http2_only(true).build(connector.enable_http2().wrap_connector(http)),
            false => builder.build(connector.enable_http1().enable_http2().wrap_connector(http)),
        };
        let url = if grpc { method_of(&target.url, service).ok_or(BadTarget::Url)? } else { target.url.clone() };
        Ok(Self { client, target, url })
    }

    /// The endpoint, without what may be secret in it.
    pub(super) fn shown(&self) -> String {
        let authority = self.url.authority().map_or("", |authority| authority.as_str());
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        format!("{}://{host}{}", self.url.scheme_str().unwrap_or("http"), self.url.path())
    }

    /// Sends a message once. Returns how many of its items were refused although it was taken, with the reason.
    pub(super) async fn send<T>(&self, message: &T) -> Result<Option<(u64, String)>, NotSent>
    where
        T: prost::Message + serde::Serialize,
    {
        let request = self.request(message)?;
        let exchange = async {
            let response = self.client.request(request).await.map_err(|error| later(&error))?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, ANSWER).collect().await;
            let body =
                body.map_err(|error| NotSent::Later { text: format!("the answer broke off: {error}"), after: None })?;
            let trailers = body.trailers().cloned();
            Ok((parts, trailers, body.to_bytes()))
        };
        let answered = tokio::time::timeout(self.target.timeout, exchange).await;
        let timed_out = |_| NotSent::Later { text: "no answer in time".to_owned(), after: None };
        let (parts, trailers, body) = answered.map_err(timed_out)??;
        match self.target.protocol {
            Protocol::Grpc => grpc(&parts, trailers.as_ref(), &body),
            Protocol::Protobuf | Protocol::Json => http(&parts, &body),
        }
    }

    fn request<T: prost::Message + serde::Serialize>(&self, message: &T) -> Result<Request<Full<Bytes>>, NotSent> {
        let (body, content) = match self.target.protocol {
            Protocol::Json => {
                let body = serde_json::to_vec(message).map_err(|error| NotSent::Never(error.to_string()))?;
                (body, "application/json")
            }
            Protocol::Protobuf => (message.encode_to_vec(), "application/x-protobuf"),
            Protocol::Grpc => (message.encode_to_vec(), "application/grpc"),
        };
        let body = if self.target.gzip { gzipped(&body) } else { body };
        let body = match self.target.protocol {
            Protocol::Grpc => {
                let mut framed = BytesMut::with_capacity(body.len() + 5);
                framed.put_u8(u8::from(self.target.gzip));
                framed.put_u32(u32::try_from(body.len()).map_err(|_| NotSent::Never("too large".to_owned()))?);
                framed.extend_from_slice(&body);
                framed.freeze()
            }
            Protocol::Protobuf | Protocol::Json => Bytes::from(body),
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content));
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("OTel-OTLP-Exporter-Coracle/", env!("CARGO_PKG_VERSION"))),
        );
        let gzip = HeaderValue::from_static("gzip");
        match (self.target.protocol, self.target.gzip) {
            (Protocol::Grpc, gzipped) => {
                headers.insert(TE, HeaderValue::from_static("trailers"));
                if gzipped {
                    headers.insert("grpc-encoding", gzip);
                }
            }
            (_, true) => drop(headers.insert(CONTENT_ENCODING, gzip)),
            (_, false) => {}
        }
        for (name, value) in &self.target.headers {
            headers.insert(name.clone(), value.clone());
        }
        Ok(request)
    }
}

fn method_of(url: &Uri, service: &str) -> Option<Uri> {
    let mut parts = url.clone().into_parts();
    parts.path_and_query = Some(service.parse().ok()?);
    Uri::from_parts(parts).ok()
}

fn gzipped(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to a Vec can't fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}

fn later(error: &hyper_util::client::legacy::Error) -> NotSent {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    NotSent::Later { text, after: None }
}

fn http(parts: &http::response::Parts, body: &[u8]) -> Result<Option<(u64, String)>, NotSent> {
    let status = parts.status;
    if status.is_success() {
        let json =
            parts.headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
        let answer = if json { serde_json::from_slice(body).ok() } else { prost::Message::decode(body).ok() };
        return Ok(refused(answer));
    }
    let text = format!("the collector answered {status}");
    let may_pass = matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    );
    if may_pass { Err(NotSent::Later { text, after: retry_after(&parts.headers) }) } else { Err(NotSent::Never(text)) }
}

fn grpc(
    parts: &http::response::Parts,
    trailers: Option<&HeaderMap>,
    body: &[u8],
) -> Result<Option<(u64, String)>, NotSent> {
    let find = |name: &str| trailers.and_then(|trailers| trailers.get(name)).or_else(|| parts.headers.get(name));
    let Some(code) = find("grpc-status").and_then(|code| code.to_str().ok()?.parse::<u16>().ok()) else {
        // A proxy in between, most often.
        return http(parts, &[]).and(Err(NotSent::Never("the collector doesn't speak gRPC".to_owned())));
    };
    let message = find("grpc-message").and_then(|text| text.to_str().ok()).unwrap_or_default();
    let text = format!("the collector answered gRPC status {code} {message}");
    match code {
        0 => Ok(refused(body.get(5..).and_then(|message| prost::Message::decode(message).ok()))),
        // Cancelled, deadline exceeded, resource exhausted, aborted, out of range, unavailable, data loss.
        1 | 4 | 8 | 10 | 11 | 14 | 15 => Err(NotSent::Later { text, after: None }),
        _ => Err(NotSent::Never(text)),
    }
}

fn refused(answer: Option<proto::Exported>) -> Option<(u64, String)> {
    let partial = answer?.partial_success?;
    let count = u64::try_from(partial.rejected).ok().filter(|count| *count > 0)?;
    Some((count, partial.error_message))
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

fn tls(target: &Target) -> Result<rustls::ClientConfig, BadTarget> {
    let unread = |path: &std::path::Path, why: &dyn std::fmt::Display| BadTarget::Certificate {
        path: path.display().to_string(),
        why: why.to_string(),
    };
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(ring);
    let builder = builder.with_safe_default_protocol_versions().map_err(BadTarget::Tls)?;
    let certificates = |path: &std::path::Path| {
        let all = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        all.map_err(|error| unread(path, &error))
    };
    let builder = match &target.certificate {
        None => builder.with_webpki_roots(),
        Some(path) => {
            let mut roots = rustls::RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| unread(path, &error))?;
            }
            builder.with_root_certificates(roots)
        }
    };
    match &target.client {
        None => Ok(builder.with_no_client_auth()),
        Some((certificate, key)) => {
            let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unread(key, &error))?;
            builder.with_client_auth_cert(certificates(certificate)?, private).map_err(BadTarget::Tls)
        }
    }
}
