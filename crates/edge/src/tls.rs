//! TLS at the front door: rustls, HTTP/2 or HTTP/1.1 by ALPN, certificates of clients where they are asked for. The files are read
//! again at each reload; what is wrong with them then is told and the old ones stay in use.

use arc_swap::ArcSwap;
use http::HeaderValue;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// The files of the server's certificate. PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, then those that lead to its root.
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Whose certificates clients must have; without it they need none.
    pub client_ca: Option<PathBuf>,
}

/// Why the files can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("can't read {what} of {}", path.display())]
    Unreadable {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    #[error("there is no certificate in {}; it has to be PEM, beginning with -----BEGIN CERTIFICATE-----", .0.display())]
    Empty(PathBuf),
    #[error("the certificate in {} and the key in {} can't be used together", certificate.display(), key.display())]
    Unusable {
        certificate: PathBuf,
        key: PathBuf,
        #[source]
        source: rustls::Error,
    },
    #[error("the certificates in {} can't be used to check clients: {reason}", path.display())]
    ClientCa { path: PathBuf, reason: String },
}

/// What is needed to accept a connection.
pub struct Tls {
    files: TlsFiles,
    config: ArcSwap<ServerConfig>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// When they are missing, not PEM, or don't belong together.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let config = ArcSwap::from_pointee(config(&files)?);
        Ok(Self { files, config })
    }

    /// Reads the files anew; connections that are open keep what they have.
    ///
    /// # Errors
    /// As [`Tls::load`]; then what was in use stays.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.config.store(Arc::new(config(&self.files)?));
        Ok(())
    }

    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.load_full())
    }

    /// What a change of means other certificates.
    pub fn paths(&self) -> impl Iterator<Item = PathBuf> {
        let TlsFiles { certificate, key, client_ca } = self.files.clone();
        [certificate, key].into_iter().chain(client_ca)
    }
}

fn config(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let TlsFiles { certificate, key, client_ca } = files;
    let chain = certificates(certificate)?;
    let unusable = |source| TlsError::Unusable { certificate: certificate.clone(), key: key.clone(), source };
    let private = PrivateKeyDer::from_pem_file(key);
    let private =
        private.map_err(|source| TlsError::Unreadable { what: "the private key", path: key.clone(), source })?;
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&ring)).with_safe_default_protocol_versions();
    let builder = builder.map_err(unusable)?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let unfit = |reason: String| TlsError::ClientCa { path: path.clone(), reason };
            let mut roots = RootCertStore::empty();
            for root in certificates(path)? {
                roots.add(root).map_err(|error| unfit(error.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), ring).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| unfit(error.to_string()))?)
        }
    };
    let mut config = builder.with_single_cert(chain, private).map_err(unusable)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |source| TlsError::Unreadable { what: "the certificate", path: path.to_owned(), source };
    let read = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
    let found = read.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    if found.is_empty() { Err(TlsError::Empty(path.to_owned())) } else { Ok(found) }
}

/// A client's certificate as the header `Client-Cert` (RFC 9440) has it.
pub fn client_cert(connection: &rustls::ServerConnection) -> Option<HeaderValue> {
    use base64::Engine as _;
    let certificate = connection.peer_certificates()?.first()?;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    HeaderValue::from_str(&format!(":{text}:")).ok()
}
